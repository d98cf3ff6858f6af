import { join, resolve } from 'node:path';
import { type Config, loadConfig } from '../platform/config.ts';
import type { Endpoints } from '../platform/endpoints.ts';
import { recordedUrls } from '../platform/postgres-location.ts';
import { readJsonFile } from '../platform/private-file.ts';
import { type GeneratedSecrets, withSecrets } from '../platform/secrets.ts';

/**
 * The configuration of the environment, completed by what a local installation keeps in its data folder: for commands
 * that work beside a running installation.
 *
 * @throws ConfigError when neither of the two says enough
 */
export function installationConfig(dataDir: string, given: NodeJS.ProcessEnv = process.env): Config {
  const folder = resolve(dataDir);
  const secrets = readJsonFile<GeneratedSecrets>(join(folder, 'secrets.json'));
  const endpoints = readJsonFile<Endpoints>(join(folder, 'endpoints.json'));
  const env = secrets ? withSecrets(given, secrets) : given;
  return loadConfig({
    ...(env.DATABASE_URL ? {} : recordedUrls(folder)),
    ...withoutEmpty(env),
    DATA_DIR: folder,
    DATABASE_URL: env.DATABASE_URL || endpoints?.database || recordedUrls(folder).DATABASE_URL,
    TEMPORAL_ADDRESS: env.TEMPORAL_ADDRESS || endpoints?.temporal || '127.0.0.1:7233',
  });
}

/** An empty variable counts as unset, and must not hide what the data folder says. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value));
}

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readJsonFile, writePrivateFile } from './private-file.ts';

const NAMES = ['SESSION_SECRET', 'ENCRYPTION_PASSPHRASE', 'AUDIT_KEY'] as const;

/** The variables that `secrets.json` of a data folder holds. */
export type GeneratedSecrets = Readonly<Record<(typeof NAMES)[number], string>>;

/**
 * The secrets of an installation outside production: drawn once, kept in `secrets.json` (0600) of the data folder, and
 * the same ever after. Whoever deletes the file loses what was encrypted under it.
 */
export function loadOrCreateSecrets(dataDir: string): GeneratedSecrets {
  const path = join(dataDir, 'secrets.json');
  const stored = readJsonFile<Partial<GeneratedSecrets>>(path) ?? {};
  if (NAMES.every((name) => stored[name])) return stored as GeneratedSecrets;
  const drawn = Object.fromEntries(NAMES.map((name) => [name, stored[name] ?? randomBytes(48).toString('base64')]));
  writePrivateFile(path, `${JSON.stringify(drawn, null, 2)}\n`);
  return drawn as GeneratedSecrets;
}

/** `env` with those secrets that it does not set itself. */
export function withSecrets(env: NodeJS.ProcessEnv, secrets: GeneratedSecrets): NodeJS.ProcessEnv {
  const merged: NodeJS.ProcessEnv = { ...env };
  for (const name of NAMES) merged[name] = env[name] || secrets[name];
  if (env.ENCRYPTION_KEY) delete merged.ENCRYPTION_PASSPHRASE;
  return merged;
}

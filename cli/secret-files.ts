import { readFileSync } from 'node:fs';
import { ConfigError, configurationVariables } from '../platform/config.ts';

/** What single commands read beside the configuration. */
const OF_COMMANDS = ['DATABASE_ADMIN_URL', 'RESTORE_DATABASE_URL'];

/**
 * What files say in the place of variables: for each variable `NAME` that is not set, the content of the file that
 * `NAME_FILE` names, as container platforms hand over secrets. A file keeps a secret out of the list of processes and out
 * of what describes a container. The line break at its end does not count.
 *
 * @returns only the variables that came from files
 * @throws ConfigError when a file cannot be read or both forms are set; no content is told
 */
export function readSecretFiles(env: NodeJS.ProcessEnv): Record<string, string> {
  const problems: string[] = [];
  const found: Record<string, string> = {};
  for (const name of [...configurationVariables().map((variable) => variable.name), ...OF_COMMANDS]) {
    const file = env[`${name}_FILE`];
    if (!file) continue;
    if (env[name]) {
      problems.push(`${name} and ${name}_FILE are both set. Unset one: which of them counts must be plain.`);
      continue;
    }
    try {
      found[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      problems.push(`${name}_FILE: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return found;
}

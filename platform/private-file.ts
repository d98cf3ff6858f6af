import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';

/**
 * Writes a file that only its owner may read (0600), in one step: a reader sees the old or the new content. The temporary
 * name is created with O_EXCL, so that nobody can lay a link in its way.
 */
export function writePrivateFile(path: string, content: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The parsed content of a JSON file; undefined when there is none. @throws when it holds no JSON. */
export function readJsonFile<T>(path: string): T | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(content) as T;
  } catch {
    throw new Error(`${path} holds no JSON. Restore it from a backup, or move it away.`);
  }
}

import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivateFile } from './private-file.ts';
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts';

/**
 * Creates the data folder where it is missing and answers its real path. Only its owner may list it; root also lets
 * others pass through, since the database below it runs as another user. What lies in it is private by its own mode.
 */
export function createDataFolder(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  return realpathSync(directory);
}

/**
 * Takes the exclusive lock of a data folder: the file `lock` with this process's id and start time. The lock of a process
 * that is gone is replaced.
 * @returns a function that releases the lock.
 * @throws when a running process holds it.
 */
export function lockDataFolder(directory: string): () => void {
  const self = identify(process.pid);
  if (!self) throw new Error('This process cannot read its own start time.');
  const path = join(directory, 'lock');
  const mine = `${path}.${process.pid}`;
  const content = JSON.stringify(self);
  writePrivateFile(mine, content);
  try {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      if (tryLink(mine, path)) {
        return () => {
          if (readHolder(path) === content) rmSync(path, { force: true });
        };
      }
      removeStaleLock(path, directory);
    }
    throw new Error(`The lock of ${directory} keeps changing hands. Is another start under way?`);
  } finally {
    rmSync(mine, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    // link(2) fails when the name exists: of two starts at once exactly one wins.
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function removeStaleLock(path: string, directory: string): void {
  const seen = readHolder(path);
  if (seen === undefined) return;
  const holder = parseHolder(seen);
  if (holder && isRunning(holder))
    throw new Error(
      `${directory} is in use by process ${holder.pid}. Stop it, or choose another folder with --data-dir.`,
    );
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  // Between reading and renaming another start may have replaced the stale lock: give it back, then.
  if (readHolder(aside) !== seen) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function parseHolder(content: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(content) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

/** Opens `logs/{name}.log` in the data folder for a child process; a file above 20 MB is set aside as `{name}.log.1`. */
export function logFile(directory: string, name: string): string {
  const folder = join(directory, 'logs');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.log`);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 20 * 1024 * 1024) renameSync(path, `${path}.1`);
  return path;
}

/** The last lines of a log file, for a message about a process that did not start; empty when there is none. */
export function lastLines(path: string, count: number): string {
  return (readHolder(path) ?? '').trimEnd().split('\n').slice(-count).join('\n');
}

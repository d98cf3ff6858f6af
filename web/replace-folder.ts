import { existsSync, renameSync, rmSync } from 'node:fs';

/** What renaming says when somebody else was faster. */
const BESIDE = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST']);
const MOST_TRIES = 100;

/**
 * Puts a folder in the place of another one. A folder cannot be renamed onto one that has files, so the old one steps aside first;
 * where another process comes between the two, it is tried again, and whichever is last stays.
 *
 * @param made is gone afterwards; its name is nobody else's
 */
export function replaceFolder(made: string, target: string): void {
  const old = `${made}-old`;
  for (let tries = 1; ; tries += 1) {
    try {
      if (existsSync(target)) renameSync(target, old);
      renameSync(made, target);
      return;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (tries === MOST_TRIES || !BESIDE.has(code)) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { UnreadableError } from './pool.ts';

/** Where the files of an export or a bundle lie: a folder, or one file that holds them all. Names are paths within, with `/`. */
export interface Source {
  /** How people know it. */
  label: string;
  has(name: string): boolean;
  /** Null for a file that is not there. */
  read(name: string): Buffer | null;
  names(): string[];
  /** What {@link readLines} reads: a path, so that another thread can, or the bytes. */
  open(name: string): string | Buffer;
}

/** @throws UnreadableError, from its calls, when the folder is there and cannot be read */
export function folderSource(dir: string): Source {
  function unless<Result>(work: () => Result, missing: Result): Result {
    try {
      return work();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return missing;
      throw new UnreadableError(message);
    }
  }
  return {
    label: dir,
    has: (name) => statSync(join(dir, name), { throwIfNoEntry: false })?.isFile() === true,
    read: (name) => unless<Buffer | null>(() => readFileSync(join(dir, name)), null),
    names: () =>
      unless<string[]>(() => {
        const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
        return entries.flatMap((entry) =>
          entry.isDirectory() ? [] : [relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/')],
        );
      }, []),
    open: (name) => join(dir, name),
  };
}

const MAX_NAME = 1_024;

/** Whether a name is a path within a folder. Without its limit a name of some megabytes would take the expression's stack. */
export function isPathWithin(name: string): boolean {
  return name.length <= MAX_NAME && /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(name);
}

import { link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Creates a file with its whole content in one step, on the disk: neither a process that dies at any point nor two at once
 * leave half of one.
 *
 * @param file `temporary` is its name until then: what a process that died leaves behind
 * @returns false when the name is taken
 */
export async function writeOnce(
  directory: string,
  file: { name: string; temporary: string; content: string; mode: number },
): Promise<boolean> {
  const temporary = join(directory, file.temporary);
  const opened = await open(temporary, 'wx', file.mode);
  try {
    await opened.writeFile(file.content);
    await opened.sync();
  } finally {
    await opened.close();
  }
  let isTaken = false;
  try {
    // link(2) refuses a name that exists, rename(2) would replace it.
    await link(temporary, join(directory, file.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    isTaken = true;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncPath(directory);
  return !isTaken;
}

/** What was written reaches the disk; a name reaches it with its folder. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** For a file that may be missing: undefined then. */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

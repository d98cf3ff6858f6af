import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ignoreMissing, writeOnce } from './write-once.ts';

/** Where checkpoints are published: a name is taken once and keeps its content. */
export interface CheckpointPlace {
  /** For people and records; no address with a secret. */
  readonly name: 'folder' | 'bucket';
  /** Names of what is published, in ascending order. */
  list(signal?: AbortSignal): Promise<string[]>;
  /** The content; undefined where there is none. */
  read(name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Publishes under a name that is free. @returns what is published under it now: the given content, or what was there */
  publish(name: string, content: string, signal?: AbortSignal): Promise<string>;
}

export const CHECKPOINT_FILE = /^\d{4}-\d{20}\.txt$/;
const LEFTOVER = /^\.\d{4}-\d{20}\.txt\.[0-9a-f]{16}\.tmp$/;
/** Writing one takes milliseconds: a file of a publisher that died is older than this. */
const LEFTOVER_AFTER_MS = 600_000;

/**
 * Checkpoints in a folder that is only ever added to. A file gets its name in one step and with its whole content on the
 * disk, so neither a publisher that dies at any point nor two of them at once leave half of one.
 */
export function createCheckpointFolder(directory: string): CheckpointPlace {
  const at = (name: string) => join(directory, name);
  const read = (name: string) => readFile(at(name), 'utf8').catch(ignoreMissing);

  async function removeLeftovers(): Promise<void> {
    for (const name of await readdir(directory)) {
      if (!LEFTOVER.test(name)) continue;
      const found = await stat(at(name)).catch(ignoreMissing);
      if (found && Date.now() - found.mtimeMs > LEFTOVER_AFTER_MS) await rm(at(name), { force: true });
    }
  }

  return {
    name: 'folder',
    read,

    async list() {
      const names = (await readdir(directory).catch(ignoreMissing)) ?? [];
      return names.filter((name) => CHECKPOINT_FILE.test(name)).sort();
    },

    async publish(name, content) {
      if (!CHECKPOINT_FILE.test(name)) throw new Error(`${name} is no name of a checkpoint`);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await removeLeftovers();
      const temporary = `.${name}.${randomBytes(8).toString('hex')}.tmp`;
      await writeOnce(directory, { name, temporary, content, mode: 0o444 });
      const stored = await read(name);
      if (stored === undefined) throw new Error(`${at(name)} went away after it was published`);
      return stored;
    },
  };
}

import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type BackupManifest, parseManifest } from './backup-manifest.ts';
import { ignoreMissing, syncPath, writeOnce } from './write-once.ts';

/** A file that is being written; it becomes a backup with {@link commit} and not before. */
export interface BackupDraft {
  /** Without folder. */
  readonly name: string;
  readonly path: string;
  readonly stream: Writable;
  /**
   * Makes it a backup. @returns the manifest that counts: the given one, or that of another attempt at the same backup
   * which was faster, whose file then stays instead of this one
   */
  commit(manifest: BackupManifest): Promise<BackupManifest>;
  discard(): Promise<void>;
}

const MANIFEST = /^([0-9a-f-]{36})\.manifest\.json$/;
/** A file nobody wrote to for this long (milliseconds) and no manifest names was left by a process that died. */
const LEFTOVER_AFTER_MS = 3_600_000;

/**
 * Backups in a folder: `{id}.{attempt}.backup` and, written last and in one step, `{id}.manifest.json` which names it. A
 * process that dies on the way leaves a file that no manifest names: it is not listed, and cleaned up later.
 */
export function createBackupStore(directory: string) {
  const at = (name: string) => join(directory, name);
  const manifestName = (id: string) => `${id}.manifest.json`;

  async function read(id: string): Promise<BackupManifest | undefined> {
    const text = await readFile(at(manifestName(id)), 'utf8').catch(ignoreMissing);
    const manifest = text === undefined ? undefined : parseManifest(text);
    return manifest?.id === id ? manifest : undefined;
  }

  async function names(): Promise<string[]> {
    return (await readdir(directory).catch(ignoreMissing)) ?? [];
  }

  return {
    directory,
    read,

    /** Every backup, newest first. Manifests that cannot be read are not among them. */
    async list(): Promise<BackupManifest[]> {
      const ids = (await names()).flatMap((name) => MANIFEST.exec(name)?.[1] ?? []);
      const manifests = await Promise.all(ids.map(read));
      return manifests.filter((manifest) => manifest !== undefined).sort(newestFirst);
    },

    openFile: (manifest: BackupManifest): Readable => createReadStream(at(manifest.file.name)),

    async has(manifest: BackupManifest): Promise<boolean> {
      const found = await stat(at(manifest.file.name)).catch(ignoreMissing);
      return found?.size === manifest.file.bytes;
    },

    pathOf: (manifest: BackupManifest): string => at(manifest.file.name),

    async draft(id: string): Promise<BackupDraft> {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const name = `${id}.${randomBytes(4).toString('hex')}.backup`;
      const path = at(name);
      const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
      const discard = () => rm(path, { force: true });
      return {
        name,
        path,
        stream,
        discard,
        async commit(manifest) {
          await syncPath(path);
          const manifestFile = {
            name: manifestName(id),
            temporary: `${manifestName(id)}.${randomBytes(4).toString('hex')}.tmp`,
            content: `${JSON.stringify(manifest, null, 2)}\n`,
            mode: 0o600,
          };
          if (await writeOnce(directory, manifestFile)) return manifest;
          await discard();
          const winner = await read(id);
          if (winner === undefined) throw new Error(`${at(manifestName(id))} is there and cannot be read`);
          return winner;
        },
      };
    },

    /** The manifest first: from then on it is no backup any more, whatever happens next. */
    async remove(manifest: BackupManifest): Promise<void> {
      await rm(at(manifestName(manifest.id)), { force: true });
      await rm(at(manifest.file.name), { force: true });
    },

    /** Deletes what processes that died have left. @returns the names */
    async removeLeftovers(now: number): Promise<string[]> {
      const all = await names();
      const listed = new Set((await this.list()).map((manifest) => manifest.file.name));
      const removed: string[] = [];
      for (const name of all) {
        if (!/\.(backup|tmp)$/.test(name) || listed.has(name)) continue;
        const found = await stat(at(name)).catch(ignoreMissing);
        if (found === undefined || now - found.mtimeMs < LEFTOVER_AFTER_MS) continue;
        await rm(at(name), { force: true });
        removed.push(name);
      }
      return removed;
    },
  };
}

export type BackupStore = ReturnType<typeof createBackupStore>;

const newestFirst = (a: BackupManifest, b: BackupManifest) => Date.parse(b.createdAt) - Date.parse(a.createdAt);

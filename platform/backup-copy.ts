import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type BackupManifest, parseManifest } from './backup-manifest.ts';
import type { BackupStore } from './backup-store.ts';
import type { S3Client } from './s3-client.ts';

const MANIFEST = /^[0-9a-f-]{36}\.manifest\.json$/;

/** The second place of backups, with the same names as in the folder: file first, manifest last, deleted in reverse. */
export function createBackupCopy(s3: S3Client) {
  async function read(id: string, signal?: AbortSignal): Promise<BackupManifest | undefined> {
    const stored = await s3.get(`${id}.manifest.json`, signal);
    const manifest = stored && parseManifest(await text(stored));
    return manifest?.id === id ? manifest : undefined;
  }

  return {
    read,

    /** Copies a backup of the folder. What a former attempt has brought over already is not sent again. */
    async copyFrom(store: BackupStore, manifest: BackupManifest, signal?: AbortSignal): Promise<void> {
      const { name, bytes } = manifest.file;
      if ((await s3.sizeOf(name, signal)) !== bytes) await s3.putFile(store.pathOf(manifest), name, bytes, signal);
      await s3.put(`${manifest.id}.manifest.json`, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), signal);
    },

    openFile: (manifest: BackupManifest, signal?: AbortSignal): Promise<Readable | undefined> =>
      s3.get(manifest.file.name, signal),

    async list(signal?: AbortSignal): Promise<BackupManifest[]> {
      const found: BackupManifest[] = [];
      for (const key of await s3.list(signal)) {
        if (!MANIFEST.test(key)) continue;
        const manifest = await read(key.slice(0, 36), signal);
        if (manifest) found.push(manifest);
      }
      return found.sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
    },

    async remove(manifest: BackupManifest, signal?: AbortSignal): Promise<void> {
      await s3.delete(`${manifest.id}.manifest.json`, signal);
      await s3.delete(manifest.file.name, signal);
    },
  };
}

export type BackupCopy = ReturnType<typeof createBackupCopy>;

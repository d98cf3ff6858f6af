import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { CHECKPOINT_FILE, type CheckpointPlace } from './checkpoint-folder.ts';
import { createS3Client, type S3Settings } from './s3-client.ts';

/**
 * Checkpoints in a bucket with object lock, in mode COMPLIANCE: until the retention is over nobody can delete a stored
 * version, the account's owner included. Who holds the key can still hide an object behind a marker of deletion or lay a
 * newer version over it, so the OLDEST version of a name is the one that counts.
 *
 * @param settings `retention` in milliseconds
 */
export function createCheckpointBucket(settings: S3Settings & { readonly retention: number }): CheckpointPlace {
  const s3 = createS3Client(settings);

  /**
   * What was read of a version: it cannot change until its retention is over, and a verification asks for every checkpoint
   * of years each hour.
   */
  const contents = new Map<string, string>();
  const versions = new Map<string, string>();

  /** The first version of each name that begins with `start`. */
  async function firstVersions(start: string, signal?: AbortSignal): Promise<Map<string, string>> {
    const first = new Map<string, string>();
    // Newest first within a key: the last one that is seen stays.
    for (const { key, versionId } of await s3.listVersions(start, signal)) {
      if (CHECKPOINT_FILE.test(key)) first.set(key, versionId);
    }
    for (const [name, version] of first) versions.set(name, version);
    return first;
  }

  async function read(name: string, signal?: AbortSignal): Promise<string | undefined> {
    // The first version stays the first one.
    const version = versions.get(name) ?? (await firstVersions(name, signal)).get(name);
    if (version === undefined) return undefined;
    const known = contents.get(version);
    if (known !== undefined) return known;
    const stored = await s3.get(name, signal, version);
    const content = stored && (await text(stored));
    if (content !== undefined) contents.set(version, content);
    return content;
  }

  return {
    name: 'bucket',
    read,

    async list(signal) {
      return [...(await firstVersions('', signal)).keys()].sort();
    },

    async publish(name, content, signal) {
      if (!CHECKPOINT_FILE.test(name)) throw new Error(`${name} is no name of a checkpoint`);
      const body = Buffer.from(content);
      // Behind a marker of deletion the name looks free: what was published first is looked for by its version.
      const before = await read(name, signal);
      if (before !== undefined) return before;
      await s3.create(
        name,
        body,
        {
          'Content-Type': 'text/plain; charset=utf-8',
          'x-amz-object-lock-mode': 'COMPLIANCE',
          'x-amz-object-lock-retain-until-date': new Date(Date.now() + settings.retention).toISOString(),
          // S3 refuses a locked object without one.
          'x-amz-checksum-sha256': createHash('sha256').update(body).digest('base64'),
        },
        signal,
      );
      const stored = await read(name, signal);
      if (stored === undefined) throw new Error(`${name} cannot be read back from the bucket`);
      return stored;
    },
  };
}

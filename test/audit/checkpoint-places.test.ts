import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPublished } from '../../activities/checkpoint-places.ts';
import { createCheckpointBucket } from '../../platform/checkpoint-bucket.ts';
import { createS3Client, type S3Settings } from '../../platform/s3-client.ts';
import { createLockedObjects } from '../backup/s3-object-lock.ts';
import { startS3Server } from '../backup/s3-server.ts';
import { createPublishedLog, nameOf, type PublishedLog } from './checkpoint-fixture.ts';

const DAY_MS = 86_400_000;
const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'a secret/with+signs', region: 'eu-central-1' };
const objects = createLockedObjects();
let storage: Awaited<ReturnType<typeof startS3Server>>;
let settings: S3Settings & { retention: number };
let log: PublishedLog;

beforeAll(async () => {
  storage = await startS3Server(credentials, 'checkpoints', objects);
  settings = {
    ...credentials,
    ...{ endpoint: storage.endpoint, bucket: 'checkpoints', prefix: 'prod/eu-1/', retention: 3650 * DAY_MS },
  };
  log = await createPublishedLog();
});
afterAll(async () => {
  await log?.close();
  await storage.close();
});

const key = (name: string) => `prod/eu-1/${name}`;
const publisher = () => log.publisherWith({ places: [log.place, createCheckpointBucket(settings)] });

describe('the check of a locked bucket in these tests', () => {
  const put = (headers: Record<string, string>, body = Buffer.from('x')) =>
    createLockedObjects().put('k', body, headers).status;
  const locked = {
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + DAY_MS).toISOString(),
  };
  const checksum = (body: string) => createHash('sha256').update(body).digest('base64');

  it('refuses a lock without a checksum, with a wrong one, and one that ends in the past', () => {
    expect(put(locked)).toBe(400);
    expect(put({ ...locked, 'x-amz-checksum-sha256': checksum('y') })).toBe(400);
    expect(put({ ...locked, 'x-amz-checksum-sha256': checksum('x') })).toBe(200);
    const past = { ...locked, 'x-amz-object-lock-retain-until-date': new Date(0).toISOString() };
    expect(put({ ...past, 'x-amz-checksum-sha256': checksum('x') })).toBe(400);
  });
});

describe('a bucket with object lock', () => {
  it('gets every checkpoint, locked in mode COMPLIANCE for as long as is configured', async () => {
    await log.append(1, 2);
    await log.seal();
    expect(await publisher().publish({ trigger: 'schedule' })).toMatchObject({
      ...{ status: 'published', places: { folder: null, bucket: null } },
    });
    const [version, ...others] = objects.versions.get(key(nameOf(0, 2))) ?? [];
    expect(others).toEqual([]);
    expect(version?.body?.toString()).toBe(await log.place.read(nameOf(0, 2)));
    expect((version?.lockedUntil ?? 0) - Date.now()).toBeGreaterThan(3649 * DAY_MS);
  });

  it('does not give a checkpoint away: neither deleting nor writing over it changes what is read', async () => {
    const s3 = createS3Client(settings);
    const name = nameOf(0, 2);
    const original = await log.place.read(name);
    const version = objects.versions.get(key(name))?.[0]?.id ?? '';
    expect(objects.remove(key(name), version).status).toBe(403);
    await s3.put(name, Buffer.from('another'));
    // Each time as a process that has read nothing yet.
    expect(await createCheckpointBucket(settings).read(name)).toBe(original);
    await s3.delete(name);
    expect(await s3.get(name)).toBeUndefined();
    expect(await createCheckpointBucket(settings).read(name)).toBe(original);
    expect(await createCheckpointBucket(settings).list()).toEqual([name]);
    expect(await createCheckpointBucket(settings).publish(name, 'another')).toBe(original);
  });

  it('is asked for a checkpoint once, however often a verification reads them all', async () => {
    const places = [log.place, createCheckpointBucket(settings)];
    const held = log.publisherWith({ places });
    const read: string[] = [];
    const first = await held.evidence({ onRead: () => read.push('one') });
    expect(read).toHaveLength(2);
    // It lies in both places and is one checkpoint.
    expect(first.checkpoints.map(({ size }) => size)).toEqual([2]);
    const before = storage.requests.length;
    expect(await held.evidence()).toMatchObject({ checkpoints: first.checkpoints, fault: null });
    const asked = storage.requests.slice(before);
    expect(asked.length).toBeGreaterThan(0);
    // The list alone, in its pages.
    expect(asked.filter((request) => !request.includes('versions'))).toEqual([]);
  });

  it('refuses a second one under the same name, and says what is there', async () => {
    const bucket = createCheckpointBucket(settings);
    const both = await Promise.all(['one', 'two'].map((content) => bucket.publish(nameOf(0, 999), content)));
    expect(new Set(both).size).toBe(1);
    expect(objects.versions.get(key(nameOf(0, 999)))).toHaveLength(1);
    objects.versions.delete(key(nameOf(0, 999)));
  });

  it('tells of the tail that was cut off in the database and in the folder', async () => {
    await log.asDatabaseAdministrator(async (sql) => {
      await sql('delete from audit_entry where id in (select entry_id from audit_seal where seq >= 1)');
      await sql('delete from audit_seal where seq >= 1');
      await sql('delete from audit_checkpoint');
    });
    rmSync(join(log.folder, nameOf(0, 2)));
    expect(await publisher().publish({ trigger: 'schedule' })).toMatchObject({
      ...{ status: 'refused', reason: 'tail_truncated', place: 'bucket', publishedSize: 2, size: 1 },
    });
  });

  it('that was away gets what it missed', async () => {
    const fresh = await createPublishedLog();
    try {
      const apart = { ...settings, prefix: 'apart/' };
      const both = fresh.publisherWith({ places: [fresh.place, createCheckpointBucket(apart)] });
      storage.failWhile(() => 503);
      for (const n of [1, 2, 3]) {
        await fresh.append(n);
        await fresh.seal();
        expect(await both.publish({ trigger: 'schedule' })).toMatchObject({
          places: { folder: null, bucket: expect.stringContaining('503') },
        });
      }
      storage.failWhile(undefined);
      await both.publish({ trigger: 'schedule' });
      const { published, failures } = await readPublished(both.places);
      expect(failures).toEqual({});
      const of = (place: string) =>
        published.filter((one) => one.place === place).map(({ name, note }) => [name, note]);
      expect(of('folder')).toHaveLength(3);
      expect(of('bucket')).toEqual(of('folder'));
    } finally {
      storage.failWhile(undefined);
      await fresh.close();
    }
  });
});

import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackupCopy } from '../../platform/backup-copy.ts';
import { createS3Client, type S3Settings } from '../../platform/s3-client.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';
import { signatureOf, startS3Server } from './s3-server.ts';

const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'a secret/with+signs', region: 'eu-central-1' };
let storage: Awaited<ReturnType<typeof startS3Server>>;
let settings: S3Settings;
let fixture: BackupFixture;

beforeAll(async () => {
  storage = await startS3Server(credentials, 'backups');
  settings = { ...credentials, endpoint: storage.endpoint, bucket: 'backups', prefix: 'prod/eu-1/' };
  fixture = await createBackupFixture({ backupS3: settings });
});
afterAll(async () => {
  await fixture.dispose();
  await storage.close();
});

describe('the check of signatures in these tests', () => {
  it("agrees with the example in AWS's documentation (GET Object)", () => {
    const payloadHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const headers = {
      host: 'examplebucket.s3.amazonaws.com',
      range: 'bytes=0-9',
      'x-amz-content-sha256': payloadHash,
      'x-amz-date': '20130524T000000Z',
    };
    const url = new URL('https://examplebucket.s3.amazonaws.com/test.txt');
    expect(
      signatureOf(
        { method: 'GET', url, headers, signed: Object.keys(headers), payloadHash },
        { secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', region: 'us-east-1' },
      ),
    ).toBe('f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
  });
});

describe('[B9] a copy in S3-compatible storage', () => {
  it('is made of every backup, the manifest last, under the configured prefix', async () => {
    const manifest = await fixture.backup();
    const puts = storage.requests.filter((line) => line.startsWith('PUT'));
    expect(puts.map((line) => line.split('/').at(-1))).toEqual([manifest.file.name, `${manifest.id}.manifest.json`]);
    expect(storage.objects.get(`prod/eu-1/${manifest.file.name}`)?.length).toBe(manifest.file.bytes);
  });

  it('restores when the folder is lost', async () => {
    const manifest = await fixture.backup();
    rmSync(fixture.settings.backupDir, { recursive: true });
    const id = await fixture.begin('restore_drill');
    await expect(fixture.runner.drill(id, fixture.idle())).resolves.toMatchObject({
      tables: Object.keys(manifest.tables).length,
    });
  });

  it('is refused when somebody altered it there', async () => {
    const manifest = await fixture.backup();
    rmSync(fixture.settings.backupDir, { recursive: true });
    const key = `prod/eu-1/${manifest.file.name}`;
    const bytes = Buffer.from(storage.objects.get(key) ?? '');
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    storage.objects.set(key, bytes);
    await expect(
      fixture.runner.archive.restore(manifest.id, { url: fixture.ownerUrl, singleTransaction: true }, fixture.idle()),
    ).rejects.toMatchObject({ code: 'backup_corrupt' });
  });

  it('that fails leaves a good backup in the folder, and is made up for by the next attempt', async () => {
    const id = await fixture.begin('backup');
    storage.failWhile((method) => (method === 'PUT' ? 503 : undefined));
    await expect(fixture.runner.perform(id, fixture.idle())).rejects.toMatchObject({
      code: 'copy_failed',
      message: expect.stringContaining('503 InternalError'),
    });
    expect(await fixture.runner.store.read(id)).toMatchObject({ id });
    storage.failWhile(undefined);
    const manifest = await fixture.runner.perform(id, fixture.idle());
    expect(storage.objects.has(`prod/eu-1/${manifest.file.name}`)).toBe(true);
    // What is there already is not sent again.
    const before = storage.requests.length;
    await fixture.runner.perform(id, fixture.idle());
    expect(storage.requests.slice(before).filter((line) => line.includes('.backup') && line.startsWith('PUT'))).toEqual(
      [],
    );
  });

  it('[B3] is cleaned up with the same retention, and keeps the last one', async () => {
    const copy = createBackupCopy(createS3Client(settings));
    const all = await copy.list();
    expect(all.length).toBeGreaterThan(2);
    await fixture.runnerWith({ backupRetention: 1 }).cleanUp();
    expect(await copy.list()).toEqual(all.slice(0, 1));
    expect(storage.objects.size).toBe(2);
  });

  it('is refused by the storage under another key, and the message holds no secret', async () => {
    const client = createS3Client({ ...settings, secretAccessKey: 'another secret' });
    const error = await client.put('x', Buffer.from('y')).catch((e: unknown) => e);
    expect(error).toMatchObject({
      name: 'S3Error',
      status: 403,
      message: expect.stringContaining('SignatureDoesNotMatch'),
    });
    expect(String(error)).not.toContain('another secret');
  });

  it('that does not answer is an error of its own', async () => {
    const client = createS3Client({ ...settings, endpoint: 'http://127.0.0.1:1' });
    await expect(client.list()).rejects.toMatchObject({ name: 'S3Error', status: 0 });
  });
});

describe('a large file', () => {
  const content = randomBytes(700_000);
  let path: string;
  const client = () => createS3Client(settings, { partBytes: 100_000 });
  beforeAll(() => {
    mkdirSync(fixture.folder, { recursive: true });
    path = join(fixture.folder, 'large');
    writeFileSync(path, content);
  });

  it('goes over in parts and comes back the same', async () => {
    await client().putFile(path, 'large', content.length);
    expect(storage.requests.filter((line) => line.includes('partNumber='))).toHaveLength(7);
    const stored = await client().get('large');
    expect(stored && (await buffer(stored)).equals(content)).toBe(true);
    expect(storage.uploads.size).toBe(0);
  });

  it('leaves no half upload behind when a part fails', async () => {
    storage.failWhile((_, url) => (url.searchParams.get('partNumber') === '4' ? 500 : undefined));
    await expect(client().putFile(path, 'broken', content.length)).rejects.toMatchObject({ name: 'S3Error' });
    storage.failWhile(undefined);
    expect(storage.uploads.size).toBe(0);
    expect(storage.objects.has('prod/eu-1/broken')).toBe(false);
  });

  it('leaves none behind when it is stopped', async () => {
    const stopping = new AbortController();
    storage.failWhile((_, url) => {
      if (url.searchParams.get('partNumber') === '3') stopping.abort();
      return undefined;
    });
    await expect(client().putFile(path, 'stopped', content.length, stopping.signal)).rejects.toThrow();
    storage.failWhile(undefined);
    expect(storage.uploads.size).toBe(0);
  });
});

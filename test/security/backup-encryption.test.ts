import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createBackupKey, openBackup, openBackupKey, sealBackup } from '../../security/backup-encryption.ts';
import { createKek } from '../../security/kek.ts';

const ID = '019b0000-0000-7000-8000-000000000001';
const OTHER_ID = '019b0000-0000-7000-8000-000000000002';
const CHUNK = 65_536;
const SEALED_CHUNK = CHUNK + 16;
const secret = { raw: randomBytes(32) };
const kek = createKek({ name: 'master', secret });

async function* inParts(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

const seal = async (content: Uint8Array, id = ID) =>
  collect(sealBackup(await createBackupKey(kek, id), inParts(content, 10_000)));
const open = (file: Uint8Array, id = ID, key = kek) => collect(openBackup(key, id, inParts(file, 9_999)));

/** Where the chunks begin. */
const bodyOf = (file: Buffer) => 12 + file.readUInt32BE(8);

describe('an encrypted backup', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17])('gives back %i bytes', async (size) => {
    const content = randomBytes(size);
    expect(await open(await seal(content))).toEqual(content);
  });

  it('opens with nothing but the passphrase', async () => {
    const passphrase = 'a passphrase that is long enough';
    const writer = createKek({ name: 'master', secret: { passphrase }, iterations: 100_000 });
    const file = await collect(sealBackup(await createBackupKey(writer, ID), inParts(Buffer.from('ledger'), 3)));
    const reader = createKek({ name: 'master', secret: { passphrase } });
    expect((await open(file, ID, reader)).toString()).toBe('ledger');
  });

  it('is not opened by another key, and says so', async () => {
    const file = await seal(Buffer.from('ledger'));
    const stranger = createKek({ name: 'master', secret: { raw: randomBytes(32) } });
    await expect(open(file, ID, stranger)).rejects.toMatchObject({ code: 'wrong_key' });
  });

  it('is opened by a previous key', async () => {
    const file = await seal(Buffer.from('ledger'));
    const later = createKek({ name: 'master', secret: { raw: randomBytes(32) }, previous: [secret] });
    expect((await open(file, ID, later)).toString()).toBe('ledger');
  });

  it('shows nothing of its content', async () => {
    const file = await seal(Buffer.from('GRANT SELECT ON TABLE public.app_user'.repeat(100)));
    expect(file.includes('app_user')).toBe(false);
  });

  it('never gives the same bytes twice', async () => {
    const content = Buffer.alloc(1_000);
    const [a, b] = [await seal(content), await seal(content)];
    expect(a.subarray(bodyOf(a)).equals(b.subarray(bodyOf(b)))).toBe(false);
  });
});

describe('a backup file that was tampered with', () => {
  const content = randomBytes(3 * CHUNK + 100);

  it('is refused wherever a bit was turned', async () => {
    const file = await seal(content);
    const places = [
      0,
      7,
      8,
      11,
      12,
      40,
      bodyOf(file) - 2,
      bodyOf(file),
      bodyOf(file) + SEALED_CHUNK - 1,
      file.length - 1,
    ];
    for (let index = 0; index < 40; index += 1) places.push(Math.floor((file.length - 1) * (index / 40)));
    for (const place of places) {
      const altered = Buffer.from(file);
      altered[place] = (altered[place] ?? 0) ^ 0x01;
      await expect(open(altered), `byte ${place}`).rejects.toThrow();
    }
  });

  it('is refused when it ends early, at any boundary and between', async () => {
    const file = await seal(content);
    const body = bodyOf(file);
    for (const length of [
      ...[0, 5, 20, body, body + 1, body + SEALED_CHUNK, body + 2 * SEALED_CHUNK, body + 3 * SEALED_CHUNK],
      file.length - 1,
    ]) {
      await expect(open(file.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({ code: 'corrupt' });
    }
    await expect(open(file.subarray(0, body + SEALED_CHUNK))).rejects.toThrow('ends early');
  });

  it('is refused when something follows its end', async () => {
    const file = await seal(content);
    await expect(open(Buffer.concat([file, Buffer.of(0)]))).rejects.toMatchObject({ code: 'corrupt' });
    const whole = await seal(randomBytes(CHUNK));
    await expect(open(Buffer.concat([whole, whole.subarray(bodyOf(whole))]))).rejects.toThrow('goes on behind its end');
  });

  it('is refused when chunks changed places, were left out or doubled', async () => {
    const file = await seal(content);
    const body = bodyOf(file);
    const chunk = (index: number) => file.subarray(body + index * SEALED_CHUNK, body + (index + 1) * SEALED_CHUNK);
    const head = file.subarray(0, body);
    const orders = [[1, 0, 2, 3], [0, 2, 3], [0, 0, 1, 2, 3], [3], [0, 1, 3, 2]];
    for (const order of orders) {
      const altered = Buffer.concat([head, ...order.map(chunk)]);
      await expect(open(altered), order.join()).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  it('is refused when a chunk or the header comes from another backup under the same key', async () => {
    const [file, other] = [await seal(content), await seal(content)];
    const swapped = Buffer.concat([file.subarray(0, bodyOf(file)), other.subarray(bodyOf(other))]);
    await expect(open(swapped)).rejects.toMatchObject({ code: 'corrupt' });
    await expect(open(await seal(content, OTHER_ID))).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('is refused when its header was written differently, although it says the same', async () => {
    const file = await seal(content);
    const header = file.subarray(12, bodyOf(file)).toString().replace('"v":1,', '"v":1 ,');
    const start = Buffer.from(file.subarray(0, 12));
    start.writeUInt32BE(header.length, 8);
    const rewritten = Buffer.concat([start, Buffer.from(header), file.subarray(bodyOf(file))]);
    await expect(open(rewritten)).rejects.toThrow('altered in chunk 0');
  });

  it('is refused when it is the file of another attempt at the same backup', async () => {
    const [mine, others] = [await createBackupKey(kek, ID), await createBackupKey(kek, ID)];
    const file = await collect(sealBackup(others, inParts(content, 10_000)));
    await expect(collect(openBackup(kek, ID, inParts(file, 9_999), mine.record.wrapped))).rejects.toMatchObject({
      code: 'corrupt',
    });
    expect(await collect(openBackup(kek, ID, inParts(file, 9_999), others.record.wrapped))).toEqual(content);
  });

  it('gives nothing out of a chunk that does not verify', async () => {
    const file = await seal(content);
    const altered = Buffer.from(file);
    altered[bodyOf(file) + SEALED_CHUNK + 5] = (altered[bodyOf(file) + SEALED_CHUNK + 5] ?? 0) ^ 0x80;
    let given = 0;
    await expect(async () => {
      for await (const part of openBackup(kek, ID, inParts(altered, 1_000_000))) given += part.length;
    }).rejects.toThrow('altered in chunk 1');
    expect(given).toBe(CHUNK);
  });
});

describe('the MAC of a manifest', () => {
  it('is that of this backup and this text alone', async () => {
    const key = await createBackupKey(kek, ID);
    const again = await openBackupKey(kek, ID, key.record);
    expect(again.manifestMac('{}')).toEqual(key.manifestMac('{}'));
    expect(key.manifestMac('{ }')).not.toEqual(key.manifestMac('{}'));
    expect((await createBackupKey(kek, ID)).manifestMac('{}')).not.toEqual(key.manifestMac('{}'));
    await expect(openBackupKey(kek, OTHER_ID, key.record)).rejects.toMatchObject({ code: 'wrong_key' });
  });
});

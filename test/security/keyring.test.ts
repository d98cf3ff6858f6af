import { createHmac, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createKek, DEFAULT_KDF_ITERATIONS, type KekSecret, MIN_KDF_ITERATIONS } from '../../security/kek.ts';
import { createKeyring, KEY_PURPOSES, SESSION_PURPOSES, type WrappedKey } from '../../security/keyring.ts';
import { lengthPrefixed } from '../../security/length-prefix.ts';

const SESSION_SECRET = 'session-secret-of-the-test-0123456789';
const iterations = MIN_KDF_ITERATIONS;

function ring(session: KekSecret = { passphrase: SESSION_SECRET }, previous: KekSecret[] = [], maxSeals?: number) {
  return createKeyring({
    keks: {
      session: createKek({ name: 'session', secret: session, previous, iterations }),
      master: createKek({ name: 'master', secret: { raw: Buffer.alloc(32, 7) } }),
    },
    ...(maxSeals === undefined ? {} : { maxSeals }),
  });
}

describe('key wrapping', () => {
  it('opens in another process with the same secrets and gives the same MACs', async () => {
    const first = ring();
    const second = ring();
    for (const purpose of KEY_PURPOSES) {
      const record = JSON.parse(JSON.stringify(await first.generateWrapped(purpose))) as WrappedKey;
      await first.openWrapped(record, { active: true });
      await second.openWrapped(record, { active: true });
      expect(second.hmac(purpose, 'x')).toEqual(first.hmac(purpose, 'x'));
    }
  });

  it('stores salt and rounds with passphrase-wrapped keys only, and never the key', async () => {
    const keyring = ring();
    const session = await keyring.generateWrapped('session');
    const field = await keyring.generateWrapped('field');
    expect(session).toMatchObject({
      kek: 'session',
      version: 1,
      iterations,
      salt: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(field).toMatchObject({ kek: 'master', version: 1 });
    expect(field).not.toHaveProperty('salt');
    expect(Buffer.from(field.wrapped, 'base64url')).toHaveLength(12 + 32 + 16);
  });

  it.each<[string, Partial<WrappedKey>]>([
    ['purpose', { purpose: 'csrf' }],
    ['key id', { keyId: '018f0000-0000-7000-8000-000000000000' }],
    ['version', { version: 2 }],
    ['salt', { salt: Buffer.alloc(16).toString('base64url') }],
    ['iterations', { iterations: iterations + 1 }],
  ])('refuses a record whose %s was altered', async (_, change) => {
    const keyring = ring();
    const record = await keyring.generateWrapped('session');
    await expect(ring().openWrapped({ ...record, ...change }, { active: true })).rejects.toMatchObject({
      code: 'unwrap_failed',
    });
  });

  it('refuses a record of which any byte was altered', async () => {
    const keyring = ring();
    const record = await keyring.generateWrapped('field');
    const bytes = Buffer.from(record.wrapped, 'base64url');
    for (let index = 0; index < bytes.length; index++) {
      const altered = Buffer.from(bytes);
      altered.writeUInt8(altered.readUInt8(index) ^ 1, index);
      await expect(
        keyring.openWrapped({ ...record, wrapped: altered.toString('base64url') }, { active: true }),
      ).rejects.toMatchObject({ code: 'unwrap_failed' });
    }
  });

  it('refuses a record that asks for fewer than 100,000 rounds', async () => {
    const record = await ring().generateWrapped('session');
    await expect(ring().openWrapped({ ...record, iterations: 99_999 }, { active: true })).rejects.toThrow(/iterations/);
    expect(() => createKek({ name: 'session', secret: { passphrase: SESSION_SECRET }, iterations: 99_999 })).toThrow();
    expect(DEFAULT_KDF_ITERATIONS).toBe(600_000);
  });

  it('keeps the two KEKs apart even where both are given one secret', async () => {
    const raw = { raw: Buffer.alloc(32, 7) };
    const { key: session } = await createKek({ name: 'session', secret: raw }).current();
    const { key: master } = await createKek({ name: 'master', secret: raw }).current();
    expect(session.equals(master)).toBe(false);
  });

  it('takes a raw key as bytes or as a KeyObject for the same', async () => {
    const bytes = Buffer.alloc(32, 7);
    const { key: one } = await createKek({ name: 'master', secret: { raw: bytes } }).current();
    const { key: two } = await createKek({ name: 'master', secret: { raw: createSecretKey(bytes) } }).current();
    expect(one.equals(two)).toBe(true);
  });

  it('refuses a master key for a session purpose and the other way round', async () => {
    const record = await ring().generateWrapped('field');
    await expect(ring().openWrapped({ ...record, kek: 'session' }, { active: true })).rejects.toMatchObject({
      code: 'record_invalid',
    });
  });

  it('refuses raw keys that are not 32 bytes and short passphrases', () => {
    expect(() => createKek({ name: 'master', secret: { raw: Buffer.alloc(31) } })).toThrow(/32 bytes/);
    expect(() => createKek({ name: 'master', secret: { raw: createSecretKey(Buffer.alloc(31)) } })).toThrow(/32 bytes/);
    expect(() => createKek({ name: 'session', secret: { passphrase: 'short' } })).toThrow(/16 characters/);
  });
});

describe('changing SESSION_SECRET', () => {
  it('opens old records by the previous secret, says so, and rewraps the same key under the new one', async () => {
    const before = ring();
    const record = await before.generateWrapped('session');
    await before.openWrapped(record, { active: true });

    const newSecret = { passphrase: 'the-secret-that-came-after-0123456789' };
    const between = ring(newSecret, [{ passphrase: SESSION_SECRET }]);
    expect(await between.openWrapped(record, { active: true })).toEqual({ wrappedByPrevious: true });
    const rewrapped = await between.rewrap(record);

    const after = ring(newSecret);
    await expect(after.openWrapped(record, { active: true })).rejects.toMatchObject({ code: 'unwrap_failed' });
    expect(await after.openWrapped(rewrapped, { active: true })).toEqual({ wrappedByPrevious: false });
    expect(after.hmac('session', 'token')).toEqual(before.hmac('session', 'token'));
  });
});

describe('generations', () => {
  it('makes MACs with the active key and verifies with the previous ones until they are forgotten', async () => {
    const keyring = ring();
    const one = await keyring.generateWrapped('session', 1);
    await keyring.openWrapped(one, { active: true });
    const old = keyring.hmac('session', 'token');

    const two = await keyring.generateWrapped('session', 2);
    await keyring.openWrapped(two, { active: true });
    await keyring.openWrapped(one, { active: false });
    expect(keyring.hmac('session', 'token')).not.toEqual(old);
    expect(keyring.hmacVersions('session', 'token').map(({ version }) => version)).toEqual([2, 1]);
    expect(keyring.hmacVersions('session', 'token')[1]?.mac).toEqual(old);

    keyring.forget('session', one.keyId);
    expect(keyring.hmacVersions('session', 'token')).toHaveLength(1);
  });

  it('puts the active key first even when a newer generation is loaded already', async () => {
    const keyring = ring();
    await keyring.openWrapped(await keyring.generateWrapped('session', 1), { active: true });
    await keyring.openWrapped(await keyring.generateWrapped('session', 2), { active: false });
    expect(keyring.hmacVersions('session', 'token').map(({ version }) => version)).toEqual([1, 2]);
  });

  it('keeps an active key while records are reloaded as inactive', async () => {
    const keyring = ring();
    const one = await keyring.generateWrapped('session');
    await keyring.openWrapped(one, { active: true });
    await keyring.openWrapped(one, { active: false });
    expect(keyring.generations('session')).toEqual([{ keyId: one.keyId, version: 1, active: true, seals: 0 }]);
  });

  it('refuses a second generation of the key that transaction ids come from', async () => {
    const keyring = ring();
    const second = await keyring.generateWrapped('transaction-id', 2);
    await expect(keyring.openWrapped(second, { active: true })).rejects.toMatchObject({ code: 'record_invalid' });
  });

  it('turns over exactly the purposes that SESSION_SECRET keys', () => {
    expect(SESSION_PURPOSES).toEqual(['session', 'csrf', 'device-cookie']);
  });

  it('refuses to work without an active key, and to seal beyond the limit of a key', async () => {
    const keyring = ring(undefined, [], 2);
    expect(() => keyring.hmac('session', 'x')).toThrow(expect.objectContaining({ code: 'no_active_key' }));
    await keyring.openWrapped(await keyring.generateWrapped('field'), { active: true });
    keyring.sealingKey('field');
    keyring.sealingKey('field');
    expect(() => keyring.sealingKey('field')).toThrow(expect.objectContaining({ code: 'key_exhausted' }));
  });
});

describe('MACs', () => {
  it('differ between purposes, between parts cut elsewhere, and between numbers of parts', async () => {
    const keyring = ring();
    for (const purpose of ['session', 'csrf'] as const) {
      await keyring.openWrapped(await keyring.generateWrapped(purpose), { active: true });
    }
    const macs = [
      keyring.hmac('session', 'ab', 'c'),
      keyring.hmac('session', 'a', 'bc'),
      keyring.hmac('session', 'abc'),
      keyring.hmac('session', 'abc', ''),
      keyring.hmac('csrf', 'ab', 'c'),
    ];
    expect(new Set(macs.map((mac) => mac.toString('hex'))).size).toBe(macs.length);
  });

  it('are never made with the key that encrypts for the same purpose', async () => {
    const keyring = ring();
    await keyring.openWrapped(await keyring.generateWrapped('field'), { active: true });
    const { key } = keyring.sealingKey('field');
    const underCipherKey = createHmac('sha256', key)
      .update(lengthPrefixed(['x']))
      .digest();
    expect(keyring.hmac('field', 'x')).not.toEqual(underCipherKey);
  });

  it('prefix each part with its length in bytes', () => {
    expect(lengthPrefixed(['é', Buffer.of(1)]).toString('hex')).toBe('00000002c3a90000000101');
  });

  it('refuse text that UTF-8 cannot hold, instead of making two texts equal', () => {
    expect(() => lengthPrefixed(['\ud800'])).toThrow(TypeError);
  });
});

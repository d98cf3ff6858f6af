import { beforeAll, describe, expect, it } from 'vitest';
import type { Keyring } from '../../security/keyring.ts';
import {
  csrfTokenFor,
  emailCodeMac,
  hashToken,
  isOpaqueToken,
  newEmailCode,
  newOpaqueToken,
  secretsEqual,
  tokenHashes,
  transactionIdFor,
  verifyCsrfToken,
  verifyEmailCode,
} from '../../security/tokens.ts';
import { uuidV7, uuidV8 } from '../../security/uuid.ts';
import { keyringFor } from './keyring-fixture.ts';

let keyring: Keyring;
beforeAll(async () => {
  keyring = await keyringFor('session', 'reset-token', 'csrf', 'factor-code', 'transaction-id');
});

describe('opaque tokens', () => {
  it('carry 32 random bytes in base64url', () => {
    const tokens = Array.from({ length: 100 }, newOpaqueToken);
    expect(new Set(tokens).size).toBe(100);
    for (const token of tokens) {
      expect(isOpaqueToken(token)).toBe(true);
      expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    }
    expect(isOpaqueToken('')).toBe(false);
    expect(isOpaqueToken(`${newOpaqueToken()}=`)).toBe(false);
  });

  it('are stored as a keyed hash that is worth nothing for another purpose', () => {
    const token = newOpaqueToken();
    expect(hashToken(keyring, 'session', token)).toHaveLength(32);
    expect(hashToken(keyring, 'session', token)).not.toEqual(hashToken(keyring, 'reset-token', token));
  });

  it('are found by the hash of an earlier key after a rotation', async () => {
    const rotated = await keyringFor('session');
    const token = newOpaqueToken();
    const stored = hashToken(rotated, 'session', token);
    await rotated.openWrapped(await rotated.generateWrapped('session', 2), { active: true });
    expect(hashToken(rotated, 'session', token)).not.toEqual(stored);
    expect(tokenHashes(rotated, 'session', token)).toContainEqual(stored);
  });
});

describe('constant-time comparison', () => {
  it('tells equal from unequal and does not throw on unequal lengths', () => {
    expect(secretsEqual('abc', 'abc')).toBe(true);
    expect(secretsEqual('abc', Buffer.from('abc'))).toBe(true);
    expect(secretsEqual('abc', 'abd')).toBe(false);
    expect(secretsEqual('abc', 'abcd')).toBe(false);
    expect(secretsEqual('', 'a')).toBe(false);
  });
});

describe('e-mailed codes', () => {
  it('are six digits, leading zeros kept, spread evenly', () => {
    const buckets = new Array<number>(10).fill(0);
    for (let n = 0; n < 20_000; n++) {
      const code = newEmailCode();
      expect(code).toMatch(/^\d{6}$/);
      const first = Number(code.charAt(0));
      buckets[first] = (buckets[first] ?? 0) + 1;
    }
    // Expected 2,000 each, standard deviation 42: seven of them never happen by chance.
    for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });

  it('verify for their own challenge only, also after a key rotation', async () => {
    const rotated = await keyringFor('factor-code');
    const mac = emailCodeMac(rotated, { id: 'challenge-1' }, '012345');
    expect(verifyEmailCode(rotated, mac, { id: 'challenge-1' }, '012345')).toBe(true);
    await rotated.openWrapped(await rotated.generateWrapped('factor-code', 2), { active: true });
    expect(verifyEmailCode(rotated, mac, { id: 'challenge-1' }, '012345')).toBe(true);
    expect(verifyEmailCode(rotated, mac, { id: 'challenge-2' }, '012345')).toBe(false);
    expect(verifyEmailCode(rotated, mac, { id: 'challenge-1' }, '012346')).toBe(false);
    const terms = { id: 'challenge-1', terms: 'aa' };
    expect(verifyEmailCode(rotated, mac, terms, '012345')).toBe(false);
    expect(verifyEmailCode(rotated, emailCodeMac(rotated, terms, '012345'), terms, '012345')).toBe(true);
    expect(verifyEmailCode(rotated, emailCodeMac(rotated, terms, '012345'), { ...terms, terms: 'ab' }, '012345')).toBe(
      false,
    );
    expect(verifyEmailCode(rotated, Buffer.alloc(0), { id: 'challenge-1' }, '012345')).toBe(false);
  });
});

describe('CSRF tokens', () => {
  it('belong to one session', () => {
    const token = csrfTokenFor(keyring, 'session-1');
    expect(verifyCsrfToken(keyring, 'session-1', token)).toBe(true);
    expect(verifyCsrfToken(keyring, 'session-2', token)).toBe(false);
    expect(verifyCsrfToken(keyring, 'session-1', '')).toBe(false);
    expect(verifyCsrfToken(keyring, 'session-1', token.slice(1))).toBe(false);
  });
});

describe('derived and random ids', () => {
  it('gives one transaction id for one user, route and key, and another for any other', () => {
    const id = transactionIdFor(keyring, 'user-1', 'POST /api/transactions', 'key-1');
    expect(id).toBe(transactionIdFor(keyring, 'user-1', 'POST /api/transactions', 'key-1'));
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const others = [
      transactionIdFor(keyring, 'user-2', 'POST /api/transactions', 'key-1'),
      transactionIdFor(keyring, 'user-1', 'POST /api/other', 'key-1'),
      transactionIdFor(keyring, 'user-1', 'POST /api/transactions', 'key-2'),
      transactionIdFor(keyring, 'user-', '1POST /api/transactions', 'key-1'),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });

  it('makes UUIDv7 that sort by time: the time of RFC 9562 appendix A.6', () => {
    const id = uuidV7(0x017f22e279b0);
    expect(id).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidV7(0x017f22e279b1) > id).toBe(true);
  });

  it('makes UUIDv8 as RFC 9562 appendix B.2 does from a SHA-256 digest', () => {
    const digest = Buffer.from('5c146b143c524afd938a375d0df1fbf6fe12a66b645f72f6158759387e51f3c8', 'hex');
    expect(uuidV8(digest)).toBe('5c146b14-3c52-8afd-938a-375d0df1fbf6');
    expect(() => uuidV8(Buffer.alloc(15))).toThrow(RangeError);
  });
});

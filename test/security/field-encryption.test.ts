import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { decryptField, encryptField, FieldDecryptionError, fieldKeyId } from '../../security/field-encryption.ts';
import type { Keyring } from '../../security/keyring.ts';
import { maskAccount, maskEmail, maskName, maskSsn, maskTaxId } from '../../security/masks.ts';
import { keyringFor } from './keyring-fixture.ts';

const place = { table: 'profile', column: 'ssn', rowId: '018f2f6e-0000-7000-8000-000000000001' };
let keyring: Keyring;

beforeEach(async () => {
  keyring = await keyringFor('field');
});

describe('field encryption', () => {
  it('gives back any well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decryptField(keyring, encryptField(keyring, text, place), place)).toBe(text);
      }),
    );
  });

  it('takes a nonce once, however many fields are encrypted', () => {
    const nonces = Array.from({ length: 1_000 }, () =>
      Buffer.from(encryptField(keyring, 'same', place), 'base64url').toString('hex', 18, 30),
    );
    expect(new Set(nonces).size).toBe(nonces.length);
  });

  it('[F5] has the documented layout, readable with nothing but AES-256-GCM', () => {
    const token = encryptField(keyring, '123-45-6789', place);
    const bytes = Buffer.from(token, 'base64url');
    const [generation] = keyring.generations('field');
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(bytes).toHaveLength(1 + 1 + 16 + 12 + 11 + 16);
    expect([bytes[0], bytes[1]]).toEqual([1, 1]);
    expect(bytes.subarray(2, 18).toString('hex')).toBe(generation?.keyId.replaceAll('-', ''));
    expect(fieldKeyId(token, place)).toBe(generation?.keyId);

    const parts = [bytes.subarray(0, 1), bytes.subarray(1, 2), bytes.subarray(2, 18), ...Object.values(place)];
    const aad = Buffer.concat(
      parts.flatMap((part) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(Buffer.from(part).length);
        return [length, Buffer.from(part)];
      }),
    );
    const key = keyring.openingKey('field', generation?.keyId ?? '');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(18, 30)).setAAD(aad);
    decipher.setAuthTag(bytes.subarray(-16));
    expect(decipher.update(bytes.subarray(30, -16), undefined, 'utf8') + decipher.final('utf8')).toBe('123-45-6789');
  });

  it('never gives two equal tokens for one value', () => {
    const tokens = Array.from({ length: 1000 }, () => encryptField(keyring, 'same', place));
    expect(new Set(tokens).size).toBe(1000);
  });

  it('throws a typed error for a token of which any single bit was flipped', () => {
    const bytes = Buffer.from(encryptField(keyring, '123-45-6789', place), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => decryptField(keyring, altered.toString('base64url'), place)).toThrow(FieldDecryptionError);
    }
  });

  it.each([
    ['table', { ...place, table: 'users' }],
    ['column', { ...place, column: 'ein' }],
    ['row', { ...place, rowId: '018f2f6e-0000-7000-8000-000000000002' }],
    ['cut between table and column', { ...place, table: 'profiles', column: 'sn' }],
  ])('refuses a token moved to another %s', (_, elsewhere) => {
    const token = encryptField(keyring, '123-45-6789', place);
    expect(() => decryptField(keyring, token, elsewhere)).toThrow(expect.objectContaining({ code: 'not_authentic' }));
  });

  it.each([
    ['plain text', '123-45-6789'],
    ['nothing', ''],
    ['a cut token', 'AQEAAAAAAAAAAAAAAAAA'],
    ['standard base64', 'AQ+/'.repeat(20)],
  ])('refuses %s instead of passing it through', (_, token) => {
    expect(() => decryptField(keyring, token, place)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('refuses another spelling of the same bytes', () => {
    // 10 bytes of text give a last character with unused bits, which a decoder would ignore.
    const token = encryptField(keyring, '1234567890', place);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const other = token.slice(0, -1) + alphabet.charAt(alphabet.indexOf(token.slice(-1)) ^ 1);
    expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(token, 'base64url'));
    expect(() => decryptField(keyring, other, place)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('reads tokens of earlier keys after a rotation, and names a key that is gone', async () => {
    const token = encryptField(keyring, 'old', place);
    const oldKey = fieldKeyId(token, place);
    await keyring.openWrapped(await keyring.generateWrapped('field', 2), { active: true });
    expect(fieldKeyId(encryptField(keyring, 'new', place), place)).not.toBe(oldKey);
    expect(decryptField(keyring, token, place)).toBe('old');
    keyring.forget('field', oldKey);
    expect(() => decryptField(keyring, token, place)).toThrow(expect.objectContaining({ code: 'unknown_key' }));
  });

  it('tells neither token nor value in its errors', () => {
    const token = encryptField(keyring, '123-45-6789', place);
    try {
      decryptField(keyring, token, { ...place, rowId: 'other' });
      expect.unreachable();
    } catch (error) {
      expect(String(error)).toBe('FieldDecryptionError: profile.ssn: not_authentic');
    }
  });

  it('[F12] takes well under a millisecond a field', () => {
    const start = performance.now();
    for (let n = 0; n < 2000; n++) decryptField(keyring, encryptField(keyring, '123-45-6789', place), place);
    expect((performance.now() - start) / 2000).toBeLessThan(1);
  });
});

describe('[F10] masks', () => {
  it.each([
    [maskSsn, '123-45-1234', 'XXX-XX-1234'],
    [maskSsn, '123451234', 'XXX-XX-1234'],
    [maskSsn, '1234', 'XXX-XX-XXXX'],
    [maskAccount, '0123456789', '****6789'],
    [maskAccount, 'DE89 3704 0044 0532 0130 00', '****3000'],
    [maskAccount, '6789', '****'],
    [maskTaxId, '12-3456789', 'XX-XXX6789'],
    [maskEmail, 'paula@example.com', 'p***@example.com'],
    [maskEmail, 'p@example.com', '***@example.com'],
    [maskEmail, 'no address', '****'],
    [maskEmail, '@example.com', '****'],
    [maskName, 'Paula van Example', 'P*** v*** E***'],
    [maskName, ' ', '****'],
    [maskTaxId, '912-70-6789', 'XXX-XX-6789'],
    [maskTaxId, '91-2706789', 'XX-XXX6789'],
    [maskTaxId, '6789', '****'],
  ])('%o shows at most the last four of %s', (mask, value, shown) => {
    expect(mask(value)).toBe(shown);
  });
});

import { createHash, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { entryHmac } from '../helpers/audit-macs.ts';

describe('the audit chain', () => {
  it('is plain SHA-256 that anybody can compute again', () => {
    const sha256 = (...parts: (string | Buffer)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
    const genesis = sha256('tradeguard-log/v1\nhttps://trade.example.com');
    expect(genesisHash('https://trade.example.com')).toEqual(genesis);
    expect(chainHash(genesis, '{"a":1}')).toEqual(sha256(genesis, '{"a":1}'));
    expect(leafHash('{"a":1}')).toEqual(sha256(Buffer.of(0), '{"a":1}'));
  });

  it('uses the leaf hash of RFC 6962: the published value of the empty leaf', () => {
    expect(leafHash('').toString('hex')).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  });

  it('takes an origin of one line and a previous hash of 32 bytes', () => {
    expect(() => genesisHash('')).toThrow(TypeError);
    expect(() => genesisHash('a\nb')).toThrow(TypeError);
    expect(() => chainHash(Buffer.alloc(31), '{}')).toThrow(RangeError);
  });

  it('uses the HMAC-SHA256 of RFC 4231 test case 2 on the entry alone', () => {
    expect(entryHmac(createSecretKey(Buffer.from('Jefe')), 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

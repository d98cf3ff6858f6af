import { createHash, createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createHmacCheck, createSha256 } from '../../security/sha256.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const message = fc.oneof(bytes(300), fc.string({ unit: 'grapheme', maxLength: 300 }));

describe('SHA-256 for many short messages', () => {
  it('is the digest of node:crypto, whatever was hashed before', () => {
    const sha256 = createSha256();
    fc.assert(
      fc.property(bytes(80), message, (prefix, text) => {
        expect(sha256(prefix, text).toString('hex')).toBe(
          createHash('sha256').update(prefix).update(text).digest('hex'),
        );
      }),
    );
  });

  it('takes messages longer than its room, and characters of three bytes', () => {
    for (const text of ['\u20ac'.repeat(5_000), 'x'.repeat(20_000)]) {
      expect(createSha256()(Buffer.alloc(32), text).toString('hex')).toBe(
        createHash('sha256').update(Buffer.alloc(32)).update(text).digest('hex'),
      );
    }
  });
});

describe('the check of HMAC-SHA256', () => {
  it.each([
    // RFC 4231, cases 1, 2, 6 (a key longer than a block).
    ['0b'.repeat(20), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    ['4a656665', 'what do ya want for nothing?', '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
    [
      'aa'.repeat(131),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('holds for the vectors of RFC 4231: key %s', (key, text, mac) => {
    const isMac = createHmacCheck(createSecretKey(Buffer.from(key, 'hex')));
    expect(isMac(text, Buffer.from(mac, 'hex'))).toBe(true);
    expect(isMac(`${text}.`, Buffer.from(mac, 'hex'))).toBe(false);
  });

  it('agrees with createHmac and refuses every other MAC, of every length', () => {
    const key = createSecretKey(Buffer.alloc(32, 5));
    const isMac = createHmacCheck(key);
    fc.assert(
      fc.property(message, fc.nat({ max: 255 }), bytes(64), (text, bit, other) => {
        const mac = createHmac('sha256', key).update(text).digest();
        expect(isMac(text, mac)).toBe(true);
        mac[bit >> 3] = (mac[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(isMac(text, mac)).toBe(false);
        expect(isMac(text, other)).toBe(false);
      }),
    );
  });
});

import { createHash, createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMessageMac, isDigest, PrefixedMessage } from '../../security/prefixed-message.ts';

/** Most are about as long as others; some need more room than there is, which moves all of it. */
const lengths = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 12_000 }));
const messages = fc.array(
  fc.tuple(lengths, fc.nat({ max: 255 })).map(([length, byte]) => Buffer.alloc(length, byte)),
  { minLength: 1, maxLength: 30 },
);

describe('a message behind several prefixes', () => {
  it('has the digests of node:crypto, whatever was hashed before and wherever it lay', () => {
    fc.assert(
      fc.property(
        messages,
        fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 3 }),
        (all, prefixes) => {
          const message = new PrefixedMessage();
          for (const bytes of all) {
            message.take(bytes, 0, bytes.length);
            for (const prefix of prefixes) {
              expect(Buffer.from(message.digest(prefix), 'latin1').toString('hex')).toBe(
                createHash('sha256').update(prefix).update(bytes).digest('hex'),
              );
            }
          }
        },
      ),
    );
  });

  it('has the MAC of node:crypto, and no other is taken for it', () => {
    const key = createSecretKey(Buffer.alloc(32, 7));
    const macOf = createMessageMac(key);
    const message = new PrefixedMessage();
    fc.assert(
      fc.property(messages, fc.nat({ max: 255 }), (all, bit) => {
        for (const bytes of all) {
          message.take(bytes, 0, bytes.length);
          const mac = createHmac('sha256', key).update(bytes).digest();
          expect(isDigest(macOf(message), mac, 0)).toBe(true);
          mac[bit >> 3] = (mac[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(isDigest(macOf(message), mac, 0)).toBe(false);
        }
      }),
    );
  });
});

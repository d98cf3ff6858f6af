import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chainHash, entryHmac, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { sealHmac } from '../../security/audit-seal-mac.ts';
import { canonicalJson, parseCanonicalJson } from '../../security/canonical-json.ts';
import { canonical, type Json, parseCanonical } from '../../verifier/canonical.ts';
import { createEntryHasher, entryMac, genesisOf, sealMac } from '../../verifier/hashes.ts';
import { AUDIT_KEY, blank } from './export-fixture.ts';

/** What the server writes and what the verifier, which shares no line with it, computes. */
describe('server and verifier agree', () => {
  const key = createSecretKey(AUDIT_KEY);

  it('on hashes and MACs of any text', () => {
    const hasher = createEntryHasher();
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 5_000 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (text, prev) => {
          hasher.take(text);
          expect(hasher.chain(Buffer.from(prev).toString('hex'))).toBe(chainHash(prev, text).toString('hex'));
          expect(hasher.leaf()).toBe(leafHash(text).toString('hex'));
          expect(entryMac(key, text)).toBe(entryHmac(key, text).toString('hex'));
        },
      ),
    );
    expect(genesisOf('tradeguard.local/é')).toBe(genesisHash('tradeguard.local/é').toString('hex'));
  });

  it('on the MAC of a seal', () => {
    for (const horizon of [null, '701:705:702,703']) {
      const row = { ...blank(7), prevHash: 'ab'.repeat(32), hash: 'cd'.repeat(32), leafHash: 'ef'.repeat(32), horizon };
      const hashes = {
        prevHash: Buffer.from(row.prevHash, 'hex'),
        hash: Buffer.from(row.hash, 'hex'),
        leafHash: Buffer.from(row.leafHash, 'hex'),
      };
      const theirs = sealHmac(key, { ...row, ...hashes, entryId: row.id, era: String(row.era) });
      expect(sealMac(key, row)).toBe(theirs.toString('hex'));
    }
  });

  it('on what is canonical', () => {
    const isCanonical = (text: string) => {
      try {
        parseCanonicalJson(text);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), fc.boolean(), (json, isSorted) => {
        const value = JSON.parse(json) as Json;
        const text = isSorted ? canonical(value) : json;
        expect(parseCanonical(text) !== undefined, text).toBe(isCanonical(text));
        if (isCanonical(text)) expect(text).toBe(canonicalJson(value));
      }),
      { numRuns: 2_000 },
    );
    for (const text of [
      ...['{"10":1,"9":2}', '{"9":2,"10":1}', '{"b":1,"a":2}', '{"a":1,"a":1}', '{"a":1e0}', '{"a":9007199254740993}'],
      ...[
        '"\\u0000"',
        '"\\ud800"',
        '{"\\ud800":1}',
        '"\\u00e9"',
        '"é"',
        '"\\u001f"',
        '"\\n"',
        '-0',
        '1e21',
        '{"__proto__":1}',
      ],
      ...['', ' 1', '1 ', '[1, 2]', 'nul', `${'['.repeat(64)}${']'.repeat(64)}`, `${'['.repeat(65)}${']'.repeat(65)}`],
      ...['{"\u{1f600}":1,"\ufb33":2}', '{"\ufb33":2,"\u{1f600}":1}'],
    ]) {
      expect(parseCanonical(text) !== undefined, text).toBe(isCanonical(text));
    }
  });
});

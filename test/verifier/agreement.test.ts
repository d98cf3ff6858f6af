import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chainHash, genesisHash, leafHash } from '../../security/audit-chain.ts';
import { canonicalJson } from '../../security/canonical-json.ts';
import { checkpointKey, checkpointName, signCheckpoint } from '../../security/checkpoint.ts';
import { createCompactRange, verifyInclusion } from '../../security/merkle.ts';
import { openNote as openTheirs, parseVerifierKey as parseTheirs, verifierKeyOf } from '../../security/signed-note.ts';
import { canonical, type Json, parseCanonical } from '../../verifier/canonical.ts';
import { checkpointName as nameOf, parseCheckpoint } from '../../verifier/checkpoint.ts';
import { createEntryHasher, entryMac, genesisOf, sealMac } from '../../verifier/hashes.ts';
import { openNote, parseVerifierKey } from '../../verifier/note.ts';
import { createSubtrees, isIncluded, rootOf, subtreesOf } from '../../verifier/tree.ts';
import { entryHmac, sealHmac } from '../helpers/audit-macs.ts';
import { AUDIT_KEY, blank, checkpoint, inclusion, log, ORIGIN, root, signer } from './export-fixture.ts';

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
        return canonicalJson(JSON.parse(text)) === text;
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
      { numRuns: 500 },
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

  it('on checkpoints, their signatures and their keys', () => {
    const { privateKey, publicKey } = checkpointKey({ auditKey: key });
    const vkey = verifierKeyOf(ORIGIN, publicKey);
    const mine = parseVerifierKey(vkey);
    expect(mine).toMatchObject({ name: ORIGIN, vkey });
    const [root, head] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const common = { origin: ORIGIN, size: 257, root, head, time: '2026-01-01T00:00:00.000001Z' };
    for (const given of [
      { ...common, fork: 0, restored: null },
      { ...common, fork: 3, restored: { kept: 100, lost: 300 } },
    ]) {
      const opened = openNote(signCheckpoint(given, privateKey), mine === null ? [] : [mine]);
      expect(opened).toMatchObject({ problem: null, signers: [{ vkey }] });
      const read = parseCheckpoint(opened.text ?? '');
      expect(read).toEqual({ ...given, root: root.toString('hex'), head: head.toString('hex') });
      expect(read === null ? '' : nameOf(read)).toBe(checkpointName(given));
    }
    // And the server reads what the tests' own exports hold.
    const { text } = checkpoint(log(5), 5);
    expect(openTheirs(text, [parseTheirs(signer().vkey)]).signedBy).toEqual([ORIGIN]);
  });

  it('on roots and proofs of every tree of up to 40 leaves', () => {
    const leaves = log(40).map(({ leafHash }) => leafHash);
    const theirs = createCompactRange();
    const ours = createSubtrees();
    for (let size = 0; size <= leaves.length; size += 1) {
      const expected = root(leaves.slice(0, size));
      expect(theirs.root().toString('hex')).toBe(expected);
      expect(ours.root()).toBe(expected);
      const hashes = theirs.hashes().map((hash) => hash.toString('hex'));
      expect(subtreesOf(size, hashes)?.map(({ hash }) => hash)).toEqual(hashes);
      expect(rootOf(hashes)).toBe(expected);
      for (let index = 0; index < size; index += 1) {
        const proof = inclusion(index, leaves.slice(0, size));
        const claim = { leaf: leaves[index] as string, index, size, root: expected, proof };
        expect(isIncluded(claim)).toBe(true);
        const bytes = (hex: string) => Buffer.from(hex, 'hex');
        verifyInclusion({ ...claim, leaf: bytes(claim.leaf), root: bytes(expected), proof: proof.map(bytes) });
        for (const [at] of proof.entries()) {
          const mutated = proof.with(at, 'ab'.repeat(32));
          expect(isIncluded({ ...claim, proof: mutated })).toBe(false);
          expect(isIncluded({ ...claim, proof: proof.toSpliced(at, 1) })).toBe(false);
        }
        expect(isIncluded({ ...claim, proof: [...proof, expected] })).toBe(false);
        expect(isIncluded({ ...claim, index: size })).toBe(false);
      }
      const leaf = leaves[size];
      if (leaf === undefined) break;
      theirs.push(Buffer.from(leaf, 'hex'));
      ours.push({ level: 0, index: size, hash: leaf });
    }
  });
});

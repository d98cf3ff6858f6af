import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash as serverLeaf } from '../../security/audit-chain.ts';
import { type Checkpoint, signCheckpoint } from '../../security/checkpoint.ts';
import {
  consistencyRanges,
  createCompactRange,
  foldSubtrees,
  inclusionRanges,
  type LeafRange,
  perfectSubtrees,
} from '../../security/merkle.ts';
import { signNote, verifierKeyOf } from '../../security/signed-note.ts';
import { fromHex, toHex } from '../../web/audit-proof/bytes.ts';
import { parseVerifierKey } from '../../web/audit-proof/checkpoint.ts';
import { checkGrowth, checkInclusion, type InclusionAnswer, verdictOf } from '../../web/audit-proof/checks.ts';
import { leafHash, rootOfInclusion, rootsOfConsistency } from '../../web/audit-proof/merkle.ts';

const ORIGIN = 'tradeguard.local/0199aa00-0000-4000-8000-000000000001';
const MAX = 70;
const entries = Array.from({ length: MAX }, (_, seq) => JSON.stringify({ id: `entry-${seq}`, details: { n: 'ü€😀' } }));
const leaves = entries.map(serverLeaf);

/** The hash of a run of leaves, by the server's code. */
function hashOf({ begin, end }: LeafRange): Buffer {
  const range = createCompactRange({ begin });
  for (const leaf of leaves.slice(begin, end)) range.push(leaf);
  return foldSubtrees(range.hashes());
}
const rootAt = (size: number) => hashOf({ begin: 0, end: size });
const inclusionOf = (index: number, size: number) =>
  inclusionRanges(index, size).map((range) => hashOf(range).toString('base64'));
const consistencyOf = (from: number, to: number) =>
  consistencyRanges(from, to).map((range) => hashOf(range).toString('base64'));

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = verifierKeyOf(ORIGIN, publicKey);
const checkpointOf = (size: number, given: Partial<Checkpoint> = {}, signer: KeyObject = privateKey) => ({
  key,
  note: signCheckpoint(
    {
      ...{ origin: ORIGIN, size, root: rootAt(size), head: Buffer.alloc(32, 7), time: '2026-11-25T18:00:00.123456Z' },
      ...{ fork: 0, restored: null, ...given },
    },
    signer,
  ),
});
const answerOf = (seq: number, size: number): InclusionAnswer => ({
  ...{ seq, size, leafHash: leaves[seq]?.toString('hex') ?? '', root: rootAt(size).toString('hex') },
  ...{ proof: inclusionOf(seq, size), entry: entries[seq] ?? '', archivedIn: null },
});
const stateOf = async (...given: Parameters<typeof checkInclusion>) => verdictOf(await checkInclusion(...given));
const flipped = (base64: string, bit: number): string => {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  return bytes.toString('base64');
};

describe('the tree, computed in the browser', () => {
  it('has the leaves of the server and, for every entry of every size up to 70, leads to its root', async () => {
    expect(perfectSubtrees(0, MAX).length).toBeGreaterThan(2);
    for (const [seq, text] of entries.entries()) {
      expect(toHex(await leafHash(text))).toBe(leaves[seq]?.toString('hex'));
    }
    for (let size = 1; size <= MAX; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const leaf = fromHex(leaves[index]?.toString('hex') ?? '');
        const { root, steps } = await rootOfInclusion({ leaf, index, size, proof: inclusionOf(index, size) });
        expect(toHex(root)).toBe(rootAt(size).toString('hex'));
        expect(steps).toHaveLength(inclusionRanges(index, size).length);
      }
    }
  });

  it('finds both roots of a log that grew, for all sizes up to 40', async () => {
    for (let to = 1; to <= 40; to += 1) {
      for (let from = 1; from <= to; from += 1) {
        const root1 = fromHex(rootAt(from).toString('hex'));
        const { older, newer } = await rootsOfConsistency({
          ...{ size1: from, root1, size2: to, proof: consistencyOf(from, to) },
        });
        expect([toHex(older), toHex(newer)]).toEqual([rootAt(from).toString('hex'), rootAt(to).toString('hex')]);
      }
    }
  });
});

describe('the check of an entry', () => {
  it('is passed with a checkpoint that covers it, and open without one', async () => {
    for (const [seq, size] of [
      [0, 1],
      [0, 70],
      [69, 70],
      [37, 64],
    ] as const) {
      const asked = { seq, id: `entry-${seq}` };
      const checks = await checkInclusion(asked, answerOf(seq, size), checkpointOf(size));
      expect(checks.map(({ state, because }) => because ?? state)).toEqual(['passed', 'passed', 'passed']);
      expect(await stateOf(asked, answerOf(seq, size), null)).toBe('open');
    }
  });

  it('is open for an entry in cold storage, and failed for one that is gone', async () => {
    const archived = { ...answerOf(5, 64), entry: null, archivedIn: { month: '2026-07' } };
    expect(await stateOf({ seq: 5 }, archived, checkpointOf(64))).toBe('open');
    expect(await stateOf({ seq: 5 }, { ...archived, archivedIn: null }, checkpointOf(64))).toBe('failed');
  });

  const signed = checkpointOf(64);
  const sound = answerOf(37, 64);
  const swapped = (at: number) => [
    ...sound.proof.slice(0, at),
    sound.proof[at + 1] as string,
    sound.proof[at] as string,
    ...sound.proof.slice(at + 2),
  ];
  const body = signed.note.slice(0, signed.note.lastIndexOf('\n\n') + 1);
  const signedBy = (text: string, name = ORIGIN) => ({ key, note: signNote(text, { name, privateKey }) });
  const other = generateKeyPairSync('ed25519');
  const shorter = { ...sound, size: 63 };
  const refused: Record<string, () => Promise<unknown>> = {
    'another text': () => stateOf({ seq: 37 }, { ...sound, entry: sound.entry?.replace('€', '$') ?? '' }, signed),
    'another text with its own leaf': async () => {
      const entry = sound.entry?.replace('€', '$') ?? '';
      return stateOf({ seq: 37 }, { ...sound, entry, leafHash: serverLeaf(entry).toString('hex') }, signed);
    },
    'half a character': () => stateOf({ seq: 37 }, { ...sound, entry: '\ud83d' }, signed),
    'another entry of the same log': () => stateOf({ seq: 37 }, answerOf(36, 64), signed),
    'another entry under this number': () => stateOf({ seq: 37 }, { ...answerOf(36, 64), seq: 37 }, signed),
    'another entry than was shown': () => stateOf({ seq: 37, id: 'entry-36' }, sound, signed),
    'no hashes': () => stateOf({ seq: 37 }, { ...sound, proof: [] }, signed),
    'a hash too few': () => stateOf({ seq: 37 }, { ...sound, proof: sound.proof.slice(1) }, signed),
    'a hash too many': () => stateOf({ seq: 37 }, { ...sound, proof: [...sound.proof, sound.proof[0] ?? ''] }, signed),
    'hashes in another order': () => stateOf({ seq: 37 }, { ...sound, proof: swapped(2) }, signed),
    'a short hash': () => stateOf({ seq: 37 }, { ...sound, proof: ['AAAA', ...sound.proof.slice(1)] }, signed),
    'no base64': () => stateOf({ seq: 37 }, { ...sound, proof: ['*', ...sound.proof.slice(1)] }, signed),
    'base64 that is not as it is written': () =>
      stateOf({ seq: 37 }, { ...sound, proof: sound.proof.map((hash) => `${hash}\n`) }, signed),
    'a thousand hashes': () => stateOf({ seq: 37 }, { ...sound, proof: Array(1000).fill(sound.proof[0]) }, signed),
    'the size of another tree': () => stateOf({ seq: 37 }, shorter, signed),
    'a checkpoint of another size': () => stateOf({ seq: 37 }, sound, checkpointOf(63)),
    'a size beyond numbers': () => stateOf({ seq: 37 }, { ...sound, size: 2 ** 60 }, signed),
    'an entry beyond the tree': () => stateOf({ seq: 64 }, { ...sound, seq: 64 }, signed),
    'a root that the checkpoint does not sign': () =>
      stateOf({ seq: 37 }, sound, checkpointOf(64, { root: Buffer.alloc(32, 1) })),
    'a checkpoint of another key': () =>
      stateOf({ seq: 37 }, sound, { key, note: checkpointOf(64, {}, other.privateKey).note }),
    'a key of another name': () =>
      stateOf({ seq: 37 }, sound, { note: signed.note, key: verifierKeyOf('elsewhere', publicKey) }),
    'a key that is none': () => stateOf({ seq: 37 }, sound, { note: signed.note, key: 'a+b+c' }),
    'a key with the id of another': () =>
      stateOf({ seq: 37 }, sound, { note: signed.note, key: key.replace(/\+[0-9a-f]{8}\+/, '+00000000+') }),
    'no note': () => stateOf({ seq: 37 }, sound, { key, note: '' }),
    'a note without signatures': () => stateOf({ seq: 37 }, sound, { key, note: `${body}\n` }),
    'another size in a signed text': () =>
      stateOf({ seq: 37 }, shorter, { key, note: signed.note.replace('\n64\n', '\n63\n') }),
    'a signed note that is no checkpoint': () => stateOf({ seq: 37 }, sound, signedBy('hello\n')),
    'a checkpoint of another log, signed by this one': () =>
      stateOf({ seq: 37 }, sound, signedBy(body.replace(ORIGIN, 'another.log/1'))),
  };
  for (const [what, verdict] of Object.entries(refused)) {
    it(`is failed by ${what}`, async () => {
      // The unchanged one passes: what fails is what was changed.
      expect(await stateOf({ seq: 37, id: 'entry-37' }, sound, signed)).toBe('passed');
      expect(await verdict()).toBe('failed');
    });
  }

  it('says which of the three is wrong', async () => {
    const states = async (...given: Parameters<typeof checkInclusion>) =>
      (await checkInclusion(...given)).map(({ state }) => state);
    const entry = sound.entry?.replace('€', '$') ?? '';
    expect(await states({ seq: 37 }, { ...sound, entry }, signed)).toEqual(['failed', 'failed', 'passed']);
    // A proof of nothing but the leaf: what is shown is still another text than what was sealed.
    expect(await states({ seq: 37 }, { ...sound, proof: [] }, signed)).toEqual(['passed', 'failed', 'passed']);
    // The root is right, and nobody says so: it is only what the server says.
    expect(await states({ seq: 37 }, sound, { note: signed.note, key: 'a+b+c' })).toEqual([
      'passed',
      'passed',
      'failed',
    ]);
    await expect(parseVerifierKey(key.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).rejects.toThrow(
      /not that of its bytes/,
    );
  });

  it('is failed by any bit that is changed in any hash of the proof', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sound.proof.length - 1 }), fc.nat({ max: 255 }), async (at, bit) => {
        const proof = sound.proof.map((hash, place) => (place === at ? flipped(hash, bit) : hash));
        expect(await stateOf({ seq: 37 }, { ...sound, proof }, signed)).toBe('failed');
      }),
    );
  });

  it('is failed by any character that is changed in the checkpoint', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: signed.note.length - 1 }),
        fc.constantFrom('A', '7', '+', '\n', 'ä'),
        async (at, letter) => {
          fc.pre(signed.note[at] !== letter);
          const note = signed.note.slice(0, at) + letter + signed.note.slice(at + 1);
          expect(await stateOf({ seq: 37 }, sound, { key, note })).toBe('failed');
        },
      ),
    );
  });
});

describe('the check of two checkpoints', () => {
  const growth = (from: number, to: number) => ({ from, to, proof: consistencyOf(from, to) });
  const verdict = async (...given: Parameters<typeof checkGrowth>) => verdictOf(await checkGrowth(...given));

  it('is passed where the later one continues the earlier one', async () => {
    for (const [from, to] of [
      [1, 70],
      [64, 70],
      [37, 64],
      [70, 70],
      [3, 7],
    ] as const) {
      expect(await verdict(checkpointOf(from), checkpointOf(to), growth(from, to))).toBe('passed');
    }
  });

  it('is failed by a rewritten past, a proof of other sizes, and any other length of it', async () => {
    const [older, newer, sound] = [checkpointOf(37), checkpointOf(64), growth(37, 64)];
    const rewritten = checkpointOf(37, { root: Buffer.alloc(32, 1) });
    expect(await verdict(rewritten, newer, sound)).toBe('failed');
    expect(await verdict(older, checkpointOf(64, { root: Buffer.alloc(32, 1) }), sound)).toBe('failed');
    expect(await verdict(older, newer, growth(36, 64))).toBe('failed');
    expect(await verdict(newer, older, sound)).toBe('failed');
    expect(await verdict(older, newer, { ...sound, proof: sound.proof.slice(1) })).toBe('failed');
    expect(await verdict(older, newer, { ...sound, proof: [...sound.proof, sound.proof[0] as string] })).toBe('failed');
    expect(await verdict(older, newer, { ...sound, proof: [sound.proof[0] as string, ...sound.proof] })).toBe('failed');
    expect(await verdict({ ...older, note: older.note.replace('\n37\n', '\n38\n') }, newer, sound)).toBe('failed');
    // Two signed roots of one size.
    expect(await verdict(checkpointOf(64, { root: Buffer.alloc(32, 1) }), newer, growth(64, 64))).toBe('failed');
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: sound.proof.length - 1 }), fc.nat({ max: 255 }), async (at, bit) => {
        const proof = sound.proof.map((hash, place) => (place === at ? flipped(hash, bit) : hash));
        expect(await verdict(older, newer, { ...sound, proof })).toBe('failed');
      }),
    );
  });

  it('says where a restore gave up what the earlier one signed', async () => {
    const lost = checkpointOf(37, { root: Buffer.alloc(32, 1) });
    const restored = checkpointOf(64, { fork: 1, restored: { kept: 30, lost: 37 } });
    const checks = await checkGrowth(lost, restored, growth(37, 64));
    expect(checks.at(-1)).toMatchObject({
      state: 'failed',
      because: expect.stringContaining('backup with 30 entries'),
    });
    // What was kept still has to be continued.
    expect(await verdict(checkpointOf(30), restored, growth(30, 64))).toBe('passed');
  });
});

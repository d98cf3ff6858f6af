import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { leafHash } from '../../security/audit-chain.ts';
import {
  consistencyRanges,
  createCompactRange,
  emptyRoot,
  inclusionRanges,
  MerkleError,
  nodeHash,
  perfectSubtrees,
  verifyConsistency,
  verifyInclusion,
} from '../../security/merkle.ts';
import { createMerkleTile } from '../../security/merkle-tile.ts';
import { naiveConsistency, naiveInclusion, naiveRoot } from './naive-merkle.ts';

const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const LEAVES = Array.from({ length: 70 }, (_, n) => leafHash(`entry ${n}`));
/** By size, one leaf beyond those that proofs are made for. */
const wholeRoots = Array.from({ length: LEAVES.length + 2 }, (_, size) =>
  naiveRoot([...LEAVES, leafHash('one more')].slice(0, size)),
);

const rootOf = (size: number) => naiveRoot(LEAVES.slice(0, size));
const hashOf = ({ begin, end }: { begin: number; end: number }) => naiveRoot(LEAVES.slice(begin, end));

/** The inputs of the transparency community's tests, hashed as leaves. */
const KNOWN_LEAVES = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'],
].map((input) => sha256(Buffer.of(0), Buffer.from(input, 'hex')));
/** The first eight digits. */
const knownHash = ({ begin, end }: { begin: number; end: number }) =>
  `${naiveRoot(KNOWN_LEAVES.slice(begin, end)).toString('hex').slice(0, 8)}…`;

/** Every way in which a proof can be a little wrong. */
function mutations(proof: readonly Buffer[]): Buffer[][] {
  const flipped = proof.map((hash, at) =>
    proof.map((other, index) =>
      index === at ? Buffer.from(hash.map((byte, n) => (n === 7 ? byte ^ 1 : byte))) : other,
    ),
  );
  const dropped = proof.map((_, at) => proof.filter((__, index) => index !== at));
  const swapped = proof.slice(1).map((_, at) => {
    const changed = [...proof];
    [changed[at], changed[at + 1]] = [proof[at + 1] as Buffer, proof[at] as Buffer];
    return changed;
  });
  return [
    ...flipped,
    ...dropped,
    ...swapped,
    ...proof.map((hash, at) => proof.with(at, hash.subarray(1))),
    ...proof.map((hash, at) => proof.with(at, Buffer.concat([hash, hash]))),
    [...proof, emptyRoot],
    [emptyRoot, ...proof],
    [...proof, Buffer.alloc(0)],
    ...proof.map((hash) => [...proof, hash]),
  ];
}

describe('the Merkle tree', () => {
  it.each([1, 3, 6])(
    'has the same subtrees in a tile of 2^%i leaves, however full it is and after others',
    (levels) => {
      const tile = createMerkleTile(levels);
      for (let round = 0; round < 2; round += 1) {
        for (let size = 0; ; size += 1) {
          const expected = perfectSubtrees(0, size).map(({ level, index }) =>
            hashOf({ begin: index * 2 ** level, end: (index + 1) * 2 ** level }),
          );
          expect([tile.hashes(), tile.isFull()]).toEqual([expected, size === 2 ** levels]);
          if (tile.isFull()) break;
          tile.push(Buffer.concat([Buffer.alloc(5), LEAVES[size] as Buffer]), 5);
        }
        tile.empty();
      }
    },
  );

  it('hashes the leaves of the transparency community to their published roots', () => {
    const roots = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const range = createCompactRange();
    expect(range.root().toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    for (const [at, leaf] of KNOWN_LEAVES.entries()) {
      range.push(leaf);
      expect(range.root().toString('hex')).toBe(roots[at]);
    }
  });

  it('has the same root from a compact range as by its definition, at every size', () => {
    const range = createCompactRange();
    expect(range.root()).toEqual(rootOf(0));
    for (const [at, leaf] of LEAVES.entries()) {
      range.push(leaf);
      expect(range.root()).toEqual(rootOf(at + 1));
      expect(createCompactRange({ end: at + 1, hashes: range.hashes() }).root()).toEqual(rootOf(at + 1));
    }
  });

  it('is put together from ranges that were hashed apart, wherever it is cut', () => {
    for (let first = 0; first <= 40; first += 1) {
      for (let second = first; second <= 40; second += 1) {
        const parts = [
          { begin: 0, end: first },
          { begin: first, end: second },
          { begin: second, end: 40 },
        ].map(({ begin, end }) => {
          const part = createCompactRange({ begin });
          for (const leaf of LEAVES.slice(begin, end)) part.push(leaf);
          expect(part.hashes()).toHaveLength(perfectSubtrees(begin, end).length);
          return { begin, end, hashes: part.hashes() };
        });
        const whole = createCompactRange();
        for (const part of parts) whole.append(part);
        expect(whole.root()).toEqual(rootOf(40));
      }
    }
    expect(() => createCompactRange().append({ begin: 1, end: 2, hashes: [LEAVES[1] as Buffer] })).toThrow(RangeError);
    expect(() => createCompactRange({ begin: 1 }).root()).toThrow(RangeError);
    expect(() => createCompactRange({ end: 3, hashes: [emptyRoot] })).toThrow(RangeError);
  });

  it('proves every leaf of every tree by the hashes that RFC 9162 names, and by no others', () => {
    for (let size = 1; size <= LEAVES.length; size += 1) {
      const root = rootOf(size);
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionRanges(index, size).map(hashOf);
        expect(proof).toEqual(naiveInclusion(index, LEAVES.slice(0, size)));
        const claim = { leaf: LEAVES[index] as Buffer, index, size, root, proof };
        verifyInclusion(claim);
        if (size > 20 && index % 5 > 0) continue;
        for (const mutated of mutations(proof)) {
          expect(() => verifyInclusion({ ...claim, proof: mutated })).toThrow(MerkleError);
        }
        for (const wrong of [
          { index: index + 1 },
          { index: index - 1 },
          { index: size },
          { size: 0 },
          { size: size * 2 },
          { size: size - 1, root: rootOf(size - 1) },
          { size: size + 1, root: wholeRoots[size + 1] as Buffer },
          { leaf: emptyRoot },
          { leaf: Buffer.concat([claim.leaf, claim.leaf]) },
          { root: nodeHash(root, root) },
          { index: 0.5 },
        ]) {
          expect(() => verifyInclusion({ ...claim, ...wrong })).toThrow(MerkleError);
        }
      }
    }
  });

  it('proves every growth by the hashes that RFC 9162 names, and by no others', () => {
    for (let size2 = 1; size2 <= LEAVES.length; size2 += 1) {
      for (let size1 = 1; size1 <= size2; size1 += 1) {
        const proof = size1 === size2 ? [] : consistencyRanges(size1, size2).map(hashOf);
        expect(proof).toEqual(naiveConsistency(size1, LEAVES.slice(0, size2)));
        const claim = { size1, root1: rootOf(size1), size2, root2: rootOf(size2), proof };
        verifyConsistency(claim);
        if (size2 > 20 && size1 % 5 > 0) continue;
        for (const mutated of mutations(proof)) {
          expect(() => verifyConsistency({ ...claim, proof: mutated })).toThrow(MerkleError);
        }
        for (const wrong of [
          { size1: size1 + 1 },
          { size1: size1 - 1 },
          { size2: size1 - 1 },
          { size1: size1 - 1, root1: rootOf(size1 - 1) },
          { size2: size2 + 1, root2: wholeRoots[size2 + 1] as Buffer },
          { root1: emptyRoot },
          ...(size1 === size2 ? [] : [{ root1: claim.root2, root2: claim.root1 }]),
          { root2: emptyRoot },
          { size1: size1 + 0.5 },
        ]) {
          expect(() => verifyConsistency({ ...claim, ...wrong })).toThrow(MerkleError);
        }
      }
    }
  });

  it.each([
    [0, 8, ['96a296d2…', '5f083f0a…', '6b47aaf2…']],
    [5, 8, ['bc1a0643…', 'ca854ea1…', 'd37ee418…']],
    [2, 3, ['fac54203…']],
    [1, 5, ['6e340b9c…', '5f083f0a…', 'bc1a0643…']],
  ])('proves leaf %i of %i of the transparency community by the published hashes', (index, size, published) => {
    expect(inclusionRanges(index, size).map(knownHash)).toEqual(published);
  });

  it.each([
    [1, 8, ['96a296d2…', '5f083f0a…', '6b47aaf2…']],
    [6, 8, ['0ebc5d34…', 'ca854ea1…', 'd37ee418…']],
    [2, 5, ['5f083f0a…', 'bc1a0643…']],
    [6, 7, ['0ebc5d34…', 'b08693ec…', 'd37ee418…']],
  ])('proves their growth from %i to %i leaves by the published hashes', (from, to, published) => {
    expect(consistencyRanges(from, to).map(knownHash)).toEqual(published);
  });

  it.each([
    [0, 0],
    [3, 3],
    [-1, 3],
    [0.5, 3],
  ])('has no path to leaf %d of %d', (index, size) => {
    expect(() => inclusionRanges(index, size)).toThrow(MerkleError);
  });

  it.each([
    [0, 3],
    [4, 3],
    [-1, 3],
    [1.5, 3],
  ])('does not grow from %d to %d leaves', (from, to) => {
    expect(() => consistencyRanges(from, to)).toThrow(MerkleError);
  });

  it('is made of hashes of 32 bytes only', () => {
    const hash = LEAVES[0] as Buffer;
    for (const other of [hash.subarray(1), Buffer.concat([hash, Buffer.of(0)]), Buffer.alloc(0)]) {
      expect(() => nodeHash(other, hash)).toThrow(MerkleError);
      expect(() => nodeHash(hash, other)).toThrow(MerkleError);
    }
  });

  it('is addressed exactly beyond 32 bits', () => {
    expect(inclusionRanges(2 ** 40, 2 ** 40 + 1)).toEqual([{ begin: 0, end: 2 ** 40 }]);
    expect(perfectSubtrees(0, 2 ** 40 + 2 ** 33 + 1)).toEqual([
      { level: 40, index: 0 },
      { level: 33, index: 2 ** 7 },
      { level: 0, index: 2 ** 40 + 2 ** 33 },
    ]);
  });

  it('lets an empty tree prove nothing', () => {
    expect(() => verifyConsistency({ size1: 0, root1: emptyRoot, size2: 3, root2: rootOf(3), proof: [] })).toThrow(
      /does not continue/,
    );
    expect(() => verifyConsistency({ size1: 0, root1: emptyRoot, size2: 0, root2: emptyRoot, proof: [] })).toThrow(
      MerkleError,
    );
    expect(() => verifyInclusion({ leaf: emptyRoot, index: 0, size: 0, root: emptyRoot, proof: [] })).toThrow(
      MerkleError,
    );
  });
});

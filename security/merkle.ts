import { hash as digest } from 'node:crypto';

const HASH_BYTES = 32;
/** RFC 9162 section 2.1.1: the byte before two children, so that no inner node can pass for a leaf. */
const NODE_PREFIX = 1;

/** A proof that does not prove. The message says what is wrong with it. */
export class MerkleError extends Error {
  override readonly name = 'MerkleError';
}

/** The root of a tree without leaves: the SHA-256 of nothing (RFC 9162 section 2.1.1). */
export const emptyRoot: Buffer = digest('sha256', '', 'buffer');

/** `SHA-256(0x01 ‖ left ‖ right)` (RFC 9162 section 2.1.1). @throws MerkleError when one of them has not 32 bytes */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  // Of a longer left one the right one would hide the end, and a shorter one would leave a gap.
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) throw new MerkleError('a hash has 32 bytes');
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  // As text and back: a buffer from node:crypto itself takes more than twice as long.
  return Buffer.from(digest('sha256', node, 'binary'), 'binary');
}

const node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** A run of leaves, `end` exclusive, whose number is a power of two and which begins at a multiple of it. */
export interface Subtree {
  /** The tree has `2 ** level` leaves. */
  readonly level: number;
  /** It covers the leaves from `index * 2 ** level` on. */
  readonly index: number;
}

/** The fewest perfect subtrees that cover the leaves from `begin` to `end` (exclusive), from left to right. */
export function perfectSubtrees(begin: number, end: number): Subtree[] {
  const found: Subtree[] = [];
  for (let at = begin; at < end; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level += 1;
    found.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return found;
}

/**
 * Leaves from `begin` on, kept as the hashes of their perfect subtrees: about two for each binary digit, however many
 * leaves there are. Ranges that adjoin are put together by {@link CompactRange.append}, so parts of a tree can be hashed
 * apart from each other.
 *
 * @param given what there is already: the hashes of {@link perfectSubtrees} of `begin` to `end`
 * @throws RangeError when the number of hashes is not that of the subtrees
 */
export function createCompactRange(given: { begin?: number; end?: number; hashes?: readonly Uint8Array[] } = {}) {
  const { begin = 0, end: givenEnd = begin, hashes = [] } = given;
  const covered = perfectSubtrees(begin, givenEnd);
  if (covered.length !== hashes.length) {
    throw new RangeError(`a range from ${begin} to ${givenEnd} has ${covered.length} hashes, not ${hashes.length}`);
  }
  const stack: { level: number; hash: Buffer }[] = covered.map(({ level }, at) => ({
    level,
    hash: Buffer.from(hashes[at] ?? emptyRoot),
  }));
  let end = givenEnd;

  function pushSubtree(level: number, hash: Buffer): void {
    end += 2 ** level;
    let top = { level, hash };
    for (;;) {
      const left = stack.at(-1);
      const width = 2 ** (top.level + 1);
      if (left?.level !== top.level || end % width !== 0) break;
      stack.pop();
      top = { level: top.level + 1, hash: nodeHash(left.hash, top.hash) };
    }
    stack.push(top);
  }

  return {
    /** The leaf's hash, which is kept as it is: the caller must not write into it afterwards. */
    push: (leaf: Buffer): void => pushSubtree(0, leaf),
    /** @throws RangeError when `next` does not begin where this one ends */
    append(next: { begin: number; end: number; hashes: readonly Uint8Array[] }): void {
      if (next.begin !== end)
        throw new RangeError(`a range that begins at ${next.begin} does not follow one to ${end}`);
      for (const [at, { level }] of perfectSubtrees(next.begin, next.end).entries()) {
        pushSubtree(level, Buffer.from(next.hashes[at] ?? emptyRoot));
      }
    },
    begin,
    end: (): number => end,
    hashes: (): Buffer[] => stack.map(({ hash }) => hash),
    /** The root of the tree of all leaves. @throws RangeError when the range does not begin at leaf 0 */
    root(): Buffer {
      if (begin !== 0) throw new RangeError('only a range from leaf 0 has a root');
      return foldSubtrees(stack.map(({ hash }) => hash));
    },
  };
}

export type CompactRange = ReturnType<typeof createCompactRange>;

/** The hash of a run of leaves from those of its perfect subtrees, where the first is the largest. */
export function foldSubtrees(hashes: readonly Buffer[]): Buffer {
  return hashes.length === 0 ? emptyRoot : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** A run of leaves, `end` exclusive. */
export interface LeafRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * The runs of leaves whose hashes are the inclusion proof of a leaf, in the proof's order (RFC 9162 section 2.1.3.1).
 *
 * @throws MerkleError when the tree has no such leaf
 */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  assertLeaf(index, size);
  const ranges: LeafRange[] = [];
  for (let begin = 0, end = size; end - begin > 1; ) {
    const middle = begin + split(end - begin);
    if (index < middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
    }
  }
  return ranges.reverse();
}

/**
 * The runs of leaves whose hashes are the proof that a tree grew from `from` to `to` (RFC 9162 section 2.1.4.1).
 *
 * @throws MerkleError unless 1 <= from <= to
 */
export function consistencyRanges(from: number, to: number): LeafRange[] {
  assertGrowth(from, to);
  const ranges: LeafRange[] = [];
  let [begin, end] = [0, to];
  while (end !== from) {
    const middle = begin + split(end - begin);
    if (from <= middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
    }
  }
  // A first tree that is a subtree of the second is known to whoever asks.
  if (begin !== 0) ranges.push({ begin, end });
  return ranges.reverse();
}

/**
 * Checks that a leaf is in a tree (RFC 9162 section 2.1.3.2).
 *
 * @throws MerkleError when it is not shown
 */
export function verifyInclusion(claim: {
  leaf: Uint8Array;
  index: number;
  size: number;
  root: Uint8Array;
  proof: readonly Uint8Array[];
}): void {
  const { leaf, index, size, root, proof } = claim;
  assertLeaf(index, size);
  let [fn, sn] = [index, size - 1];
  let hash: Uint8Array = leaf;
  for (const sibling of proof) {
    if (sn === 0) throw new MerkleError('the proof is too long');
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0) throw new MerkleError('the proof is too short');
  if (!isSame(hash, root)) throw new MerkleError('the proof leads to another root');
}

/**
 * Checks that a tree is an older state of another one (RFC 9162 section 2.1.4.2). An empty tree has nothing to prove, so
 * `size1` of 0 is refused: what holds for every tree is no evidence.
 *
 * @throws MerkleError when it is not shown
 */
export function verifyConsistency(claim: {
  size1: number;
  root1: Uint8Array;
  size2: number;
  root2: Uint8Array;
  proof: readonly Uint8Array[];
}): void {
  const { size1, root1, size2, root2, proof } = claim;
  assertGrowth(size1, size2);
  if (size1 === size2) {
    if (proof.length > 0) throw new MerkleError('the proof is too long');
    if (!isSame(root1, root2)) throw new MerkleError('trees of one size have different roots');
    return;
  }
  const isPowerOfTwo = Number.isInteger(Math.log2(size1));
  const [first, ...path] = isPowerOfTwo ? [root1, ...proof] : proof;
  if (first === undefined || (isPowerOfTwo && proof.length === 0)) throw new MerkleError('the proof is too short');
  let [fn, sn] = [size1 - 1, size2 - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [older, newer]: Uint8Array[] = [first, first];
  for (const sibling of path) {
    if (sn === 0) throw new MerkleError('the proof is too long');
    if (fn % 2 === 1 || fn === sn) {
      older = nodeHash(sibling, older as Uint8Array);
      newer = nodeHash(sibling, newer as Uint8Array);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      newer = nodeHash(newer as Uint8Array, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0) throw new MerkleError('the proof is too short');
  if (!isSame(older as Uint8Array, root1)) throw new MerkleError('the proof leads to another older root');
  if (!isSame(newer as Uint8Array, root2)) throw new MerkleError('the proof leads to another newer root');
}

/** The largest power of two below `count`, which is at least 2. */
function split(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function assertLeaf(index: number, size: number): void {
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new MerkleError(`a tree of ${size} leaves has no leaf ${index}`);
  }
}

function assertGrowth(size1: number, size2: number): void {
  if (!isCount(size1) || !isCount(size2) || size1 === 0 || size1 > size2) {
    throw new MerkleError(`a tree of ${size2} leaves does not continue one of ${size1}`);
  }
}

const half = (count: number): number => Math.floor(count / 2);
const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 0;
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

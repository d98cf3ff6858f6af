import { asHash, type Bytes, fromBase64, ProofError, sha256, utf8 } from './bytes.ts';

// An implementation of its own, from the recursive definitions of RFC 6962 section 2.1: who checks the server must not err with it.

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** One step from a leaf to the root. */
export interface Step {
  /** Where the hash of the proof stands beside the one that was known. */
  readonly side: 'left' | 'right';
  readonly sibling: Bytes;
  readonly result: Bytes;
}

/** `SHA-256(0x00 ‖ entry)`: the entry's leaf. Rejects with a ProofError for half a surrogate pair. */
export const leafHash = async (entry: string): Promise<Bytes> => sha256(LEAF, utf8(entry));

const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(NODE, asHash(left), asHash(right));

/**
 * The root that an inclusion proof leads to, from the leaf up, and every step of the way.
 *
 * @param proof standard base64, the leaf's sibling first
 * @throws ProofError when the tree has no such leaf, or the proof has another length than its place demands
 */
export async function rootOfInclusion(claim: {
  readonly leaf: Bytes;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly string[];
}): Promise<{ root: Bytes; steps: Step[] }> {
  const { leaf, index, size } = claim;
  if (!isCount(index) || !isCount(size) || index >= size) {
    throw new ProofError(`a tree of ${size} entries has no entry ${index}`);
  }
  const proof = hashesOf(claim.proof);
  const steps: Step[] = [];
  // The places from the root down; the proof has their siblings from the leaf up.
  const sides: Step['side'][] = [];
  for (let [at, width] = [index, size]; width > 1; ) {
    const middle = split(width);
    sides.push(at < middle ? 'right' : 'left');
    [at, width] = at < middle ? [at, middle] : [at - middle, width - middle];
  }
  if (proof.length !== sides.length) {
    throw new ProofError(`the proof has ${proof.length} hashes where the entry's place needs ${sides.length}`);
  }
  let root = asHash(leaf);
  for (const sibling of proof) {
    const side = sides.pop() as Step['side'];
    root = side === 'right' ? await nodeHash(root, sibling) : await nodeHash(sibling, root);
    steps.push({ side, sibling, result: root });
  }
  return { root, steps };
}

/**
 * The two roots that a consistency proof leads to: that of the older tree, and that of the newer one which begins with it.
 *
 * @param root1 of the older tree, as it is known: where that is a whole part of the newer one, the proof leaves it out
 * @throws ProofError unless 1 <= size1 <= size2, and when the proof is too short or too long
 */
export async function rootsOfConsistency(claim: {
  readonly size1: number;
  readonly root1: Bytes;
  readonly size2: number;
  readonly proof: readonly string[];
}): Promise<{ older: Bytes; newer: Bytes }> {
  const { size1, size2, root1 } = claim;
  if (!isCount(size1) || !isCount(size2) || size1 < 1 || size1 > size2) {
    throw new ProofError(`a log of ${size2} entries does not continue one of ${size1}`);
  }
  const rest = hashesOf(claim.proof);
  const next = (): Bytes => {
    const hash = rest.pop();
    if (hash === undefined) throw new ProofError('the proof is too short');
    return hash;
  };

  /** Of `older` entries that are the first of `newer`; `whole` while they are those of the older tree from entry 0 on. */
  async function climb(older: number, newer: number, whole: boolean): Promise<{ older: Bytes; newer: Bytes }> {
    if (older === newer) {
      const both = whole ? asHash(root1) : next();
      return { older: both, newer: both };
    }
    const middle = split(newer);
    const sibling = next();
    if (older <= middle) {
      const left = await climb(older, middle, whole);
      return { older: left.older, newer: await nodeHash(left.newer, sibling) };
    }
    const right = await climb(older - middle, newer - middle, false);
    return { older: await nodeHash(sibling, right.older), newer: await nodeHash(sibling, right.newer) };
  }

  const roots = await climb(size1, size2, true);
  if (rest.length > 0) throw new ProofError('the proof is too long');
  return roots;
}

/** A proof of the largest tree that numbers can count has 53 hashes, and one of consistency one more. */
const MAX_PROOF = 64;

function hashesOf(proof: readonly string[]): Bytes[] {
  if (proof.length > MAX_PROOF) throw new ProofError('the proof is too long');
  return proof.map((text) => asHash(fromBase64(text)));
}

/** The largest power of two below `count`, which is at least 2. */
function split(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 0;

import { EMPTY_ROOT, nodeHash } from './hashes.ts';

/** A perfect subtree: it covers the leaves from `index * 2^level` on, `2^level` of them. */
export interface Subtree {
  level: number;
  index: number;
  hash: string;
}

/**
 * The maximal perfect subtrees of a run of leaves, from any first one. Runs that adjoin are joined by pushing the subtrees
 * of the later onto the earlier, so each file of an export is hashed by itself.
 */
export function createSubtrees() {
  let stack: Subtree[] = [];

  function push(node: Subtree): void {
    let top = node;
    for (;;) {
      const left = stack.at(-1);
      // A left child has an even index; its sibling is the next one.
      if (left === undefined || left.level !== top.level || left.index % 2 !== 0) break;
      stack.pop();
      top = { level: top.level + 1, index: left.index / 2, hash: nodeHash(left.hash, top.hash) };
    }
    stack.push(top);
  }

  return {
    push,
    /** Takes the subtrees out; what is pushed afterwards begins a new run. */
    flush(): Subtree[] {
      const flushed = stack;
      stack = [];
      return flushed;
    },
    /** The tree's root, when the run began with leaf 0 (RFC 9162 section 2.1.1). */
    root: () => rootOf(stack.map(({ hash }) => hash)),
  };
}

/** The root over the maximal perfect subtrees of a whole tree, left to right. */
export function rootOf(hashes: readonly string[]): string {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** Names the maximal perfect subtrees of the first `size` leaves by their hashes, or null when there are not as many. */
export function subtreesOf(size: number, hashes: readonly string[]): Subtree[] | null {
  const found: Subtree[] = [];
  let start = 0;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (Math.floor(size / width) % 2 === 0) continue;
    const hash = hashes[found.length];
    if (hash === undefined) return null;
    found.push({ level, index: start / width, hash });
    start += width;
  }
  return found.length === hashes.length ? found : null;
}

/** Whether a leaf is in the tree of that size and root: RFC 9162 section 2.1.3.2. */
export function isIncluded(given: {
  leaf: string;
  index: number;
  size: number;
  root: string;
  proof: readonly string[];
}): boolean {
  if (given.index < 0 || given.index >= given.size) return false;
  let fn = given.index;
  let sn = given.size - 1;
  let r = given.leaf;
  for (const p of given.proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else r = nodeHash(r, p);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && r === given.root;
}

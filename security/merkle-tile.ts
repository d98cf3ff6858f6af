import { hash } from 'node:crypto';

/** Nodes of the log's tree are stored at every eighth level: one for 256 below, as in https://c2sp.org/tlog-tiles. */
export const TILE_LEVELS = 8;
export const TILE_WIDTH = 2 ** TILE_LEVELS;

const HASH_BYTES = 32;
/** RFC 9162 section 2.1.1: the byte before two children. */
const NODE_PREFIX = 1;

/**
 * A perfect subtree that is filled leaf by leaf (RFC 9162 section 2.1.1), and emptied for the next: what nodes are made of lies in
 * one place for all of them, and nothing is made for a leaf but the digests above it.
 *
 * @param levels it has room for `2 ** levels` leaves, at least one level
 */
export function createMerkleTile(levels: number) {
  const width = 2 ** levels;
  /** By level, the bytes that a node above is the digest of: the prefix and two children. */
  const pairs = Array.from({ length: levels }, (_, level) =>
    Array.from({ length: 2 ** (levels - level - 1) }, () => Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX)),
  );
  const root = Buffer.alloc(HASH_BYTES);
  let size = 0;

  const pairOf = (level: number, index: number) => pairs[level]?.[index >> 1] as Buffer;
  const sideOf = (index: number) => 1 + (index & 1) * HASH_BYTES;

  return {
    /** Takes the leaf whose hash is the 32 bytes from `from` on. The tile has to have room. */
    push(bytes: Buffer, from: number): void {
      let pair = pairOf(0, size);
      bytes.copy(pair, sideOf(size), from, from + HASH_BYTES);
      let index = size;
      size += 1;
      for (let level = 1; (index & 1) === 1; level += 1) {
        const digest = hash('sha256', pair, 'binary');
        index >>= 1;
        if (level === levels) {
          root.write(digest, 'binary');
          return;
        }
        pair = pairOf(level, index);
        pair.write(digest, sideOf(index), 'binary');
      }
    },

    isFull: (): boolean => size === width,

    /** Copies of the hashes of the perfect subtrees of its leaves, from left to right: of a full one the root. */
    hashes(): Buffer[] {
      if (size === width) return [Buffer.from(root)];
      const found: Buffer[] = [];
      for (let level = levels - 1; level >= 0; level -= 1) {
        const index = size >> level;
        if ((index & 1) === 1) found.push(Buffer.from(pairOf(level, index - 1).subarray(1, 1 + HASH_BYTES)));
      }
      return found;
    },

    empty(): void {
      size = 0;
    },
  };
}

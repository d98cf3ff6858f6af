import { createHash } from 'node:crypto';

const LOG_VERSION = 'tradeguard-log/v1';
/** RFC 6962 section 2.1: the byte before a leaf, so that no leaf can pass for an inner node. */
export const LEAF_PREFIX = Buffer.of(0);
const HASH_BYTES = 32;

/** The end of a chain: the last sequence number (-1 for an empty log) and its hash (the genesis of an empty one). */
export type ChainHead = { seq: number; hash: Buffer };

/**
 * What the first entry links to: SHA-256 of the log's version and its origin, so an entry cannot be moved to another
 * log.
 *
 * @param origin names this log, for instance the public origin; one line
 * @throws TypeError for an empty origin or one of several lines
 */
export function genesisHash(origin: string): Buffer {
  if (origin === '' || /[\r\n]/.test(origin)) throw new TypeError('the origin of a log is one non-empty line');
  return digestOf(`${LOG_VERSION}\n`, origin);
}

/** `SHA-256(prevHash ‖ entry)`. @throws RangeError when prevHash is not 32 bytes */
export function chainHash(prevHash: Uint8Array, entry: string): Buffer {
  if (prevHash.length !== HASH_BYTES) throw new RangeError('a previous hash has 32 bytes');
  return digestOf(prevHash, entry);
}

/** The entry's leaf in the Merkle tree over the log: `SHA-256(0x00 ‖ entry)` (RFC 6962 section 2.1). */
export function leafHash(entry: string): Buffer {
  return digestOf(LEAF_PREFIX, entry);
}

function digestOf(...parts: (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

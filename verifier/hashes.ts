import { createHmac, hash, type KeyObject } from 'node:crypto';

/** Hashes and MACs are lower-case hexadecimal text everywhere in the verifier, as they are in an export. */
export const isHash = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

/** SHA-256 of nothing: the root of an empty tree (RFC 9162 section 2.1.1). */
export const EMPTY_ROOT = hash('sha256', '', 'hex');

/** What entry 0 links to: SHA-256 of `tradeguard-log/v1`, a newline and the origin. */
export function genesisOf(origin: string): string {
  return hash('sha256', `tradeguard-log/v1\n${origin}`, 'hex');
}

const HASH_BYTES = 32;

/**
 * The two hashes of one entry after the other: `chain(prevHash)` = SHA-256(prevHash ‖ entry) and `leaf()` =
 * SHA-256(0x00 ‖ entry) (RFC 9162 section 2.1.1). The text is encoded once.
 */
export function createEntryHasher() {
  let room = Buffer.allocUnsafe(4096);
  let end = HASH_BYTES;
  return {
    take(entry: string): void {
      // UTF-8 takes at most three bytes for a UTF-16 code unit.
      const needed = HASH_BYTES + entry.length * 3;
      if (room.length < needed) room = Buffer.allocUnsafe(needed * 2);
      end = HASH_BYTES + room.write(entry, HASH_BYTES, 'utf8');
    },
    chain(prevHash: string): string {
      room.write(prevHash, 0, 'hex');
      return hash('sha256', room.subarray(0, end), 'hex');
    },
    leaf(): string {
      room[HASH_BYTES - 1] = 0;
      return hash('sha256', room.subarray(HASH_BYTES - 1, end), 'hex');
    },
  };
}

const nodeRoom = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** An inner node of the tree: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: string, right: string): string {
  nodeRoom.write(left, 1, 'hex');
  nodeRoom.write(right, 1 + HASH_BYTES, 'hex');
  return hash('sha256', nodeRoom, 'hex');
}

/** HMAC-SHA256 of the entry's text. */
export function entryMac(key: KeyObject, entry: string): string {
  return createHmac('sha256', key).update(entry).digest('hex');
}

/** What a seal's MAC is made of, as an export's line has it. */
export interface SealFields {
  seq: number;
  id: string;
  n: string;
  era: number;
  xid: string;
  prevHash: string;
  hash: string;
  leafHash: string;
  sealedAt: string;
  horizon: string | null;
}

/** HMAC-SHA256 of the seal's fields, each preceded by its length in bytes (4 bytes, big-endian). */
export function sealMac(key: KeyObject, seal: SealFields): string {
  const parts = [
    Buffer.from('tradeguard-seal/v1'),
    Buffer.from(String(seal.seq)),
    Buffer.from(seal.id),
    Buffer.from(seal.n),
    Buffer.from(String(seal.era)),
    Buffer.from(seal.xid),
    Buffer.from(seal.prevHash, 'hex'),
    Buffer.from(seal.hash, 'hex'),
    Buffer.from(seal.leafHash, 'hex'),
    Buffer.from(seal.sealedAt),
    Buffer.from(seal.horizon ?? ''),
  ];
  const mac = createHmac('sha256', key);
  const length = Buffer.alloc(4);
  for (const part of parts) {
    length.writeUInt32BE(part.length);
    mac.update(length).update(part);
  }
  return mac.digest('hex');
}

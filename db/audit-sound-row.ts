import type { KeyObject } from 'node:crypto';
import { LEAF_PREFIX } from '../security/audit-chain.ts';
import { SEAL_VERSION } from '../security/audit-seal-mac.ts';
import { createMessageMac, isDigest, PrefixedMessage } from '../security/prefixed-message.ts';
import { columnsAgree } from './audit-entry-columns.ts';
import { FIELD, type RowFields, smallInteger } from './audit-row-fields.ts';
import { createTimeText } from './postgres-time.ts';

const HASH_BYTES = 32;
const UUID_BYTES = 16;
const UUID_TEXT = 36;
const LENGTH_BYTES = 4;
const [MINUS, ZERO] = [0x2d, 0x30];
/** The two hexadecimal digits of each byte. */
const HEX = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join(''));
/** All of a seal's message but its horizon is shorter. */
const SEAL_BYTES = 512;

/** Fields that have the same number of bytes in every row, and how many. */
const FIXED = [
  [FIELD.seq, 8],
  [FIELD.entryId, UUID_BYTES],
  [FIELD.prevHash, HASH_BYTES],
  [FIELD.hash, HASH_BYTES],
  [FIELD.leafHash, HASH_BYTES],
  [FIELD.sealMac, HASH_BYTES],
  [FIELD.sealedAt, 8],
  [FIELD.id, UUID_BYTES],
  [FIELD.at, 8],
  [FIELD.n, 8],
  [FIELD.era, 4],
  [FIELD.xid, 8],
  [FIELD.entryHmac, HASH_BYTES],
] as const;
const FIXED_FIELDS = Int32Array.from(FIXED, ([field]) => field);
const FIXED_LENGTHS = Int32Array.from(FIXED, ([, bytes]) => bytes);

/**
 * Tells whether a row is as it was written, from the bytes that PostgreSQL sent: link, hash, leaf, both MACs, and the columns
 * beside the text. Most rows of most logs are, and making an object of each would cost as much again. Where it says no, the row is
 * wrong or one of those that it does not know; the check of the object (audit-check.ts) says which, and what is wrong.
 */
export function createSoundRowCheck(auditKeys: readonly KeyObject[]) {
  const macs = auditKeys.map(createMessageMac);
  const text = new PrefixedMessage();
  const sealed = new PrefixedMessage();
  const [sealedAt, writtenAt] = [createTimeText(), createTimeText()];
  const id = Buffer.alloc(UUID_TEXT);
  let row: RowFields;

  const begin = (field: number): number => row.from[field] ?? 0;
  const length = (field: number): number => (row.to[field] ?? -1) - begin(field);

  function hasLengths(): boolean {
    const { from, to } = row;
    for (let n = 0; n < FIXED_FIELDS.length; n += 1) {
      const field = FIXED_FIELDS[n] ?? 0;
      if ((to[field] ?? 0) - (from[field] ?? 0) !== FIXED_LENGTHS[n]) return false;
    }
    return length(FIELD.entry) >= 0;
  }

  function isSame(field: number, other: Uint8Array, at = 0, bytes = HASH_BYTES): boolean {
    const from = begin(field);
    for (let n = 0; n < bytes; n += 1) if (row.bytes[from + n] !== other[at + n]) return false;
    return true;
  }

  function isGenuine(message: PrefixedMessage, field: number): boolean {
    for (const mac of macs) if (isDigest(mac(message), row.bytes, begin(field))) return true;
    return false;
  }

  function writeId(): void {
    const from = begin(FIELD.id);
    for (let n = 0, at = 0; n < UUID_BYTES; n += 1) {
      if (n === 4 || n === 6 || n === 8 || n === 10) id[at++] = MINUS;
      const digits = 2 * (row.bytes[from + n] ?? 0);
      id[at++] = HEX[digits] ?? 0;
      id[at++] = HEX[digits + 1] ?? 0;
    }
  }

  /** What `sealMessage` makes of the row's object. PostgreSQL's fields have their lengths in front of them, as its parts have. */
  function writeSeal(n: number, era: number, xid: number): void {
    const { bytes } = row;
    const horizon = Math.max(0, length(FIELD.horizon));
    const room = sealed.roomFor(SEAL_BYTES + horizon);
    let at = PrefixedMessage.begin;
    at = writePart(room, at, SEAL_VERSION, SEAL_VERSION.length);
    at = writeNumber(room, at, smallInteger(bytes, begin(FIELD.seq)) ?? 0);
    at = writePart(room, at, id, UUID_TEXT);
    at = writeNumber(room, at, n);
    at = writeNumber(room, at, era);
    at = writeNumber(room, at, xid);
    at += bytes.copy(room, at, begin(FIELD.prevHash) - LENGTH_BYTES, row.to[FIELD.leafHash]);
    at = writePart(room, at, sealedAt.room, sealedAt.write(bytes, begin(FIELD.sealedAt)));
    at = writeLength(room, at, horizon);
    if (horizon > 0) at += bytes.copy(room, at, begin(FIELD.horizon), row.to[FIELD.horizon]);
    sealed.takeWritten(at);
  }

  /**
   * @param seq the number that the row has to have
   * @param before hash of the row before it
   */
  return (given: RowFields, seq: number, before: Uint8Array): boolean => {
    row = given;
    const { bytes } = row;
    if (!hasLengths() || smallInteger(bytes, begin(FIELD.seq)) !== seq) return false;
    if (!isSame(FIELD.prevHash, before) || !isSame(FIELD.entryId, bytes, begin(FIELD.id), UUID_BYTES)) return false;
    const n = smallInteger(bytes, begin(FIELD.n));
    const xid = smallInteger(bytes, begin(FIELD.xid));
    const era = bytes.readInt32BE(begin(FIELD.era));
    if (n === undefined || xid === undefined || era < 0) return false;
    text.take(bytes, begin(FIELD.entry), row.to[FIELD.entry] ?? 0);
    if (!isDigest(text.digest(before), bytes, begin(FIELD.hash))) return false;
    if (!isDigest(text.digest(LEAF_PREFIX), bytes, begin(FIELD.leafHash))) return false;
    if (!isGenuine(text, FIELD.entryHmac)) return false;
    writeId();
    writeSeal(n, era, xid);
    if (!isGenuine(sealed, FIELD.sealMac)) return false;
    return columnsAgree(row, id, writtenAt.room, writtenAt.write(bytes, begin(FIELD.at)));
  };
}

function writeLength(room: Buffer, at: number, length: number): number {
  room[at] = length >>> 24;
  room[at + 1] = length >>> 16;
  room[at + 2] = length >>> 8;
  room[at + 3] = length;
  return at + LENGTH_BYTES;
}

function writePart(room: Buffer, at: number, part: Uint8Array, length: number): number {
  const from = writeLength(room, at, length);
  for (let n = 0; n < length; n += 1) room[from + n] = part[n] ?? 0;
  return from + length;
}

/** The decimal text of an integer that is not negative. */
function writeNumber(room: Buffer, at: number, value: number): number {
  let length = 1;
  for (let limit = 10; value >= limit; limit *= 10) length += 1;
  const from = writeLength(room, at, length);
  let rest = value;
  for (let digit = from + length - 1; digit >= from; digit -= 1) {
    const tenth = Math.floor(rest / 10);
    room[digit] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
  return from + length;
}

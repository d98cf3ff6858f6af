import { randomUUID } from 'node:crypto';

/**
 * A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 random bits, so ids sort by creation time and
 * still cannot be guessed.
 *
 * @param now Unix time in milliseconds
 */
export function uuidV7(now: number = Date.now()): string {
  const time = now.toString(16).padStart(12, '0');
  // Node draws the randomness of its version 4 many at once; variant and random bits stand at the same places.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/**
 * A UUIDv8 (RFC 9562 section 5.8, "experimental or vendor-specific") made of the first 16 bytes of a MAC or digest.
 *
 * @throws RangeError when there are fewer than 16 bytes
 */
export function uuidV8(digest: Uint8Array): string {
  if (digest.length < 16) throw new RangeError('a UUID needs 16 bytes');
  return formatUuid(Buffer.from(digest.subarray(0, 16)), 8);
}

/** The 16 bytes of a UUID. */
export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** The text of 16 bytes that are a UUID already. */
export function uuidFromBytes(bytes: Uint8Array): string {
  return uuidFromHex(Buffer.from(bytes).toString('hex'));
}

/** The text of 32 hexadecimal digits that are a UUID already. */
export function uuidFromHex(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function formatUuid(bytes: Buffer, version: number): string {
  bytes.writeUInt8((version << 4) | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return uuidFromBytes(bytes);
}

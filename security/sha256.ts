import { hash, type KeyObject, timingSafeEqual } from 'node:crypto';

const DIGEST_BYTES = 32;
const BLOCK_BYTES = 64;
/** Digests leave node:crypto as text: an object and a buffer for each would take three times as long. */
const ENCODING = 'binary';

/**
 * SHA-256 (FIPS 180-4) of `prefix ‖ message`, for many short messages one after the other. What it returns is
 * overwritten by the next call.
 */
export function createSha256(): (prefix: Uint8Array, message: string | Uint8Array) => Buffer {
  let room = Buffer.allocUnsafe(4096);
  const digest = Buffer.alloc(DIGEST_BYTES);
  return (prefix, message) => {
    // UTF-8 takes at most three bytes for a UTF-16 code unit.
    const needed = prefix.length + message.length * 3;
    if (room.length < needed) room = Buffer.allocUnsafe(needed);
    room.set(prefix);
    let end = prefix.length;
    if (typeof message === 'string') end += room.write(message, end, 'utf8');
    else {
      room.set(message, end);
      end += message.length;
    }
    digest.write(hash('sha256', room.subarray(0, end), ENCODING), ENCODING);
    return digest;
  };
}

/** Tells whether a MAC is the HMAC-SHA256 of a message, in constant time; of many messages, see {@link createHmacSha256}. */
export function createHmacCheck(key: KeyObject): (message: string | Uint8Array, mac: Uint8Array) => boolean {
  const hmac = createHmacSha256(key);
  return (message, mac) => mac.length === DIGEST_BYTES && timingSafeEqual(hmac(message), mac);
}

/**
 * HMAC-SHA256 (RFC 2104 section 2) for many messages under one key: the two padded keys are made once. What it returns is
 * overwritten by the next call.
 */
export function createHmacSha256(key: KeyObject): (message: string | Uint8Array) => Buffer {
  const sha256 = createSha256();
  const { inner, outer } = paddedKeys(key);
  return (message) => sha256(outer, sha256(inner, message));
}

/** What HMAC-SHA256 puts in front of the message, and in front of the digest of that: 64 bytes each. */
export function paddedKeys(key: KeyObject): { inner: Buffer; outer: Buffer } {
  return { inner: paddedKey(key, 0x36), outer: paddedKey(key, 0x5c) };
}

function paddedKey(key: KeyObject, pad: number): Buffer {
  let bytes = key.export();
  if (bytes.length > BLOCK_BYTES) bytes = hash('sha256', bytes, 'buffer');
  const padded = Buffer.alloc(BLOCK_BYTES, pad);
  for (const [at, byte] of bytes.entries()) padded[at] = byte ^ pad;
  return padded;
}

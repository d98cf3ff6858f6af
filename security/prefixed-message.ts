import { hash, type KeyObject } from 'node:crypto';
import { paddedKeys } from './sha256.ts';

const PREFIX_BYTES = 64;
const DIGEST_BYTES = 32;
/** Messages that end behind it get a view of their own each time. */
const MAX_VIEWED = 4096;
/** Digests leave node:crypto as text, one character a byte: an object for each would take three times as long. */
const ENCODING = 'binary';

/**
 * One message of which several SHA-256 (FIPS 180-4) digests are made, each behind another prefix of at most 64 bytes: the
 * message is copied once, and only what stands in front of it changes. The next message takes its place.
 */
export class PrefixedMessage {
  #room = Buffer.allocUnsafe(4096);
  #end = PREFIX_BYTES;
  /** By the prefix's length and the message's end: most messages are as long as one before, and a view costs half a digest. */
  readonly #views: (Buffer | undefined)[][] = [];

  /** Takes the bytes `from` to `to` (exclusive). */
  take(bytes: Buffer, from: number, to: number): void {
    this.#end = PREFIX_BYTES + bytes.copy(this.roomFor(to - from), PREFIX_BYTES, from, to);
  }

  /** Where to write a message of at most that many bytes, from {@link PrefixedMessage.begin} on; {@link takeWritten} ends it. */
  roomFor(bytes: number): Buffer {
    if (this.#room.length < PREFIX_BYTES + bytes) {
      this.#room = Buffer.allocUnsafe(2 * (PREFIX_BYTES + bytes));
      this.#views.length = 0;
    }
    return this.#room;
  }

  static readonly begin = PREFIX_BYTES;

  /** Takes what was written up to `end` (exclusive). */
  takeWritten(end: number): void {
    this.#end = end;
  }

  /** SHA-256 of `prefix ‖ message`, as 32 characters. */
  digest(prefix: Uint8Array): string {
    const begin = PREFIX_BYTES - prefix.length;
    this.#room.set(prefix, begin);
    return hash('sha256', this.#view(begin), ENCODING);
  }

  #view(begin: number): Buffer {
    const known = this.#views[begin]?.[this.#end];
    if (known !== undefined) return known;
    const view = this.#room.subarray(begin, this.#end);
    if (this.#end <= MAX_VIEWED) {
      const views = this.#views[begin] ?? [];
      views[this.#end] = view;
      this.#views[begin] = views;
    }
    return view;
  }
}

/** HMAC-SHA256 (RFC 2104 section 2) of such messages, as {@link PrefixedMessage.digest} gives it. */
export function createMessageMac(key: KeyObject): (message: PrefixedMessage) => string {
  const { inner, outer } = paddedKeys(key);
  const room = Buffer.alloc(PREFIX_BYTES + DIGEST_BYTES);
  room.set(outer);
  return (message) => {
    room.write(message.digest(inner), PREFIX_BYTES, ENCODING);
    return hash('sha256', room, ENCODING);
  };
}

/** Whether the 32 bytes from `at` on are that digest, in constant time. */
export function isDigest(digest: string, bytes: Uint8Array, at: number): boolean {
  let difference = digest.length ^ DIGEST_BYTES;
  for (let n = 0; n < DIGEST_BYTES; n += 1) difference |= digest.charCodeAt(n) ^ (bytes[at + n] ?? -1);
  return difference === 0;
}

/** Bytes as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What was given is no evidence: malformed, or it does not show what it claims. The message is for a person. */
export class ProofError extends Error {
  override readonly name = 'ProofError';
}

const HASH_BYTES = 32;

/** UTF-8. @throws ProofError for half a surrogate pair, which would be hashed as something else */
export function utf8(text: string): Bytes {
  if (!text.isWellFormed()) throw new ProofError('the text is no well-formed Unicode');
  return new TextEncoder().encode(text);
}

/** Standard base64 exactly as it is written (RFC 4648, padded). @throws ProofError for any other text */
export function fromBase64(text: string): Bytes {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (toBase64(bytes) === text) return bytes;
  } catch {
    // Told below, with what was given.
  }
  throw new ProofError(`this is no base64: ${text.slice(0, 60)}`);
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** @throws ProofError for another text than lower-case hex of whole bytes */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new ProofError(`this is no hex: ${text.slice(0, 60)}`);
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export async function sha256(...parts: readonly Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts)));
}

/** @throws ProofError when it has not 32 bytes */
export function asHash(bytes: Bytes): Bytes {
  if (bytes.length !== HASH_BYTES) throw new ProofError(`a hash has ${HASH_BYTES} bytes, not ${bytes.length}`);
  return bytes;
}

import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import { lengthPrefixed } from './length-prefix.ts';

/** Where a value lives. A token copied to another row, column or table does not decrypt there. */
export type FieldLocation = { table: string; column: string; rowId: string };

export type FieldDecryptionErrorCode = 'malformed' | 'unsupported' | 'unknown_key' | 'not_authentic';

/** A token that does not decrypt. There is no fallback to plain text; the message holds neither token nor value. */
export class FieldDecryptionError extends Error {
  override readonly name = 'FieldDecryptionError';
  readonly code: FieldDecryptionErrorCode;
  constructor(code: FieldDecryptionErrorCode, location: FieldLocation) {
    super(`${location.table}.${location.column}: ${code}`);
    this.code = code;
  }
}

const VERSION = 1;
/** Algorithm byte: 1 = AES-256-GCM. */
const ALGORITHM = 1;
const VERSION_BYTE = Buffer.of(VERSION);
const ALGORITHM_BYTE = Buffer.of(ALGORITHM);
const KEY_ID_AT = 2;
const NONCE_AT = 18;
const CIPHERTEXT_AT = 30;
const TAG_BYTES = 16;
const NONCE_BYTES = CIPHERTEXT_AT - NONCE_AT;
const NONCES_DRAWN = 256;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** Characters whose low four, or two, bits are zero. */
const ENDS_OF_ONE_BYTE = 'AQgw';
const ENDS_OF_TWO_BYTES = 'AEIMQUYcgkosw048';

/**
 * Encrypts one text into `base64url(version ‖ alg ‖ keyId16 ‖ nonce12 ‖ ciphertext ‖ tag16)`, AES-256-GCM (NIST SP
 * 800-38D) with a random nonce and everything that surrounds the value as additional data.
 *
 * @param keyId 16 bytes that name the key
 * @throws TypeError when the text is not well-formed Unicode
 */
export function sealToken(
  { keyId, key }: { keyId: Uint8Array; key: KeyObject },
  plaintext: string,
  location: FieldLocation,
): string {
  if (!plaintext.isWellFormed()) throw new TypeError('an encrypted field is well-formed Unicode');
  const nonce = nextNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(additionalData(keyId, location));
  const ciphertext = cipher.update(plaintext, 'utf8');
  // The end of GCM adds nothing to the ciphertext: it only makes the tag.
  cipher.final();
  const token = Buffer.allocUnsafe(CIPHERTEXT_AT + ciphertext.length + TAG_BYTES);
  token[0] = VERSION;
  token[1] = ALGORITHM;
  token.set(keyId, KEY_ID_AT);
  token.set(nonce, NONCE_AT);
  token.set(ciphertext, CIPHERTEXT_AT);
  token.set(cipher.getAuthTag(), CIPHERTEXT_AT + ciphertext.length);
  return token.toString('base64url');
}

/**
 * The bytes of a token, before anything of it is believed.
 *
 * @throws FieldDecryptionError `malformed` (not a token)
 */
export function decodeToken(token: string, location: FieldLocation): Buffer {
  if (!isCanonicalBase64Url(token)) throw new FieldDecryptionError('malformed', location);
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length < CIPHERTEXT_AT + TAG_BYTES) throw new FieldDecryptionError('malformed', location);
  return bytes;
}

/** The 16 bytes of a decoded token that name its key. */
export function keyIdOfToken(bytes: Buffer): Buffer {
  return bytes.subarray(KEY_ID_AT, NONCE_AT);
}

/** The bytes that every token of a key begins with. */
export function tokenHead(keyId: Uint8Array): Buffer {
  return Buffer.concat([VERSION_BYTE, ALGORITHM_BYTE, keyId]);
}

/** Whether a decoded token is of the one version and algorithm there is. @throws FieldDecryptionError `unsupported` */
export function assertSupported(bytes: Buffer, location: FieldLocation): void {
  if (bytes[0] !== VERSION || bytes[1] !== ALGORITHM) throw new FieldDecryptionError('unsupported', location);
}

/**
 * The text of a decoded token.
 *
 * @throws FieldDecryptionError `not_authentic` (altered, moved from another place, or another key's)
 */
export function openToken(bytes: Buffer, key: KeyObject, location: FieldLocation): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(NONCE_AT, CIPHERTEXT_AT), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(keyIdOfToken(bytes), location));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const plaintext = decipher.update(bytes.subarray(CIPHERTEXT_AT, -TAG_BYTES));
    decipher.final();
    return plaintext.toString('utf8');
  } catch {
    throw new FieldDecryptionError('not_authentic', location);
  }
}

/**
 * Whether the text is the one spelling of its bytes: no character outside the alphabet, no lonely one at the end, and the
 * bits of the last one that stand for no byte are zero (RFC 4648 section 3.5). So one value has one token.
 */
function isCanonicalBase64Url(text: string): boolean {
  if (!BASE64URL.test(text)) return false;
  switch (text.length % 4) {
    case 0:
      return true;
    case 2:
      return ENDS_OF_ONE_BYTE.includes(text.charAt(text.length - 1));
    case 3:
      return ENDS_OF_TWO_BYTES.includes(text.charAt(text.length - 1));
    default:
      return false;
  }
}

function additionalData(keyId: Uint8Array, { table, column, rowId }: FieldLocation): Buffer {
  return lengthPrefixed([VERSION_BYTE, ALGORITHM_BYTE, keyId, table, column, rowId]);
}

const nonces = Buffer.alloc(NONCES_DRAWN * NONCE_BYTES);
let noncesUsed = NONCES_DRAWN;

/** Random bytes are drawn for many nonces at once, since asking for them costs more than they do. Each is given once. */
function nextNonce(): Buffer {
  if (noncesUsed === NONCES_DRAWN) {
    randomFillSync(nonces);
    noncesUsed = 0;
  }
  const at = noncesUsed * NONCE_BYTES;
  noncesUsed += 1;
  return nonces.subarray(at, at + NONCE_BYTES);
}

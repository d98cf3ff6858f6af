import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Keyring } from './keyring.ts';
import { lengthPrefixed } from './length-prefix.ts';
import { uuidFromBytes, uuidToBytes } from './uuid.ts';

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
const KEY_ID_AT = 2;
const NONCE_AT = 18;
const CIPHERTEXT_AT = 30;
const TAG_BYTES = 16;
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/**
 * Encrypts one text field under the active `field` key. The token is
 * `base64url(version ‖ alg ‖ keyId16 ‖ nonce12 ‖ ciphertext ‖ tag16)`, AES-256-GCM (NIST SP 800-38D), with everything
 * that surrounds the value as additional data.
 *
 * @throws TypeError when the text is not well-formed Unicode; KeyringError without a usable key.
 */
export function encryptField(keyring: Keyring, plaintext: string, location: FieldLocation): string {
  if (!plaintext.isWellFormed()) throw new TypeError('an encrypted field is well-formed Unicode');
  const { keyId, key } = keyring.sealingKey('field');
  const keyIdBytes = uuidToBytes(keyId);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(additionalData(keyIdBytes, location));
  return Buffer.concat([
    Buffer.of(VERSION, ALGORITHM),
    keyIdBytes,
    nonce,
    cipher.update(plaintext, 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]).toString('base64url');
}

/**
 * Decrypts a token of {@link encryptField}, with the key generation that it names.
 *
 * @throws FieldDecryptionError `malformed` (not a token), `unsupported` (another version or algorithm), `unknown_key`,
 *   `not_authentic` (altered, or moved from another place).
 */
export function decryptField(keyring: Keyring, token: string, location: FieldLocation): string {
  const bytes = decodeToken(token, location);
  if (bytes[0] !== VERSION || bytes[1] !== ALGORITHM) throw new FieldDecryptionError('unsupported', location);
  const keyIdBytes = bytes.subarray(KEY_ID_AT, NONCE_AT);
  const key = openingKey(keyring, uuidFromBytes(keyIdBytes), location);
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(NONCE_AT, CIPHERTEXT_AT), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(keyIdBytes, location));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const plaintext = decipher.update(bytes.subarray(CIPHERTEXT_AT, -TAG_BYTES));
    return Buffer.concat([plaintext, decipher.final()]).toString('utf8');
  } catch {
    throw new FieldDecryptionError('not_authentic', location);
  }
}

/**
 * The id of the key a token was made with, to find what a rotation has still to re-encrypt.
 *
 * @throws FieldDecryptionError `malformed`
 */
export function fieldKeyId(token: string, location: FieldLocation): string {
  return uuidFromBytes(decodeToken(token, location).subarray(KEY_ID_AT, NONCE_AT));
}

/**
 * What every token of a key begins with: version, algorithm and key id are 18 bytes, exactly 24 characters of base64url. A
 * database finds by it what a rotation has still to re-encrypt, without opening anything.
 */
export function fieldTokenPrefix(keyId: string): string {
  return Buffer.concat([Buffer.of(VERSION, ALGORITHM), uuidToBytes(keyId)]).toString('base64url');
}

function decodeToken(token: string, location: FieldLocation): Buffer {
  const bytes = BASE64URL.test(token) ? Buffer.from(token, 'base64url') : Buffer.alloc(0);
  // Re-encoding refuses the spellings that decode to the same bytes, so that one value has one token.
  if (bytes.length < CIPHERTEXT_AT + TAG_BYTES || bytes.toString('base64url') !== token) {
    throw new FieldDecryptionError('malformed', location);
  }
  return bytes;
}

function openingKey(keyring: Keyring, keyId: string, location: FieldLocation) {
  try {
    return keyring.openingKey('field', keyId);
  } catch {
    throw new FieldDecryptionError('unknown_key', location);
  }
}

function additionalData(keyId: Uint8Array, { table, column, rowId }: FieldLocation): Buffer {
  return lengthPrefixed([Buffer.of(VERSION), Buffer.of(ALGORITHM), keyId, table, column, rowId]);
}

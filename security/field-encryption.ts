import {
  assertSupported,
  decodeToken,
  FieldDecryptionError,
  type FieldLocation,
  keyIdOfToken,
  openToken,
  sealToken,
  tokenHead,
} from './field-token.ts';
import type { Keyring } from './keyring.ts';
import { uuidFromBytes, uuidToBytes } from './uuid.ts';

export { FieldDecryptionError, type FieldDecryptionErrorCode, type FieldLocation } from './field-token.ts';

/** Key ids met so far; a process sees a handful, and never more than it may hold. */
const REMEMBERED_KEY_IDS = 256;

/**
 * Encrypts one text field under the active `field` key into a token of {@link sealToken}.
 *
 * @throws TypeError when the text is not well-formed Unicode; KeyringError without a usable key.
 */
export function encryptField(keyring: Keyring, plaintext: string, location: FieldLocation): string {
  const { keyId, key } = keyring.sealingKey('field');
  return sealToken({ keyId: bytesOfKeyId(keyId), key }, plaintext, location);
}

/**
 * Decrypts a token of {@link encryptField}, with the key generation that it names.
 *
 * @throws FieldDecryptionError `malformed` (not a token), `unsupported` (another version or algorithm), `unknown_key`,
 *   `not_authentic` (altered, or moved from another place).
 */
export function decryptField(keyring: Keyring, token: string, location: FieldLocation): string {
  const bytes = decodeToken(token, location);
  assertSupported(bytes, location);
  return openToken(bytes, openingKey(keyring, keyIdOfBytes(keyIdOfToken(bytes)), location), location);
}

/**
 * The id of the key a token was made with, to find what a rotation has still to re-encrypt.
 *
 * @throws FieldDecryptionError `malformed`
 */
export function fieldKeyId(token: string, location: FieldLocation): string {
  return keyIdOfBytes(keyIdOfToken(decodeToken(token, location)));
}

/**
 * What every token of a key begins with: version, algorithm and key id are 18 bytes, exactly 24 characters of base64url. A
 * database finds by it what a rotation has still to re-encrypt, without opening anything.
 */
export function fieldTokenPrefix(keyId: string): string {
  return tokenHead(uuidToBytes(keyId)).toString('base64url');
}

function openingKey(keyring: Keyring, keyId: string, location: FieldLocation) {
  try {
    return keyring.openingKey('field', keyId);
  } catch {
    throw new FieldDecryptionError('unknown_key', location);
  }
}

const byId = new Map<string, Buffer>();
const byBytes = new Map<string, string>();

function bytesOfKeyId(keyId: string): Buffer {
  return remembered(byId, keyId, () => uuidToBytes(keyId));
}

function keyIdOfBytes(bytes: Buffer): string {
  return remembered(byBytes, bytes.toString('latin1'), () => uuidFromBytes(bytes));
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= REMEMBERED_KEY_IDS) known.clear();
  const made = make();
  known.set(key, made);
  return made;
}

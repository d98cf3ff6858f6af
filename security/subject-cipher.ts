import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { decryptField, encryptField } from './field-encryption.ts';
import {
  assertSupported,
  decodeToken,
  FieldDecryptionError,
  type FieldLocation,
  openToken,
  sealToken,
} from './field-token.ts';
import type { Keyring } from './keyring.ts';
import { uuidToBytes } from './uuid.ts';

/** The key of one person: what is sealed under it is gone when it is. */
export interface SubjectKey {
  /** UUID of the person; its bytes stand in every token as the id of the key, since each has one key for ever. */
  subject: string;
  key: KeyObject;
}

/** Which of a person's values, and of what: a token opens for the same member of the same person alone. */
export interface SealedMember {
  /** What the values are kept for; tokens of one purpose do not open for another. */
  purpose: 'audit_entry';
  member: string;
}

const KEY_BYTES = 32;

/** Where the wrapped key lies. It is a field token, so the rotation of keys re-encrypts it like any other. */
const placeOfKey = (subject: string): FieldLocation => ({ table: 'subject_key', column: 'key', rowId: subject });

const placeOf = (subject: string, { purpose, member }: SealedMember): FieldLocation => ({
  table: purpose,
  column: `sealed.${member}`,
  rowId: subject,
});

/**
 * A new random key, and its wrapped form: a field token under the keyring's active `field` key.
 *
 * @throws KeyringError without a usable key
 */
export function newSubjectKey(keyring: Keyring, subject: string): { wrapped: string; key: SubjectKey } {
  const bytes = randomBytes(KEY_BYTES);
  const wrapped = encryptField(keyring, bytes.toString('base64url'), placeOfKey(subject));
  return { wrapped, key: subjectKey(subject, bytes) };
}

/** Opens a wrapped key. @throws FieldDecryptionError when it was altered, or is another person's */
export function openSubjectKey(keyring: Keyring, subject: string, wrapped: string): SubjectKey {
  const bytes = Buffer.from(decryptField(keyring, wrapped, placeOfKey(subject)), 'base64url');
  if (bytes.length !== KEY_BYTES) throw new FieldDecryptionError('malformed', placeOfKey(subject));
  return subjectKey(subject, bytes);
}

/** Encrypts one value into a token of {@link sealToken}. @throws TypeError when it is not well-formed Unicode */
export function sealForSubject({ subject, key }: SubjectKey, member: SealedMember, plaintext: string): string {
  return sealToken({ keyId: uuidToBytes(subject), key }, plaintext, placeOf(subject, member));
}

/**
 * Decrypts a token of {@link sealForSubject}.
 *
 * @throws FieldDecryptionError `malformed`, `unsupported`, `not_authentic` (altered, or another person's)
 */
export function openForSubject({ subject, key }: SubjectKey, member: SealedMember, token: string): string {
  const place = placeOf(subject, member);
  const bytes = decodeToken(token, place);
  assertSupported(bytes, place);
  return openToken(bytes, key, place);
}

function subjectKey(subject: string, bytes: Buffer): SubjectKey {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { subject, key };
}

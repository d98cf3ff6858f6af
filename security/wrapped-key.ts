import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Kek, KekName } from './kek.ts';
import { lengthPrefixed } from './length-prefix.ts';

/** What a key is for, and which KEK wraps it. A key of one purpose is never used for another. */
const KEK_OF_PURPOSE = {
  session: 'session',
  csrf: 'session',
  'device-cookie': 'session',
  'login-subject': 'master',
  'transaction-id': 'master',
  'factor-code': 'master',
  'recovery-code': 'master',
  'reset-token': 'master',
  'search-attribute': 'master',
  'blind-index': 'master',
  'payload-codec': 'master',
  field: 'master',
} as const satisfies Record<string, KekName>;

export type KeyPurpose = keyof typeof KEK_OF_PURPOSE;

export const KEY_PURPOSES = Object.keys(KEK_OF_PURPOSE) as readonly KeyPurpose[];

/** The purposes that the monthly turn-over of SESSION_SECRET's keyring replaces. */
export const SESSION_PURPOSES = KEY_PURPOSES.filter((purpose) => KEK_OF_PURPOSE[purpose] === 'session');

/**
 * Purposes with one generation for ever. A transaction id is derived from the Idempotency-Key: under a second key a
 * repeated request would get a second id, and its money would move twice. Recovery codes lie printed in a drawer for years,
 * and nothing could hash them again under a second key.
 */
const FIXED_PURPOSES: ReadonlySet<KeyPurpose> = new Set(['transaction-id', 'recovery-code']);

/** A wrapped key as it is stored: plain JSON, safe to keep in the database. */
export type WrappedKey = {
  purpose: KeyPurpose;
  /** UUID; its 16 bytes stand in every token made with the key. */
  keyId: string;
  /** Generation within the purpose, from 1. */
  version: number;
  kek: KekName;
  /** base64url, present when the KEK comes from a passphrase. */
  salt?: string;
  /** PBKDF2-SHA256 rounds, present with the salt. */
  iterations?: number;
  /** base64url(nonce12 ‖ ciphertext32 ‖ tag16), AES-256-GCM. */
  wrapped: string;
};

export type KeyringErrorCode = 'unwrap_failed' | 'record_invalid' | 'no_active_key' | 'unknown_key' | 'key_exhausted';

/** A key is missing, cannot be opened or must not be used. The message names purpose and key id, never key material. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError';
  readonly code: KeyringErrorCode;
  constructor(code: KeyringErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Wraps 32 bytes of key under the purpose's current KEK (AES-256-GCM, purpose, key id and version as additional data).
 */
export async function wrapKey(
  keks: Record<KekName, Kek>,
  { purpose, keyId, version }: Pick<WrappedKey, 'purpose' | 'keyId' | 'version'>,
  key: Uint8Array,
): Promise<WrappedKey> {
  const kek = KEK_OF_PURPOSE[purpose];
  const { key: wrappingKey, parameters } = await keks[kek].current();
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
  cipher.setAAD(wrapAad(purpose, keyId, version));
  const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return { purpose, keyId, version, kek, ...parameters, wrapped: sealed.toString('base64url') };
}

/**
 * Opens a record with the current KEK or a previous one; `isCurrent` tells which.
 *
 * @throws KeyringError `unwrap_failed` for a wrong secret or an altered record, `record_invalid` for a record that
 *   cannot be right; KekError for derivation parameters out of range.
 */
export async function unwrapKey(
  keks: Record<KekName, Kek>,
  record: WrappedKey,
): Promise<{ key: Buffer; isCurrent: boolean }> {
  checkRecord(record);
  const kek = keks[record.kek];
  const parameters = {
    ...(record.salt === undefined ? {} : { salt: record.salt }),
    ...(record.iterations === undefined ? {} : { iterations: record.iterations }),
  };
  for await (const candidate of kek.candidates(parameters)) {
    const key = tryUnwrap(record, candidate.key);
    if (!key) continue;
    if (candidate.isCurrent) kek.remember(parameters);
    return { key, isCurrent: candidate.isCurrent };
  }
  throw new KeyringError(
    'unwrap_failed',
    `the ${record.kek} secret does not open ${record.purpose} key ${record.keyId}: wrong secret or altered record`,
  );
}

function wrapAad(purpose: KeyPurpose, keyId: string, version: number): Buffer {
  return lengthPrefixed(['tradeguard-key/v1', purpose, keyId, String(version)]);
}

function tryUnwrap(record: WrappedKey, kek: KeyObject): Buffer | undefined {
  const sealed = Buffer.from(record.wrapped, 'base64url');
  if (sealed.length !== NONCE_BYTES + 32 + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', kek, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(wrapAad(record.purpose, record.keyId, record.version));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function checkRecord(record: WrappedKey): void {
  const invalid = (why: string) => new KeyringError('record_invalid', `key record ${record.keyId}: ${why}`);
  if (!Object.hasOwn(KEK_OF_PURPOSE, record.purpose)) throw invalid('unknown purpose');
  if (record.kek !== KEK_OF_PURPOSE[record.purpose]) throw invalid('wrapped by the wrong KEK');
  if (!UUID.test(record.keyId)) throw invalid('the key id is not a lower-case UUID');
  if (!Number.isSafeInteger(record.version) || record.version < 1) throw invalid('the version is not a number from 1');
  if (FIXED_PURPOSES.has(record.purpose) && record.version !== 1) {
    throw invalid(`${record.purpose} keys are never rotated`);
  }
}

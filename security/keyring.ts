import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Kek, KekName } from './kek.ts';
import { lengthPrefixed } from './length-prefix.ts';
import { uuidV7 } from './uuid.ts';

/** What a key is for, and which KEK wraps it. A key of one purpose is never used for another. */
const KEK_OF_PURPOSE = {
  session: 'session',
  csrf: 'session',
  'device-cookie': 'session',
  'login-subject': 'master',
  'transaction-id': 'master',
  'factor-code': 'master',
  'recovery-code': 'master',
  'security-answer': 'master',
  'reset-token': 'master',
  'search-attribute': 'master',
  'blind-index': 'master',
  'audit-entry': 'master',
  'payload-codec': 'master',
  field: 'master',
} as const satisfies Record<string, KekName>;

export type KeyPurpose = keyof typeof KEK_OF_PURPOSE;

export const KEY_PURPOSES = Object.keys(KEK_OF_PURPOSE) as readonly KeyPurpose[];

/** The purposes that the monthly turn-over of SESSION_SECRET's keyring replaces. */
export const SESSION_PURPOSES = KEY_PURPOSES.filter((purpose) => KEK_OF_PURPOSE[purpose] === 'session');

/**
 * Purposes with one generation for ever. A transaction id is derived from the Idempotency-Key: under a second key a
 * repeated request would get a second id, and its money would move twice.
 */
const FIXED_PURPOSES: ReadonlySet<KeyPurpose> = new Set(['transaction-id']);

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

/** A MAC with the generation that made it. */
export type VersionedMac = { keyId: string; version: number; mac: Buffer };

type LoadedKey = {
  purpose: KeyPurpose;
  keyId: string;
  version: number;
  hmacKey: KeyObject;
  cipherKey: KeyObject;
  seals: number;
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** NIST SP 800-38D section 8.3: at most 2^32 encryptions under one key with random 96-bit nonces. */
const MAX_SEALS = 2 ** 32;

export type KeyringDeps = {
  keks: Record<KekName, Kek>;
  /** Encryptions that one process does under one key before it refuses. */
  maxSeals?: number;
};

/**
 * Holds the opened keys by purpose: one active generation that makes new MACs and tokens, and any number of previous
 * ones that still verify. It stores nothing; the owner of the database loads records with `openWrapped` and keeps what
 * `generateWrapped` returns.
 */
export function createKeyring({ keks, maxSeals = MAX_SEALS }: KeyringDeps) {
  const keys = new Map<KeyPurpose, Map<string, LoadedKey>>();
  const activeIds = new Map<KeyPurpose, string>();

  function generationsOf(purpose: KeyPurpose): LoadedKey[] {
    const activeId = activeIds.get(purpose);
    return [...(keys.get(purpose)?.values() ?? [])].sort((a, b) =>
      a.keyId === activeId ? -1 : b.keyId === activeId ? 1 : b.version - a.version,
    );
  }

  function activeKey(purpose: KeyPurpose): LoadedKey {
    const keyId = activeIds.get(purpose);
    const key = keyId === undefined ? undefined : keys.get(purpose)?.get(keyId);
    if (!key) throw new KeyringError('no_active_key', `no active key for ${purpose}`);
    return key;
  }

  async function wrap(purpose: KeyPurpose, keyId: string, version: number, key: Uint8Array): Promise<WrappedKey> {
    const kek = KEK_OF_PURPOSE[purpose];
    const { key: wrappingKey, parameters } = await keks[kek].current();
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
    cipher.setAAD(wrapAad(purpose, keyId, version));
    const sealed = Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
    return { purpose, keyId, version, kek, ...parameters, wrapped: sealed.toString('base64url') };
  }

  async function unwrap(record: WrappedKey): Promise<{ key: Buffer; isCurrent: boolean }> {
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

  return {
    /** Makes a random 32-byte key and wraps it. It is not used until {@link openWrapped} takes it in. */
    async generateWrapped(purpose: KeyPurpose, version = 1): Promise<WrappedKey> {
      const key = randomBytes(32);
      const record = await wrap(purpose, uuidV7(), version, key);
      key.fill(0);
      return record;
    },

    /**
     * Takes a stored key in, as the purpose's active one (the former active one then only verifies) or as a previous
     * generation. The active key is displaced by another one or by {@link forget}, never by `active: false`, so a reload
     * in any order leaves no moment without one.
     *
     * @returns `wrappedByPrevious`: a previous secret opened it, so {@link rewrap} and store it before that secret goes.
     * @throws KeyringError `unwrap_failed` for a wrong secret or an altered record, `record_invalid` for a record that
     *   cannot be right; KekError for derivation parameters out of range.
     */
    async openWrapped(record: WrappedKey, { active }: { active: boolean }): Promise<{ wrappedByPrevious: boolean }> {
      const { key, isCurrent } = await unwrap(record);
      let generations = keys.get(record.purpose);
      if (!generations) {
        generations = new Map();
        keys.set(record.purpose, generations);
      }
      const { purpose, keyId, version } = record;
      if (!generations.has(keyId)) {
        const hmacKey = subkey(key, purpose, 'hmac-sha256');
        const cipherKey = subkey(key, purpose, 'aes-256-gcm');
        generations.set(keyId, { purpose, keyId, version, hmacKey, cipherKey, seals: 0 });
      }
      key.fill(0);
      if (active) activeIds.set(purpose, keyId);
      return { wrappedByPrevious: !isCurrent };
    },

    /** The same key, wrapped under the current secret: what is stored after SESSION_SECRET was changed. */
    async rewrap(record: WrappedKey): Promise<WrappedKey> {
      const { key } = await unwrap(record);
      const rewrapped = await wrap(record.purpose, record.keyId, record.version, key);
      key.fill(0);
      return rewrapped;
    },

    /** Drops a generation: nothing made with it verifies any more. */
    forget(purpose: KeyPurpose, keyId: string): void {
      keys.get(purpose)?.delete(keyId);
      if (activeIds.get(purpose) === keyId) activeIds.delete(purpose);
    },

    /** The loaded generations of a purpose, the active one first. */
    generations(purpose: KeyPurpose): { keyId: string; version: number; active: boolean; seals: number }[] {
      return generationsOf(purpose).map(({ keyId, version, seals }) => ({
        keyId,
        version,
        active: keyId === activeIds.get(purpose),
        seals,
      }));
    },

    /**
     * HMAC-SHA256 (32 bytes) of the length-prefixed parts under the active key.
     *
     * @throws KeyringError `no_active_key`
     */
    hmac(purpose: KeyPurpose, ...parts: (string | Uint8Array)[]): Buffer {
      return mac(activeKey(purpose).hmacKey, parts);
    },

    /**
     * The same under every loaded generation, the active one first: look a stored MAC up with `= ANY(...)` and what was
     * made before a rotation is still found.
     */
    hmacVersions(purpose: KeyPurpose, ...parts: (string | Uint8Array)[]): VersionedMac[] {
      return generationsOf(purpose).map(({ keyId, version, hmacKey }) => ({
        keyId,
        version,
        mac: mac(hmacKey, parts),
      }));
    },

    /**
     * The active AES-256-GCM key for one encryption with a random nonce; each call counts as one.
     *
     * @throws KeyringError `no_active_key`, or `key_exhausted` when the key must be rotated first.
     */
    sealingKey(purpose: KeyPurpose): { keyId: string; key: KeyObject } {
      const active = activeKey(purpose);
      if (active.seals >= maxSeals) {
        throw new KeyringError('key_exhausted', `${purpose} key ${active.keyId} has to be rotated`);
      }
      active.seals += 1;
      return { keyId: active.keyId, key: active.cipherKey };
    },

    /**
     * The AES-256-GCM key that made a token.
     *
     * @throws KeyringError `unknown_key` when that generation is not loaded.
     */
    openingKey(purpose: KeyPurpose, keyId: string): KeyObject {
      const key = keys.get(purpose)?.get(keyId);
      if (!key) throw new KeyringError('unknown_key', `no ${purpose} key ${keyId}`);
      return key.cipherKey;
    },
  };
}

export type Keyring = ReturnType<typeof createKeyring>;

/** HKDF-SHA256 (RFC 5869) keeps the uses of one random key apart; KeyObjects are cached, raw Buffers are 3x slower. */
function subkey(key: Uint8Array, purpose: KeyPurpose, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `tradeguard/v1/${purpose}/${use}`, 32)));
}

function mac(key: KeyObject, parts: readonly (string | Uint8Array)[]): Buffer {
  return createHmac('sha256', key).update(lengthPrefixed(parts)).digest();
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

import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import type { Kek, KekName } from './kek.ts';
import { lengthPrefixed } from './length-prefix.ts';
import { uuidV7 } from './uuid.ts';
import { type KeyPurpose, KeyringError, unwrapKey, type WrappedKey, wrapKey } from './wrapped-key.ts';

export { KEY_PURPOSES, type KeyPurpose, KeyringError, SESSION_PURPOSES, type WrappedKey } from './wrapped-key.ts';

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
  let missed: () => void = () => {};

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

  return {
    /** Makes a random 32-byte key and wraps it. It is not used until {@link openWrapped} takes it in. */
    async generateWrapped(purpose: KeyPurpose, version = 1): Promise<WrappedKey> {
      const key = randomBytes(32);
      const record = await wrapKey(keks, { purpose, keyId: uuidV7(), version }, key);
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
      const { key, isCurrent } = await unwrapKey(keks, record);
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
      const { key } = await unwrapKey(keks, record);
      const rewrapped = await wrapKey(keks, record, key);
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
      if (!key) {
        missed();
        throw new KeyringError('unknown_key', `no ${purpose} key ${keyId}`);
      }
      return key.cipherKey;
    },

    /** Calls `listener` whenever a generation is asked for that is not loaded: another process may have made it since. */
    onUnknownKey(listener: () => void): void {
      missed = listener;
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

import { createSecretKey, hkdfSync, type KeyObject, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const pbkdf2Async = promisify(pbkdf2);

/** PBKDF2-HMAC-SHA256 rounds for a new passphrase (OWASP Password Storage Cheat Sheet, 2023). */
export const DEFAULT_KDF_ITERATIONS = 600_000;
/** Fewer rounds are refused, for new keys and for stored ones alike, so a doctored record cannot weaken a key. */
export const MIN_KDF_ITERATIONS = 100_000;
/** A stored count above this is refused: the count comes from a database row and is work this process would do. */
const MAX_KDF_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;

/** The two key-encryption keys: `session` comes from SESSION_SECRET, `master` wraps everything else. */
export type KekName = 'session' | 'master';

/** What a wrapped key stores about the derivation of its KEK; empty when the KEK is a raw key. */
export type KdfParameters = { salt?: string; iterations?: number };

/** A secret that a KEK is made of: 32 raw bytes, or a passphrase that PBKDF2 stretches. */
export type KekSecret = { raw: Uint8Array | KeyObject } | { passphrase: string };

export type KekOptions = {
  name: KekName;
  secret: KekSecret;
  /** Earlier secrets, newest first: they still open what they wrapped, but wrap nothing new. */
  previous?: readonly KekSecret[];
  /** PBKDF2 rounds for records made from now on; stored ones keep their own number. */
  iterations?: number;
};

/** The KEK cannot be derived: a bad secret, or derivation parameters outside the allowed range. */
export class KekError extends Error {
  override readonly name = 'KekError';
}

/**
 * A source of key-encryption keys. Each derived key is cached, so that opening a whole keyring costs one derivation for
 * each salt, not one for each key.
 *
 * @throws KekError for a raw secret that is not 32 bytes, a passphrase under 16 characters, or iterations out of range.
 */
export function createKek(options: KekOptions) {
  const { name, secret, previous = [], iterations = DEFAULT_KDF_ITERATIONS } = options;
  checkIterations(iterations);
  for (const one of [secret, ...previous]) checkSecret(one);
  const derived = new Map<string, Promise<KeyObject>>();
  let lastParameters: KdfParameters | undefined;

  function derive(index: number, from: KekSecret, parameters: KdfParameters): Promise<KeyObject> {
    const cacheKey = `${index}:${parameters.salt ?? ''}:${parameters.iterations ?? 0}`;
    let key = derived.get(cacheKey);
    if (!key) {
      key = deriveKey(name, from, parameters);
      derived.set(cacheKey, key);
      // A failed derivation is not remembered, the next caller tries again.
      key.catch(() => derived.delete(cacheKey));
    }
    return key;
  }

  return {
    name,

    /** The key that wraps from now on, and the parameters to store with what it wraps. */
    async current(): Promise<{ key: KeyObject; parameters: KdfParameters }> {
      if ('raw' in secret) return { key: await derive(0, secret, {}), parameters: {} };
      // The salt of the records already opened is used again: it is random per installation, and every further salt
      // would cost each process another derivation at boot.
      if (lastParameters?.iterations !== iterations) {
        lastParameters = { salt: randomBytes(SALT_BYTES).toString('base64url'), iterations };
      }
      return { key: await derive(0, secret, lastParameters), parameters: lastParameters };
    },

    /** The keys that may have wrapped a record with these parameters: the current secret first, then previous ones. */
    async *candidates(parameters: KdfParameters): AsyncGenerator<{ key: KeyObject; isCurrent: boolean }> {
      checkParameters(parameters);
      const isPassphraseRecord = parameters.salt !== undefined;
      for (const [index, one] of [secret, ...previous].entries()) {
        if ('passphrase' in one !== isPassphraseRecord) continue;
        const key = await derive(index, one, parameters);
        yield { key, isCurrent: index === 0 };
      }
    },

    /** Remembers the parameters of a record that the current secret opened, for {@link current} to use again. */
    remember(parameters: KdfParameters): void {
      if (parameters.salt !== undefined) lastParameters = parameters;
    },
  };
}

export type Kek = ReturnType<typeof createKek>;

async function deriveKey(name: KekName, from: KekSecret, parameters: KdfParameters): Promise<KeyObject> {
  const ikm =
    'raw' in from
      ? from.raw
      : await pbkdf2Async(
          from.passphrase.normalize('NFKC'),
          Buffer.from(parameters.salt ?? '', 'base64url'),
          parameters.iterations ?? 0,
          32,
          'sha256',
        );
  // The info keeps the two KEKs apart even where an operator gave both the same secret.
  return createSecretKey(Buffer.from(hkdfSync('sha256', ikm, '', `tradeguard/v1/kek/${name}`, 32)));
}

function checkSecret(secret: KekSecret): void {
  if ('raw' in secret) {
    const length = 'symmetricKeySize' in secret.raw ? secret.raw.symmetricKeySize : (secret.raw as Uint8Array).length;
    if (length !== 32) throw new KekError('a raw key-encryption key has exactly 32 bytes');
    return;
  }
  if (secret.passphrase.length < 16) throw new KekError('a passphrase has at least 16 characters');
  if (!secret.passphrase.isWellFormed()) throw new KekError('a passphrase is well-formed Unicode');
}

function checkParameters(parameters: KdfParameters): void {
  if ((parameters.salt === undefined) !== (parameters.iterations === undefined)) {
    throw new KekError('salt and iterations are stored together or not at all');
  }
  if (parameters.salt === undefined || parameters.iterations === undefined) return;
  checkIterations(parameters.iterations);
  if (Buffer.from(parameters.salt, 'base64url').length < SALT_BYTES) throw new KekError('the stored salt is too short');
}

function checkIterations(iterations: number): void {
  if (!Number.isSafeInteger(iterations) || iterations < MIN_KDF_ITERATIONS || iterations > MAX_KDF_ITERATIONS) {
    throw new KekError(`PBKDF2 iterations lie between ${MIN_KDF_ITERATIONS} and ${MAX_KDF_ITERATIONS}`);
  }
}

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** Why a token is refused. `not_authentic`: made with another key, or altered. */
export type FernetErrorCode = 'key_invalid' | 'malformed' | 'unsupported' | 'expired' | 'from_future' | 'not_authentic';

/** A token that does not open. The message holds neither token, key nor content. */
export class FernetError extends Error {
  override readonly name = 'FernetError';
  readonly code: FernetErrorCode;
  constructor(code: FernetErrorCode) {
    super(`fernet: ${code}`);
    this.code = code;
  }
}

const VERSION = 0x80;
const TIMESTAMP_AT = 1;
const IV_AT = 9;
const CIPHERTEXT_AT = 25;
const BLOCK_BYTES = 16;
const MAC_BYTES = 32;
/** A clock of another machine may be ahead by this many seconds; checked where a time to live is. */
const MAX_CLOCK_SKEW_SECONDS = 60;

/**
 * The fernet format (https://github.com/fernet/spec, version 0x80): AES-128-CBC, then HMAC-SHA256 over everything. It is
 * here to take in what older systems encrypted; what Tradeguard encrypts itself is in `field-encryption.ts`.
 *
 * @param key base64url of 32 bytes: signing key, then encryption key
 * @throws FernetError `key_invalid`
 */
export function createFernet(key: string) {
  const bytes = decodeBase64Url(key);
  if (bytes?.length !== 32) throw new FernetError('key_invalid');
  // KeyObjects: Node makes one anew for every raw key.
  const signingKey = createSecretKey(bytes.subarray(0, 16));
  const encryptionKey = createSecretKey(bytes.subarray(16));

  function macOf(signed: Uint8Array): Buffer {
    return createHmac('sha256', signingKey).update(signed).digest();
  }

  return {
    /**
     * Makes a token, for tests and for handing data back to an older system.
     *
     * @param given.now Unix time in milliseconds; `iv` 16 bytes, drawn at random where it is left out
     */
    encrypt(message: string | Uint8Array, given: { now?: number; iv?: Uint8Array } = {}): string {
      const iv = given.iv ?? randomBytes(BLOCK_BYTES);
      const header = Buffer.alloc(IV_AT);
      header.writeUInt8(VERSION);
      header.writeBigUInt64BE(BigInt(Math.floor((given.now ?? Date.now()) / 1000)), TIMESTAMP_AT);
      const cipher = createCipheriv('aes-128-cbc', encryptionKey, iv);
      const signed = Buffer.concat([header, iv, cipher.update(Buffer.from(message)), cipher.final()]);
      return encodeBase64Url(Buffer.concat([signed, macOf(signed)]));
    },

    /**
     * Opens a token, in the order of the specification.
     *
     * @param given.ttlSeconds refuses tokens that are older, or from the future by more than a minute; without it a
     *   token's age does not matter, as befits an import
     * @param given.now Unix time in milliseconds
     * @returns the message, and when the token was made in Unix seconds
     * @throws FernetError
     */
    decrypt(token: string, given: { ttlSeconds?: number; now?: number } = {}): { message: Buffer; madeAt: number } {
      const parts = parse(token);
      if (given.ttlSeconds !== undefined) refuseByAge(parts.madeAt, given.ttlSeconds, given.now ?? Date.now());
      if (!timingSafeEqual(macOf(parts.signed), parts.mac)) throw new FernetError('not_authentic');
      const decipher = createDecipheriv('aes-128-cbc', encryptionKey, parts.iv);
      try {
        return {
          message: Buffer.concat([decipher.update(parts.ciphertext), decipher.final()]),
          madeAt: Number(parts.madeAt),
        };
      } catch {
        // Padding that is wrong under a right MAC: whoever made the token did not make it by the format.
        throw new FernetError('malformed');
      }
    },
  };
}

export type Fernet = ReturnType<typeof createFernet>;

/**
 * Opens a token with the first of several keys that made it (what other implementations call MultiFernet), so that an
 * import can read what was written before and after a rotation.
 *
 * @throws FernetError of the token where no key opens it
 */
export function decryptWithAny(fernets: readonly Fernet[], ...given: Parameters<Fernet['decrypt']>) {
  for (const fernet of fernets) {
    try {
      return fernet.decrypt(...given);
    } catch (error) {
      if (!(error instanceof FernetError) || error.code !== 'not_authentic') throw error;
    }
  }
  throw new FernetError('not_authentic');
}

function parse(token: string) {
  const bytes = decodeBase64Url(token);
  if (bytes === undefined) throw new FernetError('malformed');
  if (bytes.length > 0 && bytes[0] !== VERSION) throw new FernetError('unsupported');
  const ciphertextBytes = bytes.length - CIPHERTEXT_AT - MAC_BYTES;
  // The padding always adds a byte, so there is one block at least.
  if (ciphertextBytes < BLOCK_BYTES || ciphertextBytes % BLOCK_BYTES !== 0) throw new FernetError('malformed');
  const madeAt = bytes.readBigUInt64BE(TIMESTAMP_AT);
  if (madeAt > BigInt(Number.MAX_SAFE_INTEGER)) throw new FernetError('malformed');
  return {
    madeAt,
    iv: bytes.subarray(IV_AT, CIPHERTEXT_AT),
    ciphertext: bytes.subarray(CIPHERTEXT_AT, -MAC_BYTES),
    signed: bytes.subarray(0, -MAC_BYTES),
    mac: bytes.subarray(-MAC_BYTES),
  };
}

function refuseByAge(madeAt: bigint, ttlSeconds: number, now: number): void {
  const age = Math.floor(now / 1000) - Number(madeAt);
  if (age > ttlSeconds) throw new FernetError('expired');
  if (age < -MAX_CLOCK_SKEW_SECONDS) throw new FernetError('from_future');
}

/**
 * base64url with its padding (RFC 4648 section 5), as the fernet format has it.
 *
 * @returns undefined for another alphabet, wrong padding, or a spelling that another decoder could read differently
 */
function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return encodeBase64Url(bytes) === text ? bytes : undefined;
}

function encodeBase64Url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

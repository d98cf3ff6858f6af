import { randomBytes } from 'node:crypto';
import type { Keyring } from './keyring.ts';

/** Crockford's base32: no I, L, O or U, which people take for 1 and 0 or read as words. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LENGTH = 16;

/** A recovery code: 80 random bits, written `XXXX-XXXX-XXXX-XXXX`. Nobody guesses one, so a keyed hash is enough. */
export function newRecoveryCode(): string {
  // 32 symbols divide 256 evenly: the remainder of a random byte is uniform.
  const symbols = [...randomBytes(CODE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return (symbols.join('').match(/.{4}/g) ?? []).join('-');
}

/** A code as somebody typed it, in the one form that is hashed; undefined for what cannot be one. */
export function normalizeRecoveryCode(typed: string): string | undefined {
  const code = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  return code.length === CODE_LENGTH && [...code].every((symbol) => ALPHABET.includes(symbol)) ? code : undefined;
}

/** What is stored of a code that {@link newRecoveryCode} made. */
export function recoveryCodeMac(keyring: Keyring, userId: string, code: string): Buffer {
  return keyring.hmac('recovery-code', userId, code.replaceAll('-', ''));
}

/** The MACs a normalised code may be stored under: `where code_hash = any(...)`. */
export function recoveryCodeMacs(keyring: Keyring, userId: string, normalized: string): Buffer[] {
  return keyring.hmacVersions('recovery-code', userId, normalized).map(({ mac }) => mac);
}

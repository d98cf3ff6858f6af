import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { KeyPurpose, Keyring } from './keyring.ts';
import { uuidV8 } from './uuid.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** Purposes whose secret is an opaque random token, of which only a keyed hash is stored. */
export type TokenPurpose = Extract<KeyPurpose, 'session' | 'device-cookie' | 'reset-token'>;

/** An opaque token: 32 random bytes in base64url, 43 characters. */
export function newOpaqueToken(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a string has the form of {@link newOpaqueToken}: asked before any hashing or look-up. */
export function isOpaqueToken(value: string): boolean {
  return TOKEN.test(value);
}

/** What is stored of a token: its HMAC under the purpose's active key, 32 bytes. */
export function hashToken(keyring: Keyring, purpose: TokenPurpose, token: string): Buffer {
  return keyring.hmac(purpose, token);
}

/** The hashes a presented token may be stored under, newest key first: `WHERE token_hash = ANY(...)`. */
export function tokenHashes(keyring: Keyring, purpose: TokenPurpose, token: string): Buffer[] {
  return keyring.hmacVersions(purpose, token).map(({ mac }) => mac);
}

/**
 * Compares two secrets in constant time. Their SHA-256 digests are compared, since `timingSafeEqual` throws on unequal
 * lengths, and a length check in front would tell the length.
 */
export function secretsEqual(a: string | Uint8Array, b: string | Uint8Array): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/** A six-digit code for an e-mail, uniform over 000000 to 999999. */
export function newEmailCode(): string {
  return String(randomInt(1_000_000)).padStart(6, '0');
}

/** What an e-mailed code is for: a login, a session, or a transaction and the hash (hex) of the terms that it confirms. */
export interface CodeSubject {
  id: string;
  terms?: string;
}

/**
 * What is stored of an e-mailed code. A million codes are quickly tried against a plain hash, so it is keyed; bound to
 * its challenge, it is worth nothing in another, nor for other terms.
 */
export function emailCodeMac(keyring: Keyring, subject: CodeSubject, code: string): Buffer {
  return keyring.hmac('factor-code', 'email', ...codeParts(subject, code));
}

/** Whether a code is the one whose MAC was stored for this challenge, under any loaded key generation. */
export function verifyEmailCode(keyring: Keyring, stored: Uint8Array, subject: CodeSubject, code: string): boolean {
  return anyEqual(keyring.hmacVersions('factor-code', 'email', ...codeParts(subject, code)), stored);
}

function codeParts({ id, terms }: CodeSubject, code: string): string[] {
  return terms === undefined ? [id, code] : [id, code, terms];
}

/**
 * The CSRF token of a session (OWASP "HMAC-based" pattern): derived from the session's id, so nothing is stored and
 * another session's token is refused.
 */
export function csrfTokenFor(keyring: Keyring, sessionId: string): string {
  return keyring.hmac('csrf', sessionId).toString('base64url');
}

/** Whether a presented CSRF token belongs to this session, under any loaded key generation. */
export function verifyCsrfToken(keyring: Keyring, sessionId: string, token: string): boolean {
  if (!TOKEN.test(token)) return false;
  return anyEqual(keyring.hmacVersions('csrf', sessionId), Buffer.from(token, 'base64url'));
}

/**
 * The id of the transaction that a user's Idempotency-Key names on a route: a UUIDv8 of an HMAC, so every API process
 * meets the same row and workflow, and nobody without the key can work out another's id.
 */
export function transactionIdFor(keyring: Keyring, userId: string, route: string, idempotencyKey: string): string {
  return uuidV8(keyring.hmac('transaction-id', userId, route, idempotencyKey));
}

/** How a user appears in search attributes, which are never encrypted: an HMAC of the id, 32 hex digits. */
export function searchTag(keyring: Keyring, userId: string): string {
  return keyring.hmac('search-attribute', 'user', userId).toString('hex').slice(0, 32);
}

function anyEqual(candidates: readonly { mac: Buffer }[], presented: Uint8Array): boolean {
  let equal = false;
  for (const { mac } of candidates) {
    if (secretsEqual(mac, presented)) equal = true;
  }
  return equal;
}

function sha256(value: string | Uint8Array): Buffer {
  return createHash('sha256').update(value).digest();
}

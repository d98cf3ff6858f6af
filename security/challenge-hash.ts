import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TransactionType } from '../domain/transaction.ts';
import { canonicalJson } from './canonical-json.ts';

/**
 * What its owner confirms of a transaction: amounts in minor units, quantities in millionths, limits in units x 10^4, all as
 * decimal digits, null where there is none.
 */
export interface ConfirmedTerms {
  id: string;
  account_id: string;
  type: TransactionType;
  instrument_id: string | null;
  quantity: string | null;
  price_limit: string | null;
  amount: string | null;
  currency: string;
  counterparty: string | null;
}

/**
 * The 32 bytes that a step-up is about: SHA-256 over the terms in canonical JSON (RFC 8785). Every factor is bound to them, so
 * that it proves these terms and no others (dynamic linking: Commission Delegated Regulation (EU) 2018/389, article 5).
 */
export function challengeHash(terms: ConfirmedTerms): Buffer {
  const text = canonicalJson({
    v: 1,
    transaction: terms.id,
    account: terms.account_id,
    type: terms.type,
    instrument: terms.instrument_id,
    quantity: terms.quantity,
    priceLimit: terms.price_limit,
    amount: terms.amount,
    currency: terms.currency,
    counterparty: terms.counterparty,
  });
  return createHash('sha256').update(text).digest();
}

const NONCE_BYTES = 16;

/** What a passkey signs for terms: 16 random bytes and SHA-256 of them and the terms' hash, 48 bytes. */
export function boundChallenge(hash: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  return Buffer.concat([nonce, bind(nonce, hash)]);
}

/** Whether a challenge (base64url) was made by {@link boundChallenge} of this hash. */
export function isBoundTo(challenge: string, hash: Uint8Array): boolean {
  const bytes = Buffer.from(challenge, 'base64url');
  if (bytes.length !== NONCE_BYTES + 32) return false;
  return timingSafeEqual(bytes.subarray(NONCE_BYTES), bind(bytes.subarray(0, NONCE_BYTES), hash));
}

function bind(nonce: Uint8Array, hash: Uint8Array): Buffer {
  return createHash('sha256').update(nonce).update(hash).digest();
}

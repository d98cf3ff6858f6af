import { timingSafeEqual } from 'node:crypto';
import { HOTP, Secret, TOTP } from 'otpauth';

const ALGORITHM = 'SHA1';
const DIGITS = 6;
const PERIOD_SECONDS = 30;
/** 160 bits, the length RFC 4226 section 4 recommends. */
const SECRET_BYTES = 20;

export type TotpEnrolment = { /** base32 */ secret: string; otpauthUri: string };

export type TotpVerification = { ok: true; step: number } | { ok: false; reason: 'invalid' | 'reused' };

/**
 * A new TOTP secret and the URI that authenticator apps read from a QR code (Key URI Format). SHA-1, six digits and 30
 * seconds are what every app supports; HMAC-SHA-1 is not affected by SHA-1's collisions.
 */
export function newTotpEnrolment({ issuer, account }: { issuer: string; account: string }): TotpEnrolment {
  const secret = new Secret({ size: SECRET_BYTES }).base32;
  return { secret, otpauthUri: otpauthUri({ issuer, account, secret }) };
}

/** The URI of a secret that was drawn before; it holds the secret. */
export function otpauthUri({ issuer, account, secret }: { issuer: string; account: string; secret: string }): string {
  const totp = new TOTP({
    issuer,
    label: account,
    secret: Secret.fromBase32(secret),
    algorithm: ALGORITHM,
    digits: DIGITS,
    period: PERIOD_SECONDS,
  });
  return totp.toString();
}

/** The time step (RFC 6238 section 4.2) of a time in Unix milliseconds. */
export function totpStepAt(nowMs: number): number {
  return TOTP.counter({ period: PERIOD_SECONDS, timestamp: nowMs });
}

/** The six-digit code of one time step: what an authenticator app shows. */
export function totpCodeAt(secret: string, step: number): string {
  return HOTP.generate({ secret: Secret.fromBase32(secret), algorithm: ALGORITHM, digits: DIGITS, counter: step });
}

export type TotpVerificationInput = {
  /** base32 */
  secret: string;
  code: string;
  /** Unix milliseconds */
  nowMs: number;
  /** The highest step this secret was used in, or null before its first use. */
  lastUsedStep: number | null;
  /** Steps accepted on either side of the current one, for clock drift; 1 as RFC 6238 section 5.2 advises. */
  window?: number;
};

/**
 * Checks a code against the steps around now. Codes are good for one use (RFC 6238 section 5.2): a step up to
 * `lastUsedStep` is `reused`. That answer is advice; what makes it certain is the caller's
 * `UPDATE ... SET last_used_step = step WHERE last_used_step IS NULL OR last_used_step < step`.
 */
export function verifyTotp({ secret, code, nowMs, lastUsedStep, window = 1 }: TotpVerificationInput): TotpVerification {
  if (!/^\d{6}$/.test(code)) return { ok: false, reason: 'invalid' };
  const now = totpStepAt(nowMs);
  let matched: number | undefined;
  let reused = false;
  // Every step is computed whatever matches, so the time tells nothing about which one did.
  for (let step = Math.max(0, now - window); step <= now + window; step++) {
    if (!timingSafeEqual(Buffer.from(totpCodeAt(secret, step)), Buffer.from(code))) continue;
    if (lastUsedStep !== null && step <= lastUsedStep) reused = true;
    else matched ??= step;
  }
  if (matched !== undefined) return { ok: true, step: matched };
  return { ok: false, reason: reused ? 'reused' : 'invalid' };
}

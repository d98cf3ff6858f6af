import { z } from 'zod';
import { isTimeZone } from '../domain/local-time.ts';

/** Text that PostgreSQL and RFC 8785 can hold: well-formed Unicode without U+0000, trimmed. */
export function textInput(min: number, max: number) {
  return z
    .string()
    .max(max)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed Unicode without U+0000')
    .transform((text) => text.trim())
    .refine((text) => text.length >= min, `must have at least ${min} character(s)`);
}

/** An address that the mailer can write to: ASCII, at most 254 characters (RFC 5321 section 4.5.3.1). */
export const emailInput = z
  .string()
  .trim()
  .max(254)
  .regex(/^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'must be an e-mail address')
  .describe('E-mail address');

/** A password as somebody types it to sign in; what a new one must be like is the policy's to say. */
export const passwordInput = z.string().min(1).max(1024).describe('Password');

export const timeZoneInput = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be an IANA time zone')
  .describe('IANA time zone');

export const sixDigits = z
  .string()
  .trim()
  .regex(/^\d{6}$/, 'must be six digits');

/** 32 random bytes in base64url, as device tokens and the tokens in letters are. */
export const tokenInput = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be a token that we gave out');

export const factorBody = z.strictObject({
  method: z.enum(['totp', 'email_code']),
  code: sixDigits,
});

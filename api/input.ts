import { z } from 'zod';
import { isTimeZone } from '../domain/local-time.ts';
import { nameSchemas } from './named-schemas.ts';

/** Text that PostgreSQL and RFC 8785 can hold: well-formed Unicode without U+0000. */
const plainText = (max: number) =>
  z
    .string()
    .max(max)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed Unicode without U+0000');

/** Text as people write it, trimmed. */
export function textInput(min: number, max: number) {
  return plainText(max)
    .transform((text) => text.trim())
    .refine((text) => text.length >= min, `must have at least ${min} character(s)`);
}

/** A name as it stands in one line: no control characters, which lists, logs and letters would take for something else. */
export function nameInput(max: number) {
  return textInput(1, max).refine((text) => !/\p{Cc}/u.test(text), 'must hold no control characters');
}

/** An address that the mailer can write to: ASCII, at most 254 characters (RFC 5321 section 4.5.3.1). */
export const emailInput = z
  .string()
  .trim()
  .max(254)
  .regex(/^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'must be an e-mail address')
  .describe('E-mail address');

/** A password as somebody types it to sign in; what a new one must be like is the policy's to say. */
export const passwordInput = plainText(1024).min(1).describe('Password');

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

const base64url = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url');

/** What `navigator.credentials.get` gave, as `PublicKeyCredential.toJSON()` writes it. */
const assertionInput = z.strictObject({
  id: base64url(1364),
  rawId: base64url(1364),
  type: z.literal('public-key'),
  response: z.strictObject({
    clientDataJSON: base64url(4096),
    authenticatorData: base64url(4096),
    signature: base64url(8192),
    userHandle: base64url(88).nullish(),
  }),
  authenticatorAttachment: z.enum(['platform', 'cross-platform']).nullish(),
  clientExtensionResults: z.record(z.string().max(64), z.unknown()).optional(),
});

/** What `navigator.credentials.create` gave, as `PublicKeyCredential.toJSON()` writes it. */
export const attestationInput = z.strictObject({
  id: base64url(1364),
  rawId: base64url(1364),
  type: z.literal('public-key'),
  response: z.strictObject({
    clientDataJSON: base64url(4096),
    attestationObject: base64url(32_768),
    authenticatorData: base64url(8192).optional(),
    publicKey: base64url(4096).nullish(),
    publicKeyAlgorithm: z.int().optional(),
    transports: z.array(z.string().max(32)).max(8).optional(),
  }),
  authenticatorAttachment: z.enum(['platform', 'cross-platform']).nullish(),
  clientExtensionResults: z.record(z.string().max(64), z.unknown()).optional(),
});

/** One factor: a code, answers to the two questions that were asked, or what a passkey signed. */
export const factorBody = z.discriminatedUnion('method', [
  z.strictObject({ method: z.enum(['totp', 'email_code']), code: sixDigits }),
  z.strictObject({
    method: z.literal('recovery_code'),
    code: z.string().trim().min(16).max(40).describe('One of the ten; case, spaces and dashes do not matter'),
  }),
  z.strictObject({
    method: z.literal('security_questions'),
    answers: z.array(z.strictObject({ questionId: z.uuid(), answer: textInput(1, 200) })).length(2),
  }),
  z.strictObject({ method: z.literal('webauthn'), credential: assertionInput }),
]);
nameSchemas({ PasskeyAssertion: assertionInput, PasskeyAttestation: attestationInput, Factor: factorBody });

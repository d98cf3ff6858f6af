/** Why a signature or a token was refused, in words (security/request-signing.ts, api/app.ts). */
const CAUSES: Readonly<Record<string, string>> = {
  header_missing: 'a header of the signature is missing',
  header_duplicated: 'a header came twice',
  header_malformed: 'a header is malformed',
  algorithm_unsupported: 'unsupported algorithm',
  content_encoded: 'the body came encoded',
  target_malformed: 'the request target is malformed',
  key_id_required: 'several keys, and none was named',
  key_unknown: 'unknown key',
  key_of_another_user: 'the key is somebody else’s',
  key_revoked: 'the key was revoked',
  signature_mismatch: 'the signature does not match',
  timestamp_old: 'too old: a slow clock, or a request sent again',
  timestamp_future: 'from the future: a fast clock',
  nonce_replayed: 'the same request again (replay)',
  webhook_signature: 'webhook of the payment provider',
  payment_mismatch: 'a payment that fits no transaction',
  unknown_or_expired: 'unknown or expired',
  malformed: 'not a token at all',
};

export const refusalText = (cause: string): string => CAUSES[cause] ?? cause.replaceAll('_', ' ');

const METHODS: Readonly<Record<string, string>> = {
  totp: 'authenticator',
  email_code: 'e-mailed code',
  recovery_code: 'recovery code',
  security_questions: 'security questions',
  webauthn: 'passkey',
};

/** A factor's name. */
export const methodText = (method: string): string => METHODS[method] ?? method.replaceAll('_', ' ');

/** `authenticator, for a login` */
export const factorText = (challenge: string, method: string): string =>
  `${methodText(method)}, for a ${challenge.replaceAll('_', ' ')}`;

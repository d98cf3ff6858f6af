import { createHmac, createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';

/** First line of every signed text: names format and algorithm, so that no other protocol's text can be one of ours. */
export const SIGNATURE_SCHEME = 'TG1-HMAC-SHA256';
/** Seconds that `X-Timestamp` may differ from the server's clock, either way. */
export const SIGNATURE_WINDOW_SECONDS = 300;

/** What a signature covers, byte for byte as it stands in the request. */
export interface SignedParts {
  keyId: string;
  /** Unix seconds, ten digits. */
  timestamp: string;
  /** UUID in the spelling that was sent. */
  nonce: string;
  method: string;
  /** Which installation the request is for: a signature for one is worth nothing at another. */
  audience: string;
  /** Request target up to the first `?`, not decoded. */
  path: string;
  /** Request target behind the first `?`; empty without one. */
  query: string;
  /** Empty without one. */
  idempotencyKey: string;
  body: Uint8Array;
}

/** Why a request is refused. For the audit log alone: outside there is one answer. */
export type SignatureRefusal =
  | 'header_missing'
  | 'header_duplicated'
  | 'header_malformed'
  | 'algorithm_unsupported'
  | 'content_encoded'
  | 'target_malformed'
  | 'key_id_required'
  | 'key_unknown'
  | 'key_of_another_user'
  | 'key_revoked'
  | 'signature_mismatch'
  | 'timestamp_old'
  | 'timestamp_future'
  | 'nonce_replayed';

/** A request as it arrived, before anything of it is believed. */
export interface ReceivedRequest {
  method: string;
  /** Request target of the first line, not decoded. */
  target: string;
  /** Names and values in turn, as `IncomingMessage.rawHeaders` has them: only there are duplicates visible. */
  rawHeaders: readonly string[];
  body: Uint8Array;
}

/** A signature with what it claims to cover; the key id is undefined where the header was left out. */
export interface PresentedSignature {
  parts: Omit<SignedParts, 'keyId'>;
  keyId: string | undefined;
  signature: Buffer;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ANY_CASE_UUID = new RegExp(UUID.source, 'i');
const TIMESTAMP = /^\d{10}$/;
const HEX_MAC = /^[0-9a-f]{64}$/;
/** No line feed, so that lines cannot be moved; no byte beyond ASCII, whose decoding clients do not agree on. */
const PRINTABLE = /^[\x20-\x7e]*$/;

const REQUIRED = ['x-signature', 'x-timestamp', 'x-nonce', 'x-algorithm'] as const;
const AT_MOST_ONCE = new Set<string>([...REQUIRED, 'x-key-id', 'idempotency-key']);

/**
 * Reads the signature of a request and checks its form.
 *
 * @returns the presented signature, or the first thing wrong with it
 */
export function readSignature(
  request: ReceivedRequest,
  audience: string,
): PresentedSignature | { refusal: SignatureRefusal } {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = (request.rawHeaders[index] as string).toLowerCase();
    // Only the bytes as sent are signed; what an encoding would unfold to is not.
    if (name === 'content-encoding') return { refusal: 'content_encoded' };
    if (!AT_MOST_ONCE.has(name)) continue;
    if (headers.has(name)) return { refusal: 'header_duplicated' };
    headers.set(name, request.rawHeaders[index + 1] as string);
  }
  if (REQUIRED.some((name) => !headers.get(name))) return { refusal: 'header_missing' };
  if (headers.get('x-algorithm') !== 'sha256') return { refusal: 'algorithm_unsupported' };

  const [signature = '', timestamp = '', nonce = ''] = REQUIRED.map((name) => headers.get(name));
  const keyId = headers.get('x-key-id');
  const idempotencyKey = headers.get('idempotency-key') ?? '';
  if (!HEX_MAC.test(signature) || !TIMESTAMP.test(timestamp) || !ANY_CASE_UUID.test(nonce)) {
    return { refusal: 'header_malformed' };
  }
  if ((keyId !== undefined && !UUID.test(keyId)) || !PRINTABLE.test(idempotencyKey)) {
    return { refusal: 'header_malformed' };
  }
  const { method, target, body } = request;
  // A target of another form (`http://host/path`, `*`) is routed by its path, and would be signed as something else.
  if (!target.startsWith('/') || !PRINTABLE.test(target)) return { refusal: 'target_malformed' };
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? '' : target.slice(queryAt + 1);
  const parts = { timestamp, nonce, method, audience, path, query, idempotencyKey, body };
  return { parts, keyId, signature: Buffer.from(signature, 'hex') };
}

/**
 * The text that is signed: ten lines, joined by `\n`, none at the end.
 *
 * @throws TypeError when a part holds anything but printable ASCII: two requests could then share one text
 */
export function signedText(parts: SignedParts): string {
  const lines = [
    SIGNATURE_SCHEME,
    parts.keyId,
    parts.timestamp,
    parts.nonce,
    parts.method,
    parts.audience,
    parts.path,
    parts.query,
    parts.idempotencyKey,
    hash('sha256', parts.body, 'hex'),
  ];
  if (!lines.every((line) => PRINTABLE.test(line))) throw new TypeError('a signed part is not printable ASCII');
  return lines.join('\n');
}

/** The value of `X-Signature`: hex HMAC-SHA256 (RFC 2104) of the signed text. @throws TypeError as {@link signedText} */
export function signRequest(key: KeyObject, parts: SignedParts): string {
  return createHmac('sha256', key).update(signedText(parts)).digest('hex');
}

/** Stands in for a key that does not exist, so that an unknown key id costs what a known one costs. */
const DUMMY_KEY = createSecretKey(randomBytes(32));
const DUMMY_KEY_ID = '00000000-0000-0000-0000-000000000000';

/**
 * Whether the signature was made with this key, in constant time (customer row R4). Without a key the same work is done,
 * and the answer is no.
 */
export function verifySignature(
  presented: PresentedSignature,
  candidate: { keyId: string; key: KeyObject } | undefined,
): boolean {
  const { keyId, key } = candidate ?? { keyId: presented.keyId ?? DUMMY_KEY_ID, key: DUMMY_KEY };
  const expected = createHmac('sha256', key)
    .update(signedText({ ...presented.parts, keyId }))
    .digest();
  return timingSafeEqual(expected, presented.signature) && candidate !== undefined;
}

/**
 * Whether a signed time lies outside the window.
 *
 * @param now the server's time in Unix seconds, fractions allowed
 */
export function timestampRefusal(timestamp: string, now: number): SignatureRefusal | undefined {
  const ahead = Number(timestamp) - now;
  if (ahead < -SIGNATURE_WINDOW_SECONDS) return 'timestamp_old';
  return ahead > SIGNATURE_WINDOW_SECONDS ? 'timestamp_future' : undefined;
}

/** A new secret: 32 random bytes in base64url, 43 characters. */
export function newSigningSecret(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * The HMAC key of a secret: its decoded bytes. A KeyObject is kept, since Node makes one anew for every raw Buffer.
 *
 * @throws TypeError when it is not 32 bytes in base64url
 */
export function signingKeyFrom(secret: string): KeyObject {
  const bytes = Buffer.from(secret, 'base64url');
  if (bytes.length !== 32 || bytes.toString('base64url') !== secret) throw new TypeError('not a signing secret');
  return createSecretKey(bytes);
}

import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { HttpClient } from './http.ts';

/** What `POST /api/signing-keys` hands out. */
export interface IssuedSigningKey {
  keyId: string;
  /** 32 bytes in base64url. */
  secret: string;
  audience: string;
}

export interface ToSign {
  method: string;
  /** Request target: path with query. */
  target: string;
  /** The body as it will be sent. */
  body?: string | Buffer | undefined;
  idempotencyKey?: string | undefined;
  /** Unix seconds; default now. */
  timestamp?: string | number;
  nonce?: string;
}

/** Gets a key by the API's own door. The session needs a fresh factor: `people.signedIn` has one. */
export async function issueSigningKey(api: HttpClient, token: string): Promise<IssuedSigningKey> {
  const answer = await api.post('/api/signing-keys', {}, { token });
  if (answer.status !== 201) throw new Error(`no key: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/**
 * The headers that sign a request, worked out as docs/request-signing.md tells it and without the program's own code, so
 * that a change of the format breaks every test that signs.
 */
export function signatureHeaders(key: IssuedSigningKey, request: ToSign): Record<string, string> {
  const timestamp = String(request.timestamp ?? Math.floor(Date.now() / 1000));
  const nonce = request.nonce ?? randomUUID();
  const [path = '', ...query] = request.target.split('?');
  const text = [
    'TG1-HMAC-SHA256',
    key.keyId,
    timestamp,
    nonce,
    request.method,
    key.audience,
    path,
    query.join('?'),
    request.idempotencyKey ?? '',
    createHash('sha256')
      .update(request.body ?? '')
      .digest('hex'),
  ].join('\n');
  return {
    'X-Key-Id': key.keyId,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Algorithm': 'sha256',
    'X-Signature': createHmac('sha256', Buffer.from(key.secret, 'base64url')).update(text).digest('hex'),
    ...(request.idempotencyKey === undefined ? {} : { 'Idempotency-Key': request.idempotencyKey }),
  };
}

/** Signed calls in the name of one session. */
export function createSignedClient(api: HttpClient, { token, key }: { token: string; key: IssuedSigningKey }) {
  return {
    post: (target: string, body: unknown = {}, { idempotencyKey }: { idempotencyKey?: string } = {}) =>
      api.post(target, body, {
        token,
        signWith: key,
        headers: idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey },
      }),
    delete: (target: string) => api.delete(target, { token, signWith: key }),
  };
}

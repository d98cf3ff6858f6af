import { createSecretKey, randomUUID } from 'node:crypto';
import { signRequest } from '../security/request-signing.ts';

/** A signing key as `POST /api/signing-keys` hands it out. */
export interface SigningKey {
  readonly keyId: string;
  /** 32 bytes in base64url. */
  readonly secret: string;
  readonly audience: string;
}

/** What of a request is signed. */
export interface RequestToSign {
  readonly method: string;
  /** Request target: path with query. */
  readonly target: string;
  /** The body as it will be sent; empty without one. */
  readonly body: string;
  /** Empty without one. */
  readonly idempotencyKey: string;
}

/** Signs requests with one key; every call draws a nonce of its own, so a repeated request is signed anew. */
export function createRequestSigner({ keyId, secret, audience }: SigningKey) {
  const key = createSecretKey(Buffer.from(secret, 'base64url'));
  /** @returns the headers of docs/request-signing.md */
  return ({ method, target, body, idempotencyKey }: RequestToSign): Record<string, string> => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const nonce = randomUUID();
    const [path = '', ...query] = target.split('?');
    const signature = signRequest(key, {
      ...{ keyId, timestamp, nonce, method, audience, path, idempotencyKey },
      query: query.join('?'),
      body: Buffer.from(body),
    });
    return {
      'x-key-id': keyId,
      'x-timestamp': timestamp,
      'x-nonce': nonce,
      'x-algorithm': 'sha256',
      'x-signature': signature,
    };
  };
}

export type RequestSigner = ReturnType<typeof createRequestSigner>;

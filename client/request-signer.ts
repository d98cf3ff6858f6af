/** The platform's CryptoKey, whose name the types of Node and of browsers do not share. */
export type HmacKey = Parameters<typeof crypto.subtle.sign>[1];

/** A signing key as `issueSigningKey` hands it out; the secret is shown once. */
export interface SigningCredential {
  readonly keyId: string;
  /** 32 bytes in base64url, or a key that does not leave the browser: {@link importSigningKey}. */
  readonly secret: string | HmacKey;
  readonly audience: string;
}

/** What of a request is signed. */
export interface RequestToSign {
  readonly method: string;
  /** Path with query, as it will be sent. */
  readonly target: string;
  /** As it will be sent; empty without one. */
  readonly body: string;
  /** Empty without one. */
  readonly idempotencyKey: string;
}

const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' } as const;
const utf8 = new TextEncoder();

/**
 * A secret as a key that signs and cannot be read again, not even by a script of this page; keep it in IndexedDB.
 *
 * @param secret 32 bytes in base64url
 * @throws RangeError when it is something else
 */
export function importSigningKey(secret: string): Promise<HmacKey> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) throw new RangeError('the secret of a signing key is 32 bytes in base64url');
  const bytes = Uint8Array.from(atob(secret.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  return crypto.subtle.importKey('raw', bytes, ALGORITHM, false, ['sign']);
}

/**
 * Signs requests as docs/request-signing.md says. Every call draws a nonce of its own, so a request that is sent again is
 * signed again.
 */
export function createRequestSigner({ keyId, secret, audience }: SigningCredential) {
  let key: Promise<HmacKey> | undefined;
  let aheadMs = 0;

  return {
    /** @returns the headers to send with exactly this request */
    async sign({ method, target, body, idempotencyKey }: RequestToSign): Promise<Record<string, string>> {
      key ??= typeof secret === 'string' ? importSigningKey(secret) : Promise.resolve(secret);
      const timestamp = String(Math.floor((Date.now() + aheadMs) / 1000));
      const nonce = crypto.randomUUID();
      const mark = target.indexOf('?');
      const [path, query] = mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
      const bodyHash = hex(await crypto.subtle.digest('SHA-256', utf8.encode(body)));
      const lines = [keyId, timestamp, nonce, method, audience, path, query, idempotencyKey, bodyHash];
      const text = utf8.encode(['TG1-HMAC-SHA256', ...lines].join('\n'));
      return {
        'X-Key-Id': keyId,
        'X-Timestamp': timestamp,
        'X-Nonce': nonce,
        'X-Algorithm': 'sha256',
        'X-Signature': hex(await crypto.subtle.sign('HMAC', await key, text)),
      };
    },

    /**
     * Signs by the server's clock from now on. A signature that was right but out of time is answered with it.
     *
     * @param serverTime Unix seconds
     */
    setClock(serverTime: number): void {
      aheadMs = serverTime * 1000 - Date.now();
    },
  };
}

export type RequestSigner = ReturnType<typeof createRequestSigner>;

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

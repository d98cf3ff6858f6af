import { type IssuedSigningKey, signatureHeaders } from './signing.ts';

/** One answer of the API. `body` is the parsed JSON, or the text of anything else. */
export interface Answer<B = Record<string, unknown>> {
  status: number;
  body: B;
  headers: Headers;
}

export interface CallOptions {
  /** Session token, sent as a bearer. */
  token?: string;
  /** Signs the call, with the `Idempotency-Key` among its headers; every call draws a nonce of its own. */
  signWith?: IssuedSigningKey | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** A client of the API over real HTTP. An error status is an answer, not an exception. */
export function createHttpClient(baseUrl: () => string) {
  async function call<B>(method: string, path: string, body: unknown, options: CallOptions): Promise<Answer<B>> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const toSign = { method, target: path, body: text, idempotencyKey: options.headers?.['Idempotency-Key'] };
    const response = await fetch(`${baseUrl()}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
        ...options.headers,
        ...(options.signWith === undefined ? {} : signatureHeaders(options.signWith, toSign)),
      },
      ...(text === undefined ? {} : { body: text }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      redirect: 'manual',
    });
    const received = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      body: (isJson ? JSON.parse(received) : received) as B,
      headers: response.headers,
    };
  }

  return {
    // biome-ignore lint/suspicious/noExplicitAny: tests read answers of many shapes, and assertions check them
    get: <B = any>(path: string, options: CallOptions = {}) => call<B>('GET', path, undefined, options),
    // biome-ignore lint/suspicious/noExplicitAny: see above
    post: <B = any>(path: string, body: unknown = {}, options: CallOptions = {}) =>
      call<B>('POST', path, body, options),
    // biome-ignore lint/suspicious/noExplicitAny: see above
    put: <B = any>(path: string, body: unknown, options: CallOptions = {}) => call<B>('PUT', path, body, options),
    // biome-ignore lint/suspicious/noExplicitAny: see above
    patch: <B = any>(path: string, body: unknown, options: CallOptions = {}) => call<B>('PATCH', path, body, options),
    // biome-ignore lint/suspicious/noExplicitAny: see above
    delete: <B = any>(path: string, options: CallOptions = {}) => call<B>('DELETE', path, undefined, options),
  };
}

export type HttpClient = ReturnType<typeof createHttpClient>;

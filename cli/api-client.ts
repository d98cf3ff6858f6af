import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { RequestSigner } from './request-signer.ts';

/** An answer of the API, whatever its status. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: answers differ by call and status; callers check what they read
  readonly body: any;
}

export interface ApiCall {
  readonly body?: unknown;
  /** Session token. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Signs the call, with the `idempotency-key` among its headers. */
  readonly sign?: RequestSigner | undefined;
}

/**
 * Calls the JSON API over connections that stay open. Statuses are answers, not errors.
 *
 * @throws the socket's error when the API cannot be reached, or answers nothing within 30 s
 */
export function createApiClient(origin: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });

  function send(method: string, path: string, { body, token, headers, sign }: ApiCall = {}): Promise<ApiAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const idempotencyKey = headers?.['idempotency-key'] ?? '';
    const signature = sign?.({ method, target: path, body: text ?? '', idempotencyKey });
    return new Promise((resolve, reject) => {
      const call = request(new URL(path, origin), {
        method,
        agent,
        timeout: 30_000,
        headers: {
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
          ...signature,
        },
      });
      call.on('timeout', () => call.destroy(new Error(`${origin} did not answer within 30 s`)));
      call.on('error', reject);
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parse(Buffer.concat(chunks)) });
        });
      });
      call.end(text);
    });
  }

  return {
    get: (path: string, call?: ApiCall) => send('GET', path, call),
    post: (path: string, call?: ApiCall) => send('POST', path, call),
    /** Closes the connections that idle. */
    close: () => agent.destroy(),
  };
}

export type ApiClient = ReturnType<typeof createApiClient>;

function parse(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

import { ConnectionError, problemError } from './problem-error.ts';
import type { RequestSigner } from './request-signer.ts';
import { retryAfterMs } from './retry.ts';

/** One request, as it will be sent. */
export interface Outgoing {
  readonly method: string;
  /** Path with query. */
  readonly target: string;
  /** JSON text. */
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly idempotencyKey: string | undefined;
  readonly signer: RequestSigner | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Incoming {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON that was answered; undefined without any. */
  readonly body: unknown;
}

export interface TransportOptions {
  readonly origin: string;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  /** The session goes with the browser's cookies. */
  readonly cookies: boolean;
}

/** Sends a request once. */
export function createTransport({ origin, fetch, timeoutMs, cookies }: TransportOptions) {
  async function exchange(request: Outgoing, headers: Record<string, string>): Promise<Incoming> {
    const { method, target, body, signal } = request;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(new URL(target, origin), {
        method,
        headers,
        redirect: 'error',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        ...(cookies ? { credentials: 'same-origin' as const } : {}),
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.status, headers: response.headers, body: await jsonOf(response) };
    } catch (error) {
      // Who cancels gets their own reason; everything else means that no answer came.
      signal?.throwIfAborted();
      const why = timeout.aborted ? `did not answer within ${timeoutMs} ms` : 'cannot be reached';
      throw new ConnectionError(`${origin} ${why}`, { cause: error });
    }
  }

  return {
    /** @throws ProblemError for a status that is none of success, ConnectionError, and the signal's own reason */
    async send(request: Outgoing): Promise<Incoming> {
      const { method, target, body = '', idempotencyKey, signer } = request;
      const answer = await exchange(request, {
        Accept: 'application/json',
        ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
        ...request.headers,
        ...(await signer?.sign({ method, target, body, idempotencyKey: idempotencyKey ?? '' })),
      });
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw problemError(answer.status, answer.body, retryAfterMs(answer.headers.get('retry-after')));
    },
  };
}

export type Transport = ReturnType<typeof createTransport>;

async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '' || !/\bjson\b/.test(response.headers.get('content-type') ?? '')) return undefined;
  return JSON.parse(text);
}

import { ConnectionError, ProblemError } from './problem-error.ts';

/** When a call is sent again by itself. */
export interface RetryPolicy {
  /** How often it is sent at most; 1 for never again. */
  readonly attempts: number;
  /** The longest wait in milliseconds. Where the server asks for more, the refusal is thrown at once. */
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 4, maxDelayMs: 30_000 };

const FIRST_DELAY_MS = 200;
/** From what stands between: the server itself says 503. */
const LATER = new Set([502, 503, 504]);

/**
 * How long to wait before a call is sent again.
 *
 * @param failed how often it was sent, 1 for the first time
 * @param repeatable whether it does the same however often it is sent; where not, only a refusal that says that nothing was
 *   begun (429) is followed
 * @returns milliseconds; undefined where it is not sent again
 */
export function delayBeforeRetry(
  error: unknown,
  { failed, repeatable, policy }: { failed: number; repeatable: boolean; policy: RetryPolicy },
  random: () => number = Math.random,
): number | undefined {
  if (failed >= policy.attempts) return undefined;
  // Full jitter: callers that failed together do not come back together.
  const backoff = random() * Math.min(policy.maxDelayMs, FIRST_DELAY_MS * 2 ** (failed - 1));
  if (error instanceof ConnectionError) return repeatable ? backoff : undefined;
  if (!(error instanceof ProblemError)) return undefined;
  const { status, retryAfterMs } = error;
  const isLimited = status === 429 && retryAfterMs !== undefined;
  if (!isLimited && !(repeatable && LATER.has(status))) return undefined;
  if (retryAfterMs === undefined) return backoff;
  return retryAfterMs > policy.maxDelayMs ? undefined : retryAfterMs + backoff;
}

/**
 * What a Retry-After says (RFC 9110 section 10.2.3).
 *
 * @returns milliseconds from now, not below 0; undefined where it says nothing that can be read
 */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** @throws the signal's reason as soon as it aborts */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

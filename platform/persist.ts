import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

export interface PersistOptions {
  name: string;
  log: Logger;
  signal: AbortSignal;
  /** Errors that no repetition can mend. */
  isFatal?: (error: unknown) => boolean;
}

const FIRST_DELAY_MS = 200;
const LAST_DELAY_MS = 5_000;
/** An attempt that lasted this long was healthy: the next failure starts with a short wait again. */
const HEALTHY_AFTER_MS = 30_000;

/**
 * Repeats `work` until it succeeds or `signal` aborts, with a growing wait: a database or Temporal server that is down
 * is waited for, never a reason to end the process.
 *
 * @returns undefined when `signal` aborted first
 * @throws a fatal error
 */
export async function persist<T>(work: () => Promise<T>, options: PersistOptions): Promise<T | undefined> {
  const { name, log, signal, isFatal = () => false } = options;
  let delay = FIRST_DELAY_MS;
  while (!signal.aborted) {
    const started = Date.now();
    try {
      return await work();
    } catch (error) {
      if (isFatal(error)) throw error;
      if (signal.aborted) return undefined;
      if (Date.now() - started > HEALTHY_AFTER_MS) delay = FIRST_DELAY_MS;
      log.warn({ err: error, part: name, retryInMs: delay }, 'failed, trying again');
      await sleep(delay, undefined, { signal }).catch(() => {});
      delay = Math.min(delay * 2, LAST_DELAY_MS);
    }
  }
  return undefined;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { type IssuedSigningKey, signatureHeaders } from './signing.ts';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field
  body: any;
  headers: Headers;
  /** How often it had to ask: 1 where nothing failed. */
  attempts: number;
}

/**
 * A client as we tell our customers to write it: a lost connection or a 503 means "ask again with the same
 * Idempotency-Key", for as long as `patienceMs`.
 */
export async function persistently(
  url: () => string,
  init: {
    method?: string;
    token?: string;
    /** Idempotency-Key. */
    key?: string;
    /** Signs every attempt anew: a nonce may have been used up by one that failed. */
    signWith?: IssuedSigningKey;
    body?: unknown;
    headers?: Record<string, string>;
  },
  patienceMs = 120_000,
): Promise<Answer> {
  const deadline = Date.now() + patienceMs;
  let last = 'nothing was tried';
  for (let attempts = 1; Date.now() < deadline; attempts++) {
    try {
      const address = url();
      const method = init.method ?? 'POST';
      const sent = init.body === undefined ? undefined : JSON.stringify(init.body);
      const toSign = { method, target: new URL(address).pathname, body: sent, idempotencyKey: init.key };
      const response = await fetch(address, {
        method,
        headers: {
          ...(init.body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(init.token ? { Authorization: `Bearer ${init.token}` } : {}),
          ...(init.key ? { 'Idempotency-Key': init.key } : {}),
          ...(init.signWith ? signatureHeaders(init.signWith, toSign) : {}),
          ...init.headers,
        },
        ...(sent === undefined ? {} : { body: sent }),
        signal: AbortSignal.timeout(20_000),
      });
      const text = await response.text();
      if (response.status !== 503) {
        return {
          status: response.status,
          body: text ? JSON.parse(text) : undefined,
          headers: response.headers,
          attempts,
        };
      }
      last = text;
    } catch (error) {
      last = String((error as Error).cause ?? error);
    }
    await sleep(250);
  }
  throw new Error(`no answer within ${patienceMs} ms; the last: ${last}`);
}

/** Runs `work` over the items with at most `limit` at once, and keeps the order of the results. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
) {
  const results = new Array<R>(items.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(limit, items.length) }, async () => {
      for (let index = next++; index < items.length; index = next++) {
        results[index] = await work(items[index] as T, index);
      }
    }),
  );
  return results;
}

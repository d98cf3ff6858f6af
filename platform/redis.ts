import { createClient } from '@redis/client';
import type { Logger } from 'pino';

const CONNECT_TIMEOUT_MS = 2_000;
/** A server that is there and says nothing is found by a ping that gets no answer, and its connection ended. */
const PING_INTERVAL_MS = 1_000;
const SILENCE_MS = 2_000;
const RECONNECT_MS = { first: 100, most: 2_000 };

/** A Redis-compatible server (Redis, Valkey, KeyDB) that may be away at any time, the start included. */
export interface RedisConnection {
  readonly client: ReturnType<typeof connectionTo>;
  isUp(): boolean;
  close(): void;
}

/**
 * Connects in the background and for as long as it takes; meanwhile commands fail at once instead of waiting in a queue.
 *
 * @param url `redis://user:password@host:6379/0` or `rediss://` (TLS with the certificate checked); never logged
 */
export function openRedis({ url, log }: { url: string; log: Logger }): RedisConnection {
  const client = connectionTo(url);
  let isTold = false;
  client.on('error', (error: unknown) => {
    if (isTold) return;
    isTold = true;
    // Messages of the library can hold what was sent or where to: the code says what there is to know.
    const { name, code } = error as { name?: string; code?: string };
    log.warn({ error: name, code }, 'Redis does not answer: calls are counted in PostgreSQL until it does');
  });
  client.on('ready', () => {
    isTold = false;
    log.info('Redis counts calls');
  });
  // It settles when the connection is there or the client is closed; in between there are the events above.
  client.connect().catch(() => {});
  return { client, isUp: () => client.isReady, close: () => client.destroy() };
}

function connectionTo(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: PING_INTERVAL_MS,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries) => Math.min(RECONNECT_MS.first * 2 ** Math.min(retries, 10), RECONNECT_MS.most),
    },
  });
}

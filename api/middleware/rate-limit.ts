import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  RLWrapperTimeouts,
} from 'rate-limiter-flexible';
import type { FrontDoorEvents } from '../../db/front-door-events.ts';
import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { DomainError } from '../../domain/errors.ts';
import { networkKey } from '../../domain/network.ts';
import type { RedisConnection } from '../../platform/redis.ts';
import type { Keyring } from '../../security/keyring.ts';
import type { Principal, RequestFacts, Route } from '../route.ts';

export interface RateLimitDeps {
  db: Database;
  keyring: Keyring;
  events: FrontDoorEvents;
  perMinute: number;
  /** Where one is configured, it counts; PostgreSQL does while it is away. */
  redis: RedisConnection | undefined;
}

const MINUTE_SECONDS = 60;
/** So long a call waits for Redis before PostgreSQL counts it: a busy process must not take its own delay for an outage. */
const REDIS_TIMEOUT_MS = 1_000;
const REDIS_PREFIX = 'tradeguard:limit';

/**
 * So many calls a minute for each route and caller: the user where a session is known, else the client's address (a /64 in
 * IPv6, since one household has that many). Counted in PostgreSQL or Redis, so that several API processes count together.
 * The key is an HMAC: the counters tell nobody who called. Without an answer of Redis, PostgreSQL counts the call; where
 * that cannot be asked, the call is refused like any other that needs the database; nothing fails open.
 */
export function createRateLimit({ db, keyring, events, perMinute, redis }: RateLimitDeps) {
  const options = {
    points: perMinute,
    duration: MINUTE_SECONDS,
    // Once over the limit, further calls of this minute are refused without asking the store.
    inMemoryBlockOnConsumed: perMinute + 1,
  };
  const inPostgres = new RateLimiterPostgres({
    ...options,
    storeClient: { query: (query: { text: string; values: unknown[] }) => queryResult(db, query) },
    storeType: 'client',
    tableName: 'rate_limit',
    keyPrefix: 'r',
    tableCreated: true,
    clearExpiredByTimeout: false,
  });
  const shared =
    redis === undefined
      ? inPostgres
      : new RLWrapperTimeouts({
          limiter: new RateLimiterRedis({
            ...options,
            storeClient: redis.client,
            useRedisPackage: true,
            rejectIfRedisNotReady: true,
            keyPrefix: REDIS_PREFIX,
          }),
          timeoutMs: REDIS_TIMEOUT_MS,
          insuranceLimiter: inPostgres,
        });
  const local = new RateLimiterMemory({ points: perMinute, duration: MINUTE_SECONDS });

  return {
    /**
     * Counts a call. @throws DomainError `rate_limited` with the seconds to wait; whatever the database throws when it is
     * away
     */
    async consume(route: Route, facts: RequestFacts, principal: Principal | undefined): Promise<void> {
      if (route.limit === 'none' || principal?.role === 'importer') return;
      const who = principal ? `user:${principal.userId}` : `address:${networkKey(facts.ip ?? '', 32, 64) ?? 'unknown'}`;
      // Health must answer while the database is away, so its counter lives in the process.
      const limiter = route.limit === 'local' ? local : shared;
      const bucket =
        route.limit === 'local'
          ? `${route.path} ${who}`
          : keyring
              .hmac('search-attribute', 'rate-limit', route.method, route.path, who)
              .toString('base64url')
              .slice(0, 22);
      try {
        await limiter.consume(bucket);
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        if (route.limit !== 'local') {
          await events.record({
            kind: 'rate_limited',
            bucket,
            route: `${route.method.toUpperCase()} ${route.path}`,
            network: networkKey(facts.ip ?? ''),
            userId: principal?.userId ?? null,
            cause: principal ? 'user' : 'address',
          });
        }
        throw new DomainError('rate_limited', `At most ${perMinute} calls a minute are answered here.`, {
          retryAfter: refusal.msBeforeNext / 1000,
        });
      }
    },
  };
}

export type RateLimit = ReturnType<typeof createRateLimit>;

async function queryResult(db: Database, query: { text: string; values: unknown[] }) {
  const found = await rows<{ points: number; expire: string | null }>(db.fork(), query.text, query.values);
  // The library compares with the clock of this process, in milliseconds.
  return {
    rows: found.map(({ points, expire }) => ({ points, expire: expire === null ? null : Number(expire) })),
    rowCount: found.length,
  };
}

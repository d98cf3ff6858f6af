import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningApi, startApi } from '../../api/main.ts';
import { oneRow } from '../../db/sql.ts';
import { eventually } from '../helpers/eventually.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const LIMIT = 5;

let redis: RedisServer;
let stack: Stack;
let second: RunningApi;

beforeAll(async () => {
  redis = await startRedis();
  const env = { RATE_LIMIT_PER_MINUTE: String(LIMIT), RATE_LIMIT_REDIS_URL: redis.url };
  stack = await createStack({ worker: false, env });
  second = await startApi({ config: { ...stack.config, port: 0 }, log: pino({ level: 'silent' }) });
  await second.ready;
});
afterAll(async () => {
  await second?.close();
  await stack?.close();
  await redis?.kill();
});

/** @returns how many of so many calls at once, to both processes in turns, were answered and how many refused */
async function answered(token: string, calls: number) {
  const statuses = await Promise.all(
    Array.from({ length: calls }, async (_, n) => {
      const headers = { Authorization: `Bearer ${token}` };
      return (await fetch(`${n % 2 ? second.url : stack.url}/api/auth/sessions`, { headers })).status;
    }),
  );
  const count = (wanted: number) => statuses.filter((status) => status === wanted).length;
  return { ok: count(200), refused: count(429) };
}

let asked = 0;

/** Health has a limit too, so each look comes from an address of its own. */
const limits = async (url: string) => {
  asked += 1;
  const headers = { 'X-Forwarded-For': `198.51.${100 + Math.floor(asked / 250)}.${asked % 250}` };
  const answer = await fetch(`${url}/api/health`, { headers });
  const { components } = (await answer.json()) as { components: { rateLimit: unknown } };
  return components.rateLimit;
};

async function eventuallyCountsIn(store: 'redis' | 'postgresql'): Promise<void> {
  for (const url of [stack.url, second.url]) {
    await eventually(async () => ((await limits(url)) as { store: string }).store === store, {
      what: `${url} counting in ${store}`,
      everyMs: 500,
    });
  }
}

const keys = () => redis.ask((client) => client.keys('*'));
const inPostgres = async () =>
  Number((await oneRow<{ n: string }>(stack.db.fork(), 'select count(*) as n from rate_limit')).n);

describe('a Redis server counts calls', () => {
  test('[N3][N2] of two API processes together, and PostgreSQL counts none', async () => {
    await eventuallyCountsIn('redis');
    const [one, other] = [await stack.people.signedIn('customer'), await stack.people.signedIn('customer')];
    const before = await inPostgres();
    expect(await answered(one.token, 12)).toEqual({ ok: LIMIT, refused: 7 });
    expect(await answered(other.token, 2)).toEqual({ ok: 2, refused: 0 });
    expect(await inPostgres()).toBe(before);
    expect(await limits(stack.url)).toEqual({ status: 'up', store: 'redis' });
  });

  test('[N3] and learns nothing of who called what: a MAC, a number, gone within the minute', async () => {
    const { token } = await stack.people.signedIn('customer');
    const known = new Set(await keys());
    await answered(token, 3);
    const added = (await keys()).filter((key) => !known.has(key));
    expect(added).toEqual([expect.stringMatching(/^tradeguard:limit:[A-Za-z0-9_-]{22}$/)]);
    const [key = ''] = added;
    expect(await redis.ask((client) => client.get(key))).toBe('3');
    const left = await redis.ask((client) => client.ttl(key));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60);
  });
});

describe('when Redis is away', () => {
  test('[N3] dead: both processes go on counting together in PostgreSQL, health says so, and back it counts again', async () => {
    await eventuallyCountsIn('redis');
    const { token } = await stack.people.signedIn('customer');
    expect(await answered(token, 2)).toEqual({ ok: 2, refused: 0 });
    await redis.kill();
    // What Redis counted of this minute is lost: at most so many again, and not one more.
    expect(await answered(token, 12)).toEqual({ ok: LIMIT, refused: 7 });
    await eventuallyCountsIn('postgresql');
    expect(await limits(stack.url)).toMatchObject({ status: 'down', detail: 'Redis does not answer' });

    await redis.start();
    await eventuallyCountsIn('redis');
    const other = await stack.people.signedIn('customer');
    const before = await inPostgres();
    expect(await answered(other.token, 12)).toEqual({ ok: LIMIT, refused: 7 });
    expect(await inPostgres()).toBe(before);
  });

  test('[N3] silent: calls are answered and limited all the same', async () => {
    await eventuallyCountsIn('redis');
    const { token } = await stack.people.signedIn('customer');
    redis.freeze();
    expect(await answered(token, 12)).toEqual({ ok: LIMIT, refused: 7 });
    await eventuallyCountsIn('postgresql');
    await redis.kill();
    await redis.start();
    await eventuallyCountsIn('redis');
  });

  test('[N3] or knows another password: calls are limited, and neither log nor health holds what the URL does', async () => {
    const url = new URL(redis.url);
    url.username = 'limiter-of-calls';
    url.password = 'not-the-password-of-redis';
    let written = '';
    const write = (line: string) => {
      written += line;
    };
    const log = pino({ level: 'debug' }, { write });
    const config = { ...stack.config, port: 0, rateLimitRedisUrl: url.href };
    const api = await startApi({ config, log });
    try {
      await api.ready;
      const { token } = await stack.people.signedIn('customer');
      const headers = { Authorization: `Bearer ${token}` };
      const statuses: number[] = [];
      for (let n = 0; n < LIMIT + 1; n++)
        statuses.push((await fetch(`${api.url}/api/auth/sessions`, { headers })).status);
      expect(statuses).toEqual([...Array(LIMIT).fill(200), 429]);
      expect(await limits(api.url)).toEqual({ status: 'down', store: 'postgresql', detail: 'Redis does not answer' });
    } finally {
      await api.close();
    }
    expect(written).toContain('Redis does not answer');
    expect(written).not.toContain(url.password);
    expect(written).not.toContain(url.username);
  });
});

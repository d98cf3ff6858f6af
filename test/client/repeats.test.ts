import { afterEach, describe, expect, it } from 'vitest';
import {
  type ClientOptions,
  ConnectionError,
  createClient,
  isProblem,
  RateLimitedError,
  UnavailableError,
  UnprocessableError,
} from '../../client/index.ts';
import { delayBeforeRetry, retryAfterMs } from '../../client/retry.ts';
import { targetOf } from '../../client/target.ts';
import { problem, type Scripted, startScriptedServer } from './answers.ts';

const SIGNING_KEY = {
  keyId: '01990a5c-7d00-7000-8000-0000000000a1',
  secret: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8',
  audience: 'https://trade.example.com',
};
const WITHDRAWAL = { type: 'withdrawal', amount: '5.00', currency: 'USD' } as const;
const SETTLED = { status: 201, body: { transactionId: 'x', status: 'settled' } };

let server: Awaited<ReturnType<typeof startScriptedServer>> | undefined;
afterEach(() => server?.close());

async function against(script: Scripted[], options: Partial<ClientOptions> = {}) {
  server = await startScriptedServer(...script);
  const client = createClient({ origin: server.origin, signingKey: SIGNING_KEY, ...options });
  return { client, received: server.received };
}

describe('a call is sent again', () => {
  it('when the connection breaks, under the same idempotency key, with a nonce of its own', async () => {
    const { client, received } = await against(['hang_up', SETTLED]);
    expect((await client.createTransaction({ body: WITHDRAWAL })).status).toBe(201);
    const [first, second] = received;
    expect(received).toHaveLength(2);
    expect(first?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    expect(second?.headers['x-nonce']).not.toBe(first?.headers['x-nonce']);
    expect(second?.body).toBe(first?.body);
  });

  it('when the server asks for it, and not sooner than it says', async () => {
    const later = { ...problem(503, 'verdict_pending'), headers: { 'Retry-After': '1' } };
    const { client, received } = await against([later, SETTLED]);
    const began = performance.now();
    await client.createTransaction({ body: WITHDRAWAL }, { idempotencyKey: 'order-1' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_000);
    expect(received.map(({ headers }) => headers['idempotency-key'])).toEqual(['order-1', 'order-1']);
  });

  it('also one that must not happen twice, where it was turned away before it began', async () => {
    const { client, received } = await against([
      { ...problem(429, 'rate_limited'), headers: { 'Retry-After': '0' } },
      { status: 200, body: { status: 'authenticated', session: { token: 't' } } },
    ]);
    const answer = await client.login({
      body: { email: 'a@example.com', password: 'x', device: { userAgent: 'test' } as never },
    });
    expect(answer.status).toBe(200);
    expect(received).toHaveLength(2);
  });

  it('by the clock of the server, when that tells that ours is wrong', async () => {
    const serverTime = Math.floor(Date.now() / 1000) + 4_000;
    const { client, received } = await against([problem(401, 'signature_invalid', { serverTime }), SETTLED]);
    await client.createTransaction({ body: WITHDRAWAL });
    const [first, second] = received.map(({ headers }) => Number(headers['x-timestamp']));
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(3_900);
  });

  it('when what stands before the server says that it is away', async () => {
    const gateway = { status: 502, headers: { 'Content-Type': 'text/html' }, text: '<h1>Bad Gateway</h1>' };
    const { client, received } = await against([gateway, { status: 200, body: { items: [], nextCursor: null } }]);
    expect((await client.listDevices()).body.items).toEqual([]);
    expect(received).toHaveLength(2);
  });
});

describe('a call is not sent again', () => {
  it('when it might happen twice', async () => {
    const { client, received } = await against(['hang_up']);
    await expect(client.issueSigningKey()).rejects.toThrow(ConnectionError);
    expect(received).toHaveLength(1);
    await server?.close();
    const other = await against([problem(503, 'database_unavailable')]);
    await expect(other.client.issueSigningKey()).rejects.toThrow(UnavailableError);
    expect(other.received).toHaveLength(1);
  });

  it('when the server asks for longer than the policy has patience for', async () => {
    const { client, received } = await against([
      { ...problem(429, 'rate_limited'), headers: { 'Retry-After': '3600' } },
    ]);
    const refused = await client.listDevices().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RateLimitedError);
    expect((refused as RateLimitedError).retryAfterMs).toBe(3_600_000);
    expect(received).toHaveLength(1);
  });

  it('when it was refused for what it says', async () => {
    const { client, received } = await against([problem(422, 'insufficient_funds')]);
    const refused = await client.createTransaction({ body: WITHDRAWAL }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UnprocessableError);
    expect(isProblem(refused, 'insufficient_funds')).toBe(true);
    expect(isProblem(refused, 'limit_exceeded')).toBe(false);
    expect(refused).toMatchObject({ status: 422, requestId: 'r1', message: 'insufficient_funds: Told so.' });
    expect(received).toHaveLength(1);
  });

  it('more often than the policy says', async () => {
    const away = problem(503, 'database_unavailable');
    const { client, received } = await against([away, away, away], { retry: { attempts: 3 } });
    await expect(client.listDevices()).rejects.toThrow('database_unavailable');
    expect(received).toHaveLength(3);
  });

  it('with a signature that is wrong for another reason than the clock, nor by one that is refused again', async () => {
    const { client, received } = await against([problem(401, 'signature_invalid')]);
    await expect(client.createTransaction({ body: WITHDRAWAL })).rejects.toThrow('signature_invalid');
    expect(received).toHaveLength(1);
    await server?.close();
    const skewed = problem(401, 'signature_invalid', { serverTime: Math.floor(Date.now() / 1000) + 900 });
    const other = await against([skewed, skewed]);
    await expect(other.client.createTransaction({ body: WITHDRAWAL })).rejects.toThrow('signature_invalid');
    expect(other.received).toHaveLength(2);
  });
});

describe('who waits', () => {
  it('is told when no answer comes in time', async () => {
    const { client } = await against(['silence'], { timeoutMs: 100, retry: { attempts: 1 } });
    await expect(client.listDevices()).rejects.toThrow(/did not answer within 100 ms/);
  });

  it('may stop waiting, for an answer and between two attempts, and gets the reason they gave', async () => {
    const { client } = await against(['silence']);
    const reason = new Error('closed the page');
    await expect(client.listDevices({}, { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/i);
    await server?.close();
    const slow = { ...problem(503, 'database_unavailable'), headers: { 'Retry-After': '20' } };
    const other = await against([slow]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 100);
    await expect(other.client.listDevices({}, { signal: stop.signal })).rejects.toBe(reason);
  });

  it('is never sent to another place', async () => {
    const { client, received } = await against([{ status: 302, headers: { Location: 'http://127.0.0.1:9/' } }], {
      session: { token: 't' },
      retry: { attempts: 1 },
    });
    await expect(client.listDevices()).rejects.toThrow(ConnectionError);
    expect(received).toHaveLength(1);
  });
});

describe('what is waited', () => {
  const policy = { attempts: 9, maxDelayMs: 1_000 };
  const lost = new ConnectionError('gone');

  it('grows with each failure up to the longest, and differs from caller to caller', () => {
    const longest = (failed: number) => delayBeforeRetry(lost, { failed, repeatable: true, policy }, () => 1);
    expect([1, 2, 3, 4, 5].map(longest)).toEqual([200, 400, 800, 1_000, 1_000]);
    expect(delayBeforeRetry(lost, { failed: 3, repeatable: true, policy }, () => 0.25)).toBe(200);
    expect(longest(9)).toBeUndefined();
  });

  it('is what Retry-After says: seconds, or a date (RFC 9110 section 10.2.3)', () => {
    const now = Date.parse('2026-11-25T10:00:00Z');
    expect(retryAfterMs('120', now)).toBe(120_000);
    expect(retryAfterMs('Wed, 25 Nov 2026 10:01:30 GMT', now)).toBe(90_000);
    expect(retryAfterMs('Wed, 25 Nov 2026 09:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('soon', now)).toBeUndefined();
    expect(retryAfterMs(null, now)).toBeUndefined();
  });
});

describe('where a call goes', () => {
  it('is one path, whatever an id holds', () => {
    expect(targetOf('/api/a/{id}/b', { id: 'x/../y?z#ä' })).toBe('/api/a/x%2F..%2Fy%3Fz%23%C3%A4/b');
    for (const id of ['', '.', '..', undefined]) {
      expect(() => targetOf('/api/a/{id}', { id })).toThrow(RangeError);
    }
  });

  it('leaves out of the query what is not given', () => {
    expect(targetOf('/api/a', {}, { limit: 5, cursor: undefined, q: 'a b&c' })).toBe('/api/a?limit=5&q=a+b%26c');
  });

  it('is an origin and nothing more', () => {
    expect(() => createClient({ origin: 'https://trade.example.com/api' })).toThrow(/without a path/);
    expect(createClient({ origin: 'https://trade.example.com/' }).session).toEqual({});
  });
});

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi } from '../../api/main.ts';
import { rows } from '../../db/sql.ts';
import { createStack } from '../helpers/stack.ts';

type Stack = Awaited<ReturnType<typeof createStack>>;

describe('every answer', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ worker: false, env: { CORS_ORIGINS: 'https://app.example.com' } });
  });
  afterAll(() => stack.close());

  test.each(['/', '/api/health/live', '/api/nothing-here', '/api/transactions'])(
    '%s carries the security headers',
    async (path) => {
      const { headers } = await fetch(stack.url + path);
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-xss-protection')).toBe('0');
      expect(headers.get('referrer-policy')).toBe('strict-origin-when-cross-origin');
      expect(headers.get('x-powered-by')).toBeNull();
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
    },
  );

  test('the pages need nothing that the policy forbids', async () => {
    for (const path of ['/', '/api/docs']) {
      const html = await (await fetch(stack.url + path)).text();
      expect(html).not.toMatch(/<style|<script(?! src="\/)| on[a-z]+=| style=/i);
      expect(html).toContain('<link rel="stylesheet" href="/style.css">');
    }
    const css = await fetch(`${stack.url}/style.css`);
    expect(css.headers.get('content-type')).toContain('text/css');
  });

  test('only a named origin may read answers', async () => {
    const from = (origin: string) =>
      fetch(`${stack.url}/api/transactions`, {
        method: 'OPTIONS',
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'x-signature',
        },
      });
    const named = await from('https://app.example.com');
    expect(named.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(named.headers.get('access-control-allow-headers')).toContain('X-Signature');
    expect(named.headers.get('access-control-allow-credentials')).toBeNull();
    const other = await from('https://evil.example.com');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('calls a minute', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ worker: false, env: { RATE_LIMIT_PER_MINUTE: '5' } });
  });
  afterAll(() => stack.close());

  const sessions = (url: string, token: string) =>
    fetch(`${url}/api/auth/sessions`, { headers: { Authorization: `Bearer ${token}` } });

  test('the sixth of five is 429 and says when to come back; another user and another route go on', async () => {
    const one = await stack.people.signedIn('customer');
    const other = await stack.people.signedIn('customer');
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push((await sessions(stack.url, one.token)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    const refused = await sessions(stack.url, one.token);
    expect(await refused.json()).toMatchObject({ status: 429, code: 'rate_limited' });
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
    expect((await sessions(stack.url, other.token)).status).toBe(200);
    const devices = await fetch(`${stack.url}/api/instruments`, { headers: { Authorization: `Bearer ${one.token}` } });
    expect(devices.status).toBe(200);
  });

  test('two API processes count together', async () => {
    const { token } = await stack.people.signedIn('customer');
    const second = await startApi({ config: { ...stack.config, port: 0 }, log: pino({ level: 'silent' }) });
    await second.ready;
    try {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, n) => sessions(n % 2 ? second.url : stack.url, token)),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    } finally {
      await second.close();
    }
  });

  test('who sends no valid session is counted by address', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push((await sessions(stack.url, 'x'.repeat(43))).status);
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
  });

  test('the counters name nobody, and what was refused is on record', async () => {
    const { token, userId } = await stack.people.signedIn('customer');
    for (let n = 0; n < 6; n++) await sessions(stack.url, token);
    const keys = await rows<{ key: string }>(stack.ownerDb.fork(), 'select key from rate_limit');
    expect(keys.length).toBeGreaterThan(0);
    for (const { key } of keys) {
      expect(key).not.toContain(userId);
      expect(key).not.toContain('127.0.0.1');
    }
    const recorded = await rows<{ kind: string; route: string; cause: string }>(
      stack.ownerDb.fork(),
      'select kind, route, cause from front_door_event where user_id = $1',
      [userId],
    );
    expect(recorded).toEqual([{ kind: 'rate_limited', route: 'GET /api/auth/sessions', cause: 'user' }]);
    const invalid = await rows<{ cause: string }>(
      stack.ownerDb.fork(),
      `select distinct cause from front_door_event where kind = 'session_invalid'`,
    );
    expect(invalid).toEqual([{ cause: 'unknown_or_expired' }]);
  });
});

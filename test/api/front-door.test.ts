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
    '[H4][H5][H6][H7][H8] %s carries the security headers',
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
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('unsafe');
    },
  );

  test('[H4] the pages need nothing that the policy forbids', async () => {
    for (const path of ['/', '/api/docs']) {
      const html = await (await fetch(stack.url + path)).text();
      expect(html).not.toMatch(/<style|<script(?![^>]* src="\/)| on[a-z]+=| style=/i);
      const sheets = [...html.matchAll(/<link rel="stylesheet"[^>]* href="(\/[^"]+)"/g)].map(([, href]) => href);
      expect(sheets.length, path).toBeGreaterThan(0);
      for (const href of sheets) {
        const css = await fetch(stack.url + href);
        expect(css.headers.get('content-type'), href).toContain('text/css');
      }
    }
  });

  test('[H9] only a named origin may read answers, and may sign calls', async () => {
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
    for (const [origin, allowed] of [
      ['https://app.example.com', 'https://app.example.com'],
      ['https://app.example.com.evil.example', null],
      ['http://app.example.com', null],
      ['null', null],
    ] as const) {
      const answer = await fetch(`${stack.url}/api/health/live`, { headers: { Origin: origin } });
      expect(answer.headers.get('access-control-allow-origin'), origin).toBe(allowed);
    }
  });
});

describe('[H10] 30 calls a minute', () => {
  let stack: Stack;
  beforeAll(async () => {
    // As it is without the setting; every other test lifts it.
    stack = await createStack({ worker: false, env: { RATE_LIMIT_PER_MINUTE: '' } });
  });
  afterAll(() => stack.close());

  test('are answered on an endpoint, the 31st is 429, and other endpoints go on', async () => {
    const { token } = await stack.people.signedIn('customer');
    const statuses: number[] = [];
    for (let n = 0; n < 31; n++) statuses.push((await stack.api.get('/api/auth/sessions', { token })).status);
    expect(statuses).toEqual([...Array(30).fill(200), 429]);
    for (const path of ['/api/devices', '/api/signing-keys', '/api/instruments']) {
      expect((await stack.api.get(path, { token })).status, path).toBe(200);
    }
  });

  test('hold for sign-ins as well, and for guesses that come at once', async () => {
    const guess = () => stack.api.post('/api/auth/password/forgot', { email: 'nobody@example.com' });
    const answers = await Promise.all(Array.from({ length: 60 }, guess));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(30);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(30);
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
  /** As the trusted proxy on this machine passes a client's call on. @returns the status */
  const from = async (address: string, token: string) => {
    const headers = { 'X-Forwarded-For': address };
    return (await stack.api.get('/api/auth/sessions', { token, headers })).status;
  };

  test('[N2][H10] the sixth of five is 429 and says when to come back; another user and another route go on', async () => {
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

  test('[H10] two API processes count together', async () => {
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

  test('[N2] a user is counted wherever the calls come from', async () => {
    const { token } = await stack.people.signedIn('customer');
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push(await from(`192.0.2.${n}`, token));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
  });

  test('[N2] who sends no valid session is counted by address, in IPv6 by its /64', async () => {
    const invalid = 'x'.repeat(43);
    for (const [addresses, next] of [
      [Array(6).fill('203.0.113.7'), '203.0.113.8'],
      [Array.from({ length: 6 }, (_, n) => `2001:db8:0:1::${n + 1}`), '2001:db8:0:2::1'],
    ] as const) {
      const statuses: number[] = [];
      for (const address of addresses) statuses.push(await from(address, invalid));
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
      expect(await from(next, invalid)).toBe(401);
    }
  });

  test('[H16] no key of a counter tells who called, from where, with what or which route; no answer is cached', async () => {
    const { token, userId, email } = await stack.people.signedIn('customer');
    for (let n = 0; n < 3; n++) await from('198.51.100.9', token);
    await from('198.51.100.10', 'y'.repeat(43));
    await stack.api.post('/api/auth/password/forgot', { email });
    const keys = await rows<{ key: string }>(stack.ownerDb.fork(), 'select key from rate_limit');
    expect(keys.length).toBeGreaterThan(2);
    for (const { key } of keys) {
      expect(key).toMatch(/^r:[\w-]{22}$/);
      const decoded = Buffer.from(key.slice(2), 'base64url').toString('latin1');
      for (const told of [userId, email, token, '198.51.100', '127.0.0.1', 'session', 'forgot', 'yyyy']) {
        expect(key).not.toContain(told);
        expect(decoded).not.toContain(told);
      }
    }
    // What no cache may keep has no key in one.
    for (const path of ['/api/auth/sessions', '/api/health', '/no/such/page', '/']) {
      const answer = await stack.api.get(path, { token });
      expect(answer.headers.get('cache-control'), path).toBe('no-store');
    }
  });

  test('what was refused is on record', async () => {
    const { token, userId } = await stack.people.signedIn('customer');
    for (let n = 0; n < 6; n++) await sessions(stack.url, token);
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

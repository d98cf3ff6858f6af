import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

describe('sessions', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  /** Signs in as a browser does: with an Origin, keeping cookies. */
  async function browser() {
    const person = await stack.people.register();
    const answer = await stack.people.login(person, { headers: { Origin: stack.url } });
    const cookies = answer.headers.getSetCookie();
    const cookie = cookies.map((line) => line.split(';', 1)[0]).join('; ');
    return { person, answer, cookies, cookie, csrf: answer.body.csrfToken as string };
  }

  it('[H1] of browsers are a cookie that scripts cannot read, and no token in JSON', async () => {
    const { answer, cookies, cookie, csrf } = await browser();
    expect(answer.body.session).toEqual({ expiresAt: expect.any(String) });
    expect(JSON.stringify(answer.body)).not.toContain(/tradeguard=([\w-]{43})/.exec(cookie)?.[1]);
    expect(cookies.find((line) => line.startsWith('tradeguard='))).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await stack.api.get('/api/auth/sessions', { headers: { Cookie: cookie } })).status).toBe(200);
    const token = await stack.api.get('/api/auth/csrf', { headers: { Cookie: cookie } });
    expect(token.body.csrfToken).toBe(csrf);
  });

  it('say whose they are and what they may do; the token for writes only to a browser', async () => {
    const { person, cookie, csrf } = await browser();
    const mine = await stack.api.get('/api/auth/me', { headers: { Cookie: cookie } });
    expect(mine.body).toEqual({
      userId: expect.any(String),
      email: person.email,
      fullName: 'Test Person',
      role: 'customer',
      sessionId: expect.any(String),
      scope: 'full',
      channel: 'cookie',
      factorAt: null,
      csrfToken: csrf,
    });
    const reviewer = await stack.people.signedIn('reviewer');
    const theirs = await stack.api.get('/api/auth/me', { token: reviewer.token });
    expect(theirs.body).toMatchObject({ userId: reviewer.userId, role: 'reviewer', channel: 'bearer' });
    expect(theirs.body.factorAt).not.toBeNull();
    expect(theirs.body).not.toHaveProperty('csrfToken');
    expect(await stack.api.get('/api/auth/me')).toMatchObject({ status: 401, body: { code: 'session_required' } });
  });

  it('of other clients are a token, and no cookie', async () => {
    const person = await stack.people.register();
    const answer = await stack.people.login(person);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(answer.body.session.token).toMatch(/^[\w-]{43}$/);
    expect(answer.body.csrfToken).toBeUndefined();
  });

  it('by cookie write only with the Origin of this site and their own CSRF token', async () => {
    const mine = await browser();
    const theirs = await browser();
    const logout = (headers: Record<string, string>) =>
      stack.api.post('/api/auth/logout', {}, { headers: { Cookie: mine.cookie, ...headers } });
    expect((await logout({ 'X-CSRF-Token': mine.csrf })).body.code).toBe('origin_refused');
    expect((await logout({ 'X-CSRF-Token': mine.csrf, Origin: 'https://evil.example' })).body.code).toBe(
      'origin_refused',
    );
    expect((await logout({ Origin: stack.url })).body.code).toBe('csrf_invalid');
    expect((await logout({ Origin: stack.url, 'X-CSRF-Token': theirs.csrf })).body.code).toBe('csrf_invalid');
    const done = await logout({ Origin: stack.url, 'X-CSRF-Token': mine.csrf });
    expect(done.status).toBe(204);
    expect(done.headers.getSetCookie()[0]).toMatch(/^tradeguard=;.*Max-Age=0/);
    expect((await stack.api.get('/api/auth/sessions', { headers: { Cookie: mine.cookie } })).status).toBe(401);
  });

  it('recognise the browser by its device cookie, also with another fingerprint', async () => {
    const { person, cookie } = await browser();
    const answer = await stack.people.login(person, {
      device: { ...HOME_DEVICE, timezone: 'America/New_York' },
      headers: { Origin: stack.url, Cookie: cookie },
    });
    expect(answer.status).toBe(200);
  });

  it('are listed and ended by their owner, one or all others', async () => {
    const person = await stack.people.register();
    const tokens: string[] = [];
    for (let i = 0; i < 3; i += 1) tokens.push((await stack.people.login(person)).body.session.token);
    const [token = '', second = '', third = ''] = tokens;
    const page = await stack.api.get('/api/auth/sessions?limit=2', { token });
    expect(page.body.items).toHaveLength(2);
    const rest = await stack.api.get(`/api/auth/sessions?limit=2&cursor=${page.body.nextCursor}`, { token });
    expect(rest.body).toMatchObject({ items: [{ current: true }], nextCursor: null });
    const newest = page.body.items[0].sessionId;
    expect((await stack.api.delete(`/api/auth/sessions/${newest}`, { token })).status).toBe(204);
    expect((await stack.api.get('/api/auth/sessions', { token: third })).status).toBe(401);
    expect((await stack.api.delete('/api/auth/sessions', { token })).status).toBe(204);
    expect((await stack.api.get('/api/auth/sessions', { token: second })).status).toBe(401);
    expect((await stack.api.get('/api/auth/sessions', { token })).body.items).toHaveLength(1);
  });

  it('tell when they were last used, written at most once a minute', async () => {
    const { token, userId } = await stack.people.signedIn('customer');
    const lastSeen = async () =>
      Date.parse((await stack.api.get('/api/auth/sessions', { token })).body.items[0].lastSeenAt);
    const first = await lastSeen();
    expect(first).toBeGreaterThan(Date.now() - 60_000);
    expect(await lastSeen()).toBe(first);
    await run(
      stack.db.fork(),
      `update session set last_seen_at = last_seen_at - interval '5 minutes' where user_id = $1`,
      [userId],
    );
    await lastSeen();
    expect(await lastSeen()).toBeGreaterThan(first);
  });

  it('of others cannot be seen or ended', async () => {
    const mine = await stack.people.customer();
    const theirs = await stack.people.customer();
    const list = await stack.api.get('/api/auth/sessions', { token: theirs.token });
    const path = `/api/auth/sessions/${list.body.items[0].sessionId}`;
    expect((await stack.api.get(path, { token: mine.token })).status).toBe(404);
    expect((await stack.api.delete(path, { token: mine.token })).status).toBe(404);
    expect((await stack.api.get(path, { token: theirs.token })).status).toBe(200);
    expect((await stack.api.get('/api/auth/sessions')).status).toBe(401);
  });
});

describe('sessions in production', () => {
  const origin = 'https://trade.example.com';
  let stack: Stack;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tradeguard-mail-'));
    stack = await createStack({
      env: {
        NODE_ENV: 'production',
        PUBLIC_ORIGIN: origin,
        MAIL_DIR: folder,
        TRUSTED_PROXIES: 'loopback',
        REGISTRATION_CONFIRM: '0',
      },
    });
  });
  afterAll(async () => {
    await stack.close();
    rmSync(stack.config.mailDir, { recursive: true, force: true });
  });

  it('[H1] are a __Host- cookie that travels over TLS alone', async () => {
    const headers = { Origin: origin, 'X-Forwarded-Proto': 'https' };
    const person = await stack.people.register({ headers });
    const device = person.answer.headers.getSetCookie()[0] ?? '';
    expect(device).toMatch(/^__Host-tradeguard-device=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; .*Secure$/);
    const answer = await stack.people.login(person, {
      headers: { ...headers, Cookie: device.split(';', 1)[0] ?? '' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^__Host-tradeguard=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; .*Secure$/,
    );
  });
});

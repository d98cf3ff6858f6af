import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { type ApiMember, createFleet, type Fleet } from '../helpers/fleet.ts';
import { HOME_DEVICE } from '../helpers/people.ts';

interface Line {
  level: string;
  time: string;
  msg: string;
  requestId: string;
  method: string;
  route: string;
  status: number;
  ms: number;
  bytes: { in: number; out: number };
  ip: string;
  userAgent: string;
}

let fleet: Fleet;
let member: ApiMember;
beforeAll(async () => {
  fleet = await createFleet({ apis: 1, workers: 0, env: () => ({ VERDICT_TIMEOUT: '300ms' }) });
  [member] = fleet.apis as [ApiMember];
}, 180_000);
afterAll(() => fleet?.stop());

const lines = (): Line[] =>
  member
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'request');
const lineOf = (requestId: string) =>
  eventually(() => lines().find((line) => line.requestId === requestId), { what: `the line of ${requestId}` });
/** A request with an id of its own, and the line that the process wrote about it. */
async function logged(id: string, call: (headers: Record<string, string>) => Promise<{ status: number }>) {
  const { status } = await call({ 'X-Request-Id': id });
  return { status, line: await lineOf(id) };
}

describe('[H14] what the API process writes about requests', () => {
  test('is one JSON line each: method, route as a pattern, status, time, sizes, from where', async () => {
    const { status, line } = await logged('health-of-today', (headers) =>
      member.api.get('/api/health/live', { headers }),
    );
    expect(status).toBe(200);
    expect(line).toMatchObject({
      level: 'info',
      method: 'GET',
      route: '/api/health/live',
      status: 200,
      bytes: { in: 0, out: '{"status":"up"}'.length },
      ip: '198.18.0.7',
    });
    expect(line.ms).toBeGreaterThanOrEqual(0);
    expect(new Date(line.time).toISOString()).toBe(line.time);
    expect(lines().filter(({ requestId }) => requestId === 'health-of-today')).toHaveLength(1);
  });

  test('covers refusals at the very door: nothing there, plain HTTP, a wrong body, another origin’s question', async () => {
    const missing = await logged('nothing-there', (headers) => member.api.get('/no/such/page?token=abc', { headers }));
    expect(missing.line).toMatchObject({ method: 'GET', route: 'none', status: 404 });
    const plain = await logged('plain-http', (headers) =>
      fetch(`${member.url}/api/auth/login`, { method: 'POST', body: '{}', headers }),
    );
    expect(plain.line).toMatchObject({ method: 'POST', status: 426, bytes: { in: 2 } });
    const redirected = await logged('redirected', (headers) => fetch(member.url, { redirect: 'manual', headers }));
    expect(redirected.line).toMatchObject({ method: 'GET', status: 301 });
    const wrong = await logged('wrong-body', (headers) => member.api.post('/api/auth/login', '{', { headers }));
    expect(wrong.line).toMatchObject({ method: 'POST', route: '/api/auth/login', status: 400 });
    const asked = await logged('preflight', (headers) =>
      fetch(`${member.url}/api/portfolio`, {
        method: 'OPTIONS',
        headers: { ...headers, Origin: 'https://evil.example', 'X-Forwarded-Proto': 'https' },
      }),
    );
    expect(asked.line).toMatchObject({ method: 'OPTIONS' });
  });

  test('holds no password, token, cookie, signature, code or query, whatever a client sends', async () => {
    const secret = (name: string) => `leak-${name}-0123456789`;
    const headers = {
      Authorization: `Bearer ${secret('bearer')}`,
      Cookie: `__Host-tradeguard=${secret('cookie')}`,
      'X-Signature': secret('signature'),
      'X-CSRF-Token': secret('csrf'),
      'X-Request-Id': 'full-of-secrets',
    };
    const body = { email: 'leak-person@example.com', password: secret('password'), device: HOME_DEVICE };
    await member.api.post(`/api/auth/login?code=${secret('query')}`, body, { headers });
    await member.api.get(`/api/auth/sessions/${secret('path')}`, {
      headers: { ...headers, 'X-Request-Id': 'the-path' },
    });
    expect(await lineOf('full-of-secrets')).toMatchObject({ route: '/api/auth/login' });
    expect(await lineOf('the-path')).toMatchObject({ route: '/api/auth/sessions/{id}' });
    expect(member.output()).not.toContain('leak-');
    for (const value of [fleet.env.SESSION_SECRET, fleet.env.ENCRYPTION_KEY, new URL(fleet.env.DATABASE_URL).password])
      expect(member.output()).not.toContain(value);
  });

  test('names the id that the client was told, also where it sent none or one that is no id', async () => {
    const own = await member.api.get('/api/health/live');
    expect(await lineOf(own.headers.get('x-request-id') as string)).toMatchObject({ status: 200 });
    const forged = await member.api.get('/api/health/live', { headers: { 'X-Request-Id': 'a"} {"level":"fatal' } });
    expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(member.output()).not.toContain('fatal');
  });

  test('tells who was gone before the answer', async () => {
    const { hostname, port } = new URL(member.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nX-Request-Id: gone-early\r\nContent-Length: 100\r\n\r\n{',
      () => setTimeout(() => socket.destroy(), 100),
    );
    expect(await lineOf('gone-early')).toMatchObject({ aborted: true });
  });
});

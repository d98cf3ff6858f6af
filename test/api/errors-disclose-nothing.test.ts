import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { run } from '../../db/sql.ts';
import type { Answer } from '../helpers/http.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

type Proxy = Awaited<ReturnType<typeof startTcpProxy>>;

let stack: Stack;
let proxy: Proxy;
let customer: SignedIn;

beforeAll(async () => {
  const { hostname, port } = new URL(inject('servers').ownerUrl);
  proxy = await startTcpProxy(hostname, Number(port));
  stack = await createStack({ databasePort: proxy.port, worker: false, env: { VERDICT_TIMEOUT: '300ms' } });
  customer = await stack.people.signedIn('customer');
});
afterAll(async () => {
  await stack?.close();
  await proxy?.close();
});

/** Words of libraries, servers, statements and files, none of which belong in an answer. */
const INSIDE =
  /postgres|pg_|mikro|kysely|knex|temporal|grpc|relation|column|constraint|select |insert |ECONN|errno|SQLSTATE|42P01|exception|stack|node_modules|\.ts\b|\/app|\/home|at \w+ \(/i;
const MEMBERS = ['code', 'detail', 'requestId', 'status', 'title', 'type'];

function expectToDiscloseNothing({ status, headers, body }: Answer, expected: { status: number; code: string }): void {
  expect({ status, code: body.code }).toEqual(expected);
  expect(headers.get('content-type')).toContain('application/problem+json');
  expect(
    Object.keys(body)
      .filter((name) => name !== 'errors')
      .sort(),
  ).toEqual(MEMBERS);
  // `temporal_unavailable` is a code of ours; what is said in words is not to name what we are made of.
  expect(`${body.title} ${body.detail}`.replace('workflow service', '')).not.toMatch(INSIDE);
  expect(headers.get('server')).toBeNull();
  expect(headers.get('x-powered-by')).toBeNull();
}

describe('[H12] an error says what to do, and nothing of what it met inside', () => {
  test('a fault of the program: an id to quote, and no more', async () => {
    await run(stack.ownerDb.fork(), 'alter table instrument rename to instrument_away');
    try {
      const answer = await stack.api.get('/api/instruments', { token: customer.token });
      expectToDiscloseNothing(answer, { status: 500, code: 'internal_error' });
      expect(answer.body.detail).toBe('Something went wrong on our side. Quote the requestId when you ask us.');
      expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'));
    } finally {
      await run(stack.ownerDb.fork(), 'alter table instrument_away rename to instrument');
    }
  });

  test('the database is away', async () => {
    proxy.refuse();
    try {
      const answer = await stack.api.get('/api/auth/sessions', { token: customer.token });
      expectToDiscloseNothing(answer, { status: 503, code: 'database_unavailable' });
    } finally {
      proxy.accept();
    }
  });

  test.each([
    ['nothing there', 'GET', '/api/../../etc/passwd', '', 404, 'not_found'],
    ['a method that is not there', 'PATCH', '/api/health', '', 404, 'not_found'],
    ['no JSON', 'POST', '/api/auth/login', '{"email": "a@example.com", "pass', 400, 'malformed_body'],
    ['no object', 'POST', '/api/auth/login', '"text"', 400, 'validation_failed'],
    ['too much', 'POST', '/api/auth/login', `{"email": "${'a'.repeat(70_000)}"}`, 400, 'malformed_body'],
    ['a wrong member', 'POST', '/api/auth/login', '{"email": 1}', 400, 'validation_failed'],
    ['no session', 'GET', '/api/portfolio', '', 401, 'session_required'],
  ])('%s', async (_, method, path, body, status, code) => {
    const response = await fetch(stack.url + path, {
      method,
      ...(body === '' ? {} : { body, headers: { 'Content-Type': 'application/json' } }),
    });
    const { headers } = response;
    expectToDiscloseNothing(
      { status: response.status, headers, body: (await response.json()) as Answer['body'] },
      { status, code },
    );
  });

  test('whether an account exists: an unknown address and a wrong password are one answer', async () => {
    const withoutIds = ({ body: { requestId: _, ...rest } }: Answer) => rest;
    const login = (email: string) =>
      stack.people.login({ email, password: 'not the password at all' }).then((answer) => withoutIds(answer));
    expect(await login(customer.email)).toEqual(await login('nobody.here@example.com'));
    const forgot = (email: string) => stack.api.post('/api/auth/password/forgot', { email });
    const [known, unknown] = [await forgot(customer.email), await forgot('nobody.here@example.com')];
    expect(known).toMatchObject({ status: 202, body: unknown.body });
  });

  test('whether an object exists: one of somebody else and one that is not are one answer', async () => {
    const other = await stack.people.signedIn('customer');
    const [session] = (await stack.api.get('/api/auth/sessions', { token: other.token })).body.items;
    for (const id of [session.sessionId, '0190a000-0000-7000-8000-000000000000']) {
      const answer = await stack.api.get(`/api/auth/sessions/${id}`, { token: customer.token });
      expectToDiscloseNothing(answer, { status: 404, code: 'not_found' });
      expect(answer.body.detail).not.toContain(id);
    }
  });
});

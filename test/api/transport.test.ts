import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';

const ORIGIN = 'https://trade.example.com';
/** What the proxy that ends TLS says; without it a request came over plain HTTP. */
const OVER_TLS = { 'X-Forwarded-Proto': 'https' };

let stack: Stack;
/** Every operation of the OpenAPI document, ids filled in. */
let operations: { method: string; path: string }[];

beforeAll(async () => {
  stack = await createStack({
    worker: false,
    env: {
      NODE_ENV: 'production',
      PUBLIC_ORIGIN: ORIGIN,
      MAIL_DIR: '/tmp/tradeguard-no-mail',
      TRUSTED_PROXIES: 'loopback',
      HOST: '127.0.0.1',
      SECURITY_QUESTIONS: 'additional',
      VERDICT_TIMEOUT: '200ms',
    },
  });
  const { body: document } = await stack.api.get('/api/openapi.json', { headers: OVER_TLS });
  operations = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, 'x') })),
  );
  expect(operations.length).toBeGreaterThan(80);
});
afterAll(() => stack?.close());

const send = (path: string, method: string, headers: Record<string, string> = {}) =>
  fetch(stack.url + path, {
    method,
    headers,
    redirect: 'manual',
    ...(['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method) ? {} : { body: '{}' }),
  });

describe('[H2] over plain HTTP', () => {
  test('every GET and HEAD, of the API, the pages and of nothing, is answered 301 to the same address on https', async () => {
    const paths = operations.filter(({ method }) => method === 'GET').map(({ path }) => path);
    for (const path of [...paths, '/', '/web/any.js', '/no/such/page', '/api/no-such?a=1&b=%20']) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await send(path, method);
        expect([answer.status, answer.headers.get('location')], `${method} ${path}`).toEqual([301, ORIGIN + path]);
        expect(await answer.text()).not.toContain('{');
      }
    }
  });

  test('a path that looks like another host stays on this one', async () => {
    const answer = await send('//evil.example.com/x', 'GET');
    expect(new URL(answer.headers.get('location') as string).host).toBe('trade.example.com');
  });

  test('every other call of the API is refused with 426, and nothing of it is done', async () => {
    const writes = operations.filter(({ method }) => method !== 'GET');
    const others = ['PUT', 'PATCH', 'OPTIONS'].map((method) => ({ method, path: '/api/auth/login' }));
    expect(writes.length).toBeGreaterThan(40);
    for (const { method, path } of [...writes, ...others]) {
      const answer = await send(path, method);
      expect(answer.status, `${method} ${path}`).toBe(426);
      expect(answer.headers.get('location')).toBeNull();
      expect(await answer.json()).toMatchObject({ code: 'tls_required', status: 426 });
    }
  });

  test('a session that is sent in the clear opens nothing', async () => {
    const { token } = await stack.people.signedIn('customer');
    const bearer = { Authorization: `Bearer ${token}` };
    expect((await send('/api/auth/sessions', 'GET', bearer)).status).toBe(301);
    expect((await send('/api/auth/sessions', 'DELETE', bearer)).status).toBe(426);
    const list = await stack.api.get('/api/auth/sessions', { token, headers: OVER_TLS });
    expect(list.body.items).toHaveLength(1);
  });
});

test('[H3] every answer over TLS asks for https for a year, subdomains included; refusals too', async () => {
  for (const [path, status] of [
    ['/', 200],
    ['/console/overview', 200],
    ['/web/no-such.js', 404],
    ['/api/health/live', 200],
    ['/api/portfolio', 401],
    ['/no/such/page', 404],
  ] as const) {
    const answer = await send(path, 'GET', OVER_TLS);
    expect(answer.status, path).toBe(status);
    expect(answer.headers.get('strict-transport-security')).toBe(`max-age=${365 * 24 * 3600}; includeSubDomains`);
  }
  const refused = await send('/api/auth/login', 'POST', { ...OVER_TLS, 'Content-Type': 'application/json' });
  expect(refused.headers.get('strict-transport-security')).toContain('includeSubDomains');
});

test('[H15] no page, script or style names anything over http, and browsers are told to upgrade what would', async () => {
  const seen = new Map<string, string>();
  const waiting = ['/', '/api/docs', '/readme', '/api/openapi.json'];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    const answer = await send(path, 'GET', OVER_TLS);
    expect(answer.status, path).toBe(200);
    expect(answer.headers.get('content-security-policy'), path).toMatch(/(^|;)upgrade-insecure-requests(;|$)/);
    const content = await answer.text();
    seen.set(path, content);
    if (path === '/readme') continue;
    // What a page loads, a style sheet imports and a script imports, at once or later.
    for (const [, found = ''] of content.matchAll(/(?:src|href)="([^"]+)"|["'`]((?:\.\/)?[\w-]+\.(?:js|css))["'`]/g)) {
      if (/^[./]/.test(found)) waiting.push(new URL(found, ORIGIN + path).pathname);
    }
  }
  // The library of the reference names vocabularies by their addresses; api-reference.test.ts sees that it asks for none.
  const pages = [...seen].filter(([path]) => !/^\/readme$|openapi\.json$|swagger-ui-bundle/.test(path));
  expect(pages.length).toBeGreaterThan(8);
  for (const [path, content] of pages) {
    // A namespace is a name, and the router reads relative addresses against a base: neither is loaded.
    const loaded = content.replaceAll(/http:\/\/(?:www\.w3\.org\/[\w/]+|localhost(?![:/\w]))/g, '');
    expect(/.{0,80}(?:http|ws):\/\/.{0,80}/.exec(loaded)?.[0], path).toBeUndefined();
  }
});

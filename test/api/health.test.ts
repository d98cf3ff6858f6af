import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi } from '../../api/main.ts';
import { createLogger } from '../../platform/logger.ts';
import { freePort } from '../../platform/ports.ts';
import { eventually } from '../helpers/eventually.ts';
import { createHttpClient } from '../helpers/http.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack?.close());

describe('[O1] everything is there', () => {
  test('every component is up', async () => {
    const answer = await eventually(async () => {
      const health = await stack.api.get('/api/health');
      return health.body.status === 'up' && health;
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        components: {
          database: { status: 'up' },
          temporal: { status: 'up' },
          workers: { status: 'up', decisions: 1, background: 1 },
          sealer: { status: 'up' },
          mail: { status: 'up', mode: 'file' },
        },
      },
    });
    expect(await stack.api.get('/api/health/ready')).toMatchObject({ status: 200 });
    expect(await stack.api.get('/api/health/live')).toMatchObject({ status: 200, body: { status: 'up' } });
  });
});

describe('[O1] a dependency is away', () => {
  test.each(['database', 'temporal'] as const)(
    'without %s: 503 that names it, and recovery without a restart',
    async (part) => {
      const [host, port] =
        part === 'database' ? hostOf(new URL(stack.config.databaseUrl).host) : hostOf(stack.config.temporalAddress);
      const proxy = await startTcpProxy(host, port);
      const databaseUrl = new URL(stack.config.databaseUrl);
      if (part === 'database') databaseUrl.port = String(proxy.port);
      const config = {
        ...stack.config,
        port: await freePort(),
        databaseUrl: databaseUrl.href,
        temporalAddress: part === 'temporal' ? `127.0.0.1:${proxy.port}` : stack.config.temporalAddress,
      };
      const log = createLogger({ level: 'silent', name: 'test' });
      proxy.refuse();
      const api = await startApi({ config, log });
      const client = createHttpClient(() => api.url);
      try {
        const down = await client.get('/api/health');
        expect(down).toMatchObject({
          status: 503,
          body: { status: 'down', components: { [part]: { status: 'down' } } },
        });
        expect(down.headers.get('retry-after')).not.toBeNull();
        expect(await client.get('/api/health/live')).toMatchObject({ status: 200 });
        if (part === 'database') {
          const refused = await client.get('/api/admin/security/incidents', { token: 'x'.repeat(43) });
          expect(refused).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
          expect(refused.headers.get('retry-after')).not.toBeNull();
        }
        proxy.accept();
        await eventually(async () => (await client.get('/api/health')).status === 200, { what: 'recovery' });
        await api.ready;
        proxy.refuse();
        await eventually(async () => (await client.get('/api/health')).status === 503, { what: 'the second outage' });
      } finally {
        proxy.accept();
        await api.close();
        await proxy.close();
      }
    },
  );

  test('without a worker: degraded, and not ready for requests', async () => {
    const alone = await createStack({ worker: false });
    try {
      expect(await alone.api.get('/api/health')).toMatchObject({
        status: 200,
        body: { status: 'degraded', components: { workers: { status: 'down' } } },
      });
      expect(await alone.api.get('/api/health/ready')).toMatchObject({ status: 503 });
    } finally {
      await alone.close();
    }
  });
});

describe('the front door', () => {
  test('is one page at every address of the application, under a policy whose nonce no other answer has', async () => {
    const addresses = ['/', '/console/reviews', '/console/reviews/01a2', '/account/trade', '/confirm'];
    const nonces = await Promise.all(
      addresses.map(async (address) => {
        const page = await stack.api.get<string>(address);
        expect(page.status, address).toBe(200);
        expect(page.headers.get('content-type')).toMatch(/^text\/html/);
        expect(page.headers.get('cache-control')).toBe('no-store');
        const policy = page.headers.get('content-security-policy') ?? '';
        expect(policy).toContain("default-src 'none';script-src 'self';");
        expect(policy).not.toMatch(/unsafe|\*|https?:/);
        const nonce = /style-src 'self' 'nonce-([\w+/=]{24})'/.exec(policy)?.[1];
        expect(page.body).toContain(`nonce="${nonce}"`);
        expect(page.body).not.toContain('TRADEGUARD-CSP-NONCE');
        // Scripts come as files and nothing else.
        expect(page.body).not.toMatch(/<script(?![^>]* src="\/web\/)|<style| style=| on\w+=/);
        return nonce;
      }),
    );
    expect(new Set(nonces).size).toBe(addresses.length);
    for (const href of ['/api/health', '/api/docs', '/api/openapi.json', '/readme']) {
      expect((await stack.api.get(href)).status).toBeLessThan(300);
    }
  });

  test('serves what the page loads, compressed and for good; no path of a request names a file', async () => {
    const page = await stack.api.get<string>('/');
    const files = [...page.body.matchAll(/(?:src|href)="(\/web\/[^"]+)"/g)].map(([, path]) => path as string);
    expect(files.length).toBeGreaterThan(1);
    const seen = new Set<string>();
    for (const path of files) {
      const sizes = await Promise.all(
        ['identity', 'gzip', 'br'].map(async (encoding) => {
          const answer = await fetch(stack.url + path, { headers: { 'Accept-Encoding': encoding } });
          expect(answer.status).toBe(200);
          expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
          const sent = answer.headers.get('content-encoding') ?? 'identity';
          expect(['identity', encoding]).toContain(sent);
          seen.add(sent);
          return Number(answer.headers.get('content-length'));
        }),
      );
      expect(
        sizes.toSorted((a, b) => b - a),
        path,
      ).toEqual(sizes);
    }
    expect(seen).toEqual(new Set(['identity', 'gzip', 'br']));
    for (const path of ['/web/index.html', '/web/.sources', '/web/..%2f..%2fpackage.json', '/web/app.js', '/web/x/y']) {
      expect((await stack.api.get(path)).status, path).toBeGreaterThanOrEqual(400);
    }
  });

  test('what is not there is a 404 problem', async () => {
    expect(await stack.api.get('/nowhere')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  test('a request that is no HTTP does not end the process', async () => {
    const { hostname, port } = new URL(stack.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end('\0\0garbage\r\n\r\n'));
      socket.on('close', () => resolve());
      socket.on('error', () => resolve());
      socket.resume();
    });
    expect(await stack.api.get('/api/health/live')).toMatchObject({ status: 200 });
  });
});

function hostOf(address: string): [string, number] {
  const [host = '', port] = address.split(':');
  return [host, Number(port)];
}

import { createSecretKey, randomBytes } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { z } from 'zod';
import { createApp } from '../../api/app.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { createGuards } from '../../api/guards.ts';
import { principalOf, type Route, route } from '../../api/route.ts';
import { createSigningKeyRoutes } from '../../api/signing-keys.ts';
import { createAuditLog } from '../../db/audit.ts';
import { openKeyring } from '../../db/keyring.ts';
import { rows } from '../../db/sql.ts';
import { ROLES } from '../../domain/roles.ts';
import { loadConfig } from '../../platform/config.ts';
import { createDatabase } from './database.ts';
import { createHttpClient } from './http.ts';
import { createPeople } from './people.ts';

export const AUDIENCE = 'https://trade.example.com';

export interface SentRequest {
  method: string;
  /** Request target: path with query. */
  target: string;
  body: string | Buffer;
  headers: Record<string, string> | [string, string][];
  token: string;
}

/**
 * The application with the routes of signing keys and one more, `/api/echo`, which does nothing but count: what a
 * signature lets through is seen there, without the rules of any business behind it.
 */
export async function createSigningApi() {
  const database = await createDatabase();
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    SESSION_SECRET: randomBytes(32).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
    SIGNING_AUDIENCE: AUDIENCE,
    SIGNING_KEY_OVERLAP: '2s',
    RATE_LIMIT_PER_MINUTE: '1000000',
  });
  const { db } = database;
  const keyring = await openKeyring(db, config);
  const audit = createAuditLog({ auditKey: createSecretKey(randomBytes(32)) });
  const passed: unknown[] = [];
  const routes = [
    ...createSigningKeyRoutes({ config, db, keyring, audit } as ApiDeps),
    ...(['post', 'put', 'get'] as const).flatMap((method) =>
      ['/api/echo', '/api/echo/other'].map((path) => echo(method, path, passed)),
    ),
  ];
  const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
  const telemetry = { observe: () => {}, unexpectedError: () => {} };
  const app = createApp({ log, routes, telemetry, ...createGuards({ config, log, db, keyring, audit }) });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const api = createHttpClient(() => url);

  return {
    url,
    port,
    api,
    db,
    keyring,
    /** Sends exactly these header lines: fetch would join duplicates and normalise the target. */
    send: (request: SentRequest) => sendExactly(port, request),
    ownerDb: database.ownerDb,
    people: createPeople({ api, db, keyring, config }),
    /** What the signature let through to `/api/echo`, in order. */
    passed,
    /** Reasons of the refusals that the audit log holds of this person, in order. */
    async refusals(userId: string): Promise<string[]> {
      const found = await rows<{ reason: string }>(
        db.fork(),
        `select entry::jsonb #>> '{details,reason}' as reason from audit_entry
          where action = 'signature.refused' and actor = $1 order by at, n`,
        [userId],
      );
      return found.map(({ reason }) => reason);
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await database.close();
    },
  };
}

export type SigningApi = Awaited<ReturnType<typeof createSigningApi>>;

function echo(method: 'post' | 'put' | 'get', path: string, passed: unknown[]): Route {
  return route({
    method,
    path,
    name: `${method}Echo`,
    summary: 'Counts what came through',
    access: { kind: 'session', roles: ROLES, ownership: 'none' },
    signed: true,
    body: z.unknown(),
    responses: { 200: { description: 'Came through' } },
    handler: async (context) => {
      passed.push(context.body);
      return { status: 200, body: { userId: principalOf(context).userId } };
    },
  });
}

function sendExactly(port: number, { method, target, body, headers, token }: SentRequest) {
  const lines = Array.isArray(headers) ? headers : Object.entries(headers);
  const raw = [['Authorization', `Bearer ${token}`], ['Content-Type', 'application/json'], ...lines].flat();
  return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path: target,
      headers: [...raw, 'Host', 'localhost', 'Content-Length', String(Buffer.byteLength(body))],
    });
    outgoing.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text ? JSON.parse(text) : {} }));
    });
    outgoing.end(body);
  });
}

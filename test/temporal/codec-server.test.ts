import { execFile } from 'node:child_process';
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createCodecAccess } from '../../api/codec-access.ts';
import { createAuthenticate } from '../../api/middleware/authenticate.ts';
import { createRequestFacts } from '../../api/middleware/request-facts.ts';
import { createAuditLog } from '../../db/audit.ts';
import { openKeyring } from '../../db/keyring.ts';
import { rows, run } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { findTemporalCli } from '../../platform/temporal-cli.ts';
import type { Keyring } from '../../security/keyring.ts';
import { type CodecServer, createCodecServer } from '../../temporal/codec-server.ts';
import { createPayloadCodec } from '../../temporal/payload-codec.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';
import { createHttpClient } from '../helpers/http.ts';
import { createPeople, type SignedIn } from '../helpers/people.ts';
import { keyringFor } from '../security/keyring-fixture.ts';

const UI = 'http://127.0.0.1:8233';
const execute = promisify(execFile);

let database: TestDatabase;
let keyring: Keyring;
let server: CodecServer;
let url: string;
let staff: SignedIn;
let customer: SignedIn;

beforeAll(async () => {
  database = await createDatabase();
  const { db } = database;
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    SESSION_SECRET: randomBytes(32).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
  });
  keyring = await openKeyring(db, config);
  const authenticate = createAuthenticate({
    db,
    keyring,
    cookieName: 'tradeguard',
    publicOrigin: config.publicOrigin,
    stepUpFreshnessMs: config.stepUpFreshness,
  });
  const audit = createAuditLog({ auditKey: createSecretKey(randomBytes(32)) });
  server = createCodecServer({
    codec: createPayloadCodec(keyring, { unencoded: 'pass' }),
    uiOrigin: UI,
    log: pino({ level: 'silent' }),
    ...createCodecAccess({ db, audit, authenticate, requestFacts: createRequestFacts({ trustedProxies: [] }) }),
  });
  url = await server.listen(0);
  const people = createPeople({ api: createHttpClient(() => url), db, keyring, config });
  [staff, customer] = await Promise.all([people.signedIn('auditor'), people.signedIn('customer')]);
});
afterAll(async () => {
  await server?.close();
  await database?.close();
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = { metadata: { encoding: base64('json/plain') }, data: base64('{"amount":"250.00"}') };

async function encoded(ring = keyring) {
  const [payload] = await createPayloadCodec(ring, { unencoded: 'refuse' }).encode([
    { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"amount":"250.00"}') },
  ]);
  return {
    metadata: Object.fromEntries(
      Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
    data: Buffer.from(payload?.data ?? []).toString('base64'),
  };
}

async function ask(
  body: unknown,
  {
    path = '/decode',
    headers = {},
    method = 'POST',
  }: { path?: string; headers?: Record<string, string>; method?: string } = {},
) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Namespace': 'default', ...headers },
    ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

const asStaff = () => ({ Authorization: `Bearer ${staff.token}` });
const decodes = () =>
  rows<{ actor: string; entry: string }>(
    database.db.fork(),
    `select actor, entry from audit_entry where action = 'payload.decoded' order by at, n`,
  );

describe('the codec server', () => {
  it('decodes for a member of staff as the Temporal UI asks: with the cookie, from its origin', async () => {
    const before = (await decodes()).length;
    const answer = await ask(
      { payloads: [await encoded(), plain] },
      { headers: { Origin: UI, Cookie: `tradeguard=${staff.token}` } },
    );
    expect(answer).toMatchObject({ status: 200, body: { payloads: [plain, plain] } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true');
    const entries = (await decodes()).slice(before);
    expect(entries).toHaveLength(1);
    expect(entries[0]?.actor).toBe(staff.userId);
    expect(JSON.parse(entries[0]?.entry ?? '')).toMatchObject({
      subject: { kind: 'temporal_namespace', id: 'default' },
      details: { payloads: 2, keyIds: [keyring.generations('payload-codec')[0]?.keyId] },
    });
    expect(entries[0]?.entry).not.toContain('250.00');
  });

  it('answers the question a browser asks first, for its one origin', async () => {
    const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-namespace' };
    const allowed = await ask(undefined, { method: 'OPTIONS', headers: { Origin: UI, ...preflight } });
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(UI);
    expect(allowed.headers.get('access-control-allow-headers')).toMatch(/x-namespace/i);
    const other = await ask(undefined, { method: 'OPTIONS', headers: { Origin: 'http://evil.example', ...preflight } });
    expect(other.status).toBe(403);
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each([
    ['nobody', () => ({}), 401],
    ['a customer', () => ({ Authorization: `Bearer ${customer.token}` }), 401],
    ['a wrong token', () => ({ Authorization: `Bearer ${randomBytes(32).toString('base64url')}` }), 401],
    ['staff on a foreign page', () => ({ ...asStaff(), Origin: 'http://127.0.0.1:9999' }), 403],
    ['staff on a page without an origin', () => ({ ...asStaff(), Origin: 'null' }), 403],
  ])('decodes nothing for %s, and writes nothing down', async (_who, headers, status) => {
    const before = (await decodes()).length;
    const answer = await ask({ payloads: [await encoded()] }, { headers: headers() });
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toContain(plain.data);
    expect(await decodes()).toHaveLength(before);
  });

  it('gives nobody the key to encode with: what the UI sends stays plain', async () => {
    const answer = await ask({ payloads: [plain] }, { path: '/encode', headers: asStaff() });
    expect(answer).toMatchObject({ status: 200, body: { payloads: [plain] } });
    expect((await ask({ payloads: [plain] }, { path: '/encode' })).status).toBe(401);
  });

  it.each([
    ['no JSON', '{', 400],
    ['no list', {}, 400],
    ['a list of other things', { payloads: ['x'] }, 400],
    ['numbers for bytes', { payloads: [{ data: 1 }] }, 400],
    ['too much', 'x'.repeat(8 * 1024 * 1024 + 1), 413],
  ])('refuses %s', async (_what, body, status) => {
    expect((await ask(body, { headers: asStaff() })).status).toBe(status);
  });

  it('says which payloads are not its own, and has no other addresses', async () => {
    const foreign = await encoded(await keyringFor('payload-codec'));
    expect((await ask({ payloads: [foreign] }, { headers: asStaff() })).status).toBe(422);
    const altered = { ...(await encoded()), data: base64('too short to be anything') };
    expect((await ask({ payloads: [altered] }, { headers: asStaff() })).status).toBe(422);
    expect((await ask({}, { path: '/', headers: asStaff() })).status).toBe(404);
    expect((await ask(undefined, { method: 'GET', headers: asStaff() })).status).toBe(405);
  });

  it('hands out nothing that it could not write down', async () => {
    await run(database.ownerDb.fork(), 'alter table audit_entry rename to audit_entry_away');
    try {
      const answer = await ask({ payloads: [await encoded()] }, { headers: asStaff() });
      expect(answer.status).toBe(500);
      expect(JSON.stringify(answer.body)).not.toContain(plain.data);
    } finally {
      await run(database.ownerDb.fork(), 'alter table audit_entry_away rename to audit_entry');
    }
  });

  it('lets an operator read a history with the Temporal CLI', async () => {
    const { temporalAddress } = inject('servers');
    const connection = await Connection.connect({ address: temporalAddress });
    const secret = `canary-${randomUUID()}`;
    const client = new Client({
      connection,
      dataConverter: { payloadCodecs: [createPayloadCodec(keyring, { unencoded: 'refuse' })] },
    });
    const handle = await client.workflow.start('neverRun', {
      taskQueue: `nobody-${randomUUID()}`,
      workflowId: `codec-${randomUUID()}`,
      args: [{ secret }],
    });
    const cli = await findTemporalCli({ env: process.env, say: () => {} });
    const show = async (...more: string[]) =>
      (
        await execute(cli.path, [
          ...['workflow', 'show', '--address', temporalAddress, '--workflow-id', handle.workflowId, '--output', 'json'],
          ...['--disable-config-file', '--disable-config-env', ...more],
        ])
      ).stdout;
    // The CLI prints the bytes of a payload in base64.
    const readable = Buffer.from(JSON.stringify({ secret })).toString('base64');
    expect(await show()).not.toContain(readable);
    expect(await show('--codec-endpoint', url, '--codec-auth', `Bearer ${staff.token}`)).toContain(readable);
    await expect(show('--codec-endpoint', url, '--codec-auth', `Bearer ${customer.token}`)).rejects.toThrow();
    await handle.terminate();
    await connection.close();
  });
});

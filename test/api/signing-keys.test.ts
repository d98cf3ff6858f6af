import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createSignedClient, type IssuedSigningKey, issueSigningKey, signatureHeaders } from '../helpers/signing.ts';
import { AUDIENCE, createSigningApi, type SigningApi } from '../helpers/signing-api.ts';

const TARGET = '/api/echo';
const BODY = '{"amount":"250.00","currency":"USD"}';

let server: SigningApi;
let owner: SignedIn;
let key: IssuedSigningKey;

beforeAll(async () => {
  server = await createSigningApi();
});
afterAll(() => server?.close());
beforeEach(async () => {
  owner = await server.people.signedIn('customer');
  key = await issueSigningKey(server.api, owner.token);
});

const send = ({ headers }: { headers: Record<string, string> }) =>
  server.send({ method: 'POST', target: TARGET, body: BODY, token: owner.token, headers });
const signed = (by = key) => signatureHeaders(by, { method: 'POST', target: TARGET, body: BODY });
const without = (headers: Record<string, string>, name: string) =>
  Object.fromEntries(Object.entries(headers).filter(([given]) => given !== name));

describe('signing keys', () => {
  const client = () => createSignedClient(server.api, { token: owner.token, key });

  it('are issued only to a session with a fresh second factor, and shown once', async () => {
    expect(Buffer.from(key.secret, 'base64url')).toHaveLength(32);
    expect(key.audience).toBe(AUDIENCE);
    const list = await server.api.get('/api/signing-keys', { token: owner.token });
    expect(list.body.items).toEqual([
      {
        keyId: key.keyId,
        status: 'active',
        replaces: null,
        createdAt: expect.any(String),
        acceptedUntil: null,
        revokedAt: null,
      },
    ]);
    expect(JSON.stringify(list.body)).not.toContain(key.secret);
    await run(
      server.db.fork(),
      `update session set factor_at = clock_timestamp() - interval '6 minutes' where user_id = $1`,
      [owner.userId],
    );
    const refused = await server.api.post('/api/signing-keys', {}, { token: owner.token });
    expect(refused).toMatchObject({ status: 403, body: { code: 'step_up_needed' } });
    const rotation = await client().post(`/api/signing-keys/${key.keyId}/rotate`);
    expect(rotation).toMatchObject({ status: 403, body: { code: 'step_up_needed' } });
  });

  it('lie encrypted in the database', async () => {
    const [stored] = (await server.ownerDb
      .fork()
      .getConnection()
      .execute('select secret, to_jsonb(signing_key)::text as row from signing_key where id = ?', [key.keyId])) as {
      secret: string;
      row: string;
    }[];
    expect(stored?.row).not.toContain(key.secret);
    expect(Buffer.from(stored?.secret ?? '', 'base64url').includes(Buffer.from(key.secret, 'base64url'))).toBe(false);
    expect(Buffer.from(stored?.secret ?? '', 'base64url')[0]).toBe(1);
  });

  it('both work while one is rotated into the other, until the overlap is over', async () => {
    const rotated = await client().post(`/api/signing-keys/${key.keyId}/rotate`);
    expect(rotated.status).toBe(201);
    expect(rotated.body).toMatchObject({
      status: 'active',
      replaces: key.keyId,
      secret: expect.stringMatching(/^[\w-]{43}$/),
    });
    const successor: IssuedSigningKey = rotated.body;
    expect((await send({ headers: signed() })).status).toBe(200);
    expect((await send({ headers: signed(successor) })).status).toBe(200);
    expect((await send({ headers: without(signed(), 'X-Key-Id') })).status).toBe(200);
    expect((await send({ headers: without(signed(successor), 'X-Key-Id') })).status).toBe(200);

    await sleep(2_100);
    expect((await send({ headers: signed() })).status).toBe(401);
    expect((await send({ headers: signed(successor) })).status).toBe(200);
    expect(await server.refusals(owner.userId)).toEqual(['key_revoked']);
    const old = await server.api.get(`/api/signing-keys/${key.keyId}`, { token: owner.token });
    expect(old.body).toMatchObject({ status: 'revoked', revokedAt: old.body.acceptedUntil });
  });

  it('are rotated once, by whom they belong to', async () => {
    const path = `/api/signing-keys/${key.keyId}/rotate`;
    const both = await Promise.all([client().post(path), client().post(path)]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    const stranger = await server.people.signedIn('customer');
    const theirs = createSignedClient(server.api, {
      token: stranger.token,
      key: await issueSigningKey(server.api, stranger.token),
    });
    expect((await theirs.post(path)).status).toBe(404);
    expect((await theirs.delete(`/api/signing-keys/${key.keyId}`)).status).toBe(404);
    expect((await server.api.get(`/api/signing-keys/${key.keyId}`, { token: stranger.token })).status).toBe(404);
  });

  it('are revoked by a signed call alone, and a lost one with the help of a new one', async () => {
    const target = `/api/signing-keys/${key.keyId}`;
    expect((await server.api.delete(target, { token: owner.token })).status).toBe(401);
    const second = await issueSigningKey(server.api, owner.token);
    const withSecond = createSignedClient(server.api, { token: owner.token, key: second });
    expect((await withSecond.delete(target)).status).toBe(204);
    expect((await withSecond.delete(target)).status).toBe(204);
    expect((await send({ headers: signed() })).status).toBe(401);
    const page = await server.api.get('/api/signing-keys?limit=1', { token: owner.token });
    expect(page.body.items).toMatchObject([{ keyId: second.keyId, status: 'active' }]);
    const next = await server.api.get(`/api/signing-keys?cursor=${page.body.nextCursor}`, { token: owner.token });
    expect(next.body).toMatchObject({ items: [{ keyId: key.keyId, status: 'revoked' }], nextCursor: null });
  });

  it('are ten at most, however many are asked for at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => server.api.post('/api/signing-keys', {}, { token: owner.token })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(9);
    expect(answers.filter(({ body }) => body.code === 'too_many_keys')).toHaveLength(11);
  });

  it('leave a trace of each change', async () => {
    const rotated = await client().post(`/api/signing-keys/${key.keyId}/rotate`);
    await client().delete(`/api/signing-keys/${key.keyId}`);
    const found = (await server.ownerDb
      .fork()
      .getConnection()
      .execute(`select action, subject from audit_entry where actor = ? order by at, n`, [owner.userId])) as unknown[];
    expect(found).toEqual([
      { action: 'signing_key.issued', subject: key.keyId },
      { action: 'signing_key.rotated', subject: rotated.body.keyId },
      { action: 'signing_key.revoked', subject: key.keyId },
    ]);
  });

  it('of a restricted account cannot be made', async () => {
    await run(server.db.fork(), 'update app_user set restricted_at = clock_timestamp() where id = $1', [owner.userId]);
    const refused = await server.api.post('/api/signing-keys', {}, { token: owner.token });
    expect(refused).toMatchObject({ status: 403, body: { code: 'account_restricted' } });
  });
});

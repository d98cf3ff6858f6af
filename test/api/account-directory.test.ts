import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createOwnedObjects, type OwnedObjects } from '../helpers/owned-objects.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const BASE = '/api/admin/security/accounts';
let stack: Stack;
let objects: OwnedObjects;
let admin: SignedIn;
let auditor: SignedIn;
let reviewer: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  objects = createOwnedObjects(stack);
  admin = await stack.people.signedIn('admin');
  auditor = await stack.people.signedIn('auditor');
  reviewer = await stack.people.signedIn('reviewer');
});
afterAll(() => stack?.close());

const get = (path: string, by = admin) => stack.api.get(`${BASE}${path}`, { token: by.token });
const idsOf = ({ body }: { body: { items: { userId: string }[] } }) => body.items.map(({ userId }) => userId);
const expectMissing = (answer: unknown) => expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });

describe('the list of accounts', () => {
  test('is newest first, by pages that lose and repeat nothing', async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await stack.people.signedIn('customer')).userId);
    const found: string[] = [];
    let query = '?limit=2';
    for (;;) {
      const page = await get(query);
      expect(page.status).toBe(200);
      found.push(...idsOf(page));
      if (page.body.nextCursor === null) break;
      query = `?limit=2&cursor=${page.body.nextCursor}`;
    }
    expect(found.slice(0, 5)).toEqual(made.toReversed());
    expect(new Set(found).size).toBe(found.length);
    expect(found).toContain(reviewer.userId);
  });

  test('is searched by how an address begins, whatever its case; signs of a pattern are letters', async () => {
    const one = await stack.people.register({ email: `Ann_Smith.${uuidV7().slice(-6)}@example.com` });
    await stack.people.register({ email: `annXsmith.${uuidV7().slice(-6)}@example.com` });
    const search = (email: string, by = admin) => get(`?email=${encodeURIComponent(email)}`, by);
    expect((await search('ann_SMITH.')).body.items.map(({ email }: { email: string }) => email)).toEqual([one.email]);
    expect((await search('ann', auditor)).body.items).toHaveLength(2);
    expect((await search('%')).body.items).toEqual([]);
    expect((await search('smith')).body.items).toEqual([]);
  });

  test('shows reviewers neither addresses nor names, and lets them find out none letter by letter', async () => {
    const { userId, email } = await stack.people.signedIn('customer');
    const seen = async (query: string) => {
      const { body } = await get(query, reviewer);
      return body.items.find((one: { userId: string }) => one.userId === userId);
    };
    expect(await seen('')).toMatchObject({ email: `${email[0]}***@example.com`, fullName: 'T*** P***' });
    expect(await seen(`?email=${email.slice(0, 8)}`)).toBeUndefined();
    expect(await seen(`?email=${email}`)).toMatchObject({ userId });
    expect((await get(`/${userId}`, reviewer)).body).toMatchObject({ fullName: 'T*** P***' });
    expect((await get(`/${userId}`, auditor)).body).toMatchObject({ email, fullName: 'Test Person' });
  });

  test('is filtered by role and by state', async () => {
    expect(idsOf(await get('?role=reviewer'))).toEqual([reviewer.userId]);
    const [restricted, disabled] = [await stack.people.signedIn('customer'), await stack.people.signedIn('customer')];
    const { body } = await stack.api.post(
      `${BASE}/${restricted.userId}/restrict`,
      { reason: 'a test' },
      { token: admin.token },
    );
    expect(body.workflowId).toBe(`restriction:${body.restrictionId}`);
    await stack.api.patch(`/api/admin/users/${disabled.userId}`, { disabled: true }, { token: admin.token });
    expect(idsOf(await get('?state=restricted'))).toEqual([restricted.userId]);
    expect(idsOf(await get('?state=disabled'))).toEqual([disabled.userId]);
    expect(idsOf(await get('?state=disabled&role=admin'))).toEqual([]);
    expect((await get(`/${restricted.userId}`)).body).toMatchObject({
      restricted: true,
      restriction: { restrictionId: body.restrictionId, workflowId: body.workflowId, since: body.startedAt },
    });
  });

  test('and the list of lockouts show who is locked and for how long; an unlock ends it', async () => {
    const person = await stack.people.register();
    for (let n = 0; n < 5; n += 1) await stack.people.login({ ...person, password: 'not the password of anybody' });
    const nobody = { email: stack.people.newAddress(), password: 'whatever it is here' };
    for (let n = 0; n < 5; n += 1) await stack.people.login(nobody);
    const [found, ...others] = (await get('?state=locked')).body.items;
    expect(others).toEqual([]);
    expect(found).toMatchObject({ email: person.email, lastLogin: { status: 'locked' } });
    expect(found.lockout.workflowId).toBe(`lockout:${found.lockout.lockoutId}`);
    expect(found.lockout.secondsLeft).toBeGreaterThan(850);
    const lockouts = () => stack.api.get('/api/admin/security/lockouts', { token: reviewer.token });
    const { items } = (await lockouts()).body;
    expect(items.map(({ userId }: { userId: string | null }) => userId)).toEqual([null, found.userId]);
    expect(items[1]).toMatchObject({ lockoutId: found.lockout.lockoutId, unlockRequestedBy: null });
    expect(JSON.stringify(items)).not.toContain(nobody.email);

    await stack.api.post(`${BASE}/${found.userId}/unlock`, { reason: 'a test' }, { token: admin.token });
    expect((await get('?state=locked')).body.items).toEqual([]);
    expect((await lockouts()).body.items).toHaveLength(1);
    expect((await get(`/${found.userId}`)).body.lockout).toBeNull();
  });
});

describe('one account', () => {
  test('shows what it has: factors, devices, sessions, logins with their workflows', async () => {
    const person = await stack.people.register();
    await stack.people.login(person);
    const [{ userId }] = (await get(`?email=${person.email}`)).body.items;
    const { status, body } = await get(`/${userId}`, reviewer);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ role: 'customer', tier: expect.any(String), disabled: false, restricted: false, lockout: null },
      ...{ openSessions: 1, devices: 1, factors: [], signingKeys: 0, heldTransactions: 0, restriction: null },
      lastLogin: { status: 'authenticated' },
    });
    const session = (await get(`/${userId}/sessions`, reviewer)).body.items[0];
    const device = (await get(`/${userId}/devices`, auditor)).body.items[0];
    const login = (await get(`/${userId}/logins`, reviewer)).body.items[0];
    expect(session).toMatchObject({ deviceId: device.deviceId, loginId: login.loginId, channel: 'bearer' });
    expect(session.workflowId).toBe(`login:${login.loginId}`);
    expect(device).toMatchObject({ components: { browser: 'chrome' }, trusted: false, openSessions: 1 });
    expect(login).toMatchObject({ userId, status: 'authenticated', workflowId: `login:${login.loginId}` });
    expect(login.reasons.length).toBeGreaterThan(3);
    expect((await get(`/${reviewer.userId}`)).body.factors).toEqual(['totp']);
    expect(JSON.stringify([session, device, login])).not.toContain(person.email);
  });

  test('pages its logins', async () => {
    const person = await stack.people.register();
    for (let n = 0; n < 3; n += 1) await stack.people.login(person);
    const [{ userId }] = (await get(`?email=${person.email}`)).body.items;
    const first = (await get(`/${userId}/logins?limit=2`)).body;
    const second = (await get(`/${userId}/logins?limit=2&cursor=${first.nextCursor}`)).body;
    expect(second.nextCursor).toBeNull();
    const ids = [...first.items, ...second.items].map(({ loginId }: { loginId: string }) => loginId);
    expect(new Set(ids).size).toBe(3);
  });

  test('that does not exist has nothing', async () => {
    for (const rest of ['', '/sessions', '/devices', '/logins']) expectMissing(await get(`/${uuidV7()}${rest}`));
    expect(await get('/me')).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
  });
});

describe('an administrator ends sessions', () => {
  const end = (path: string, by = admin, body: object = { reason: 'reported as stolen' }) =>
    stack.api.post(`${BASE}/${path}/end`, body, { token: by.token });
  const isOpen = async (token: string) => (await stack.api.get('/api/auth/sessions', { token })).status === 200;

  test('one of them, once, on record with the reason', async () => {
    const owner = await stack.people.signedIn('customer');
    const stolen = await objects.session(owner.userId);
    const path = `${owner.userId}/sessions/${stolen.id}`;
    expect((await end(path)).body).toEqual({ userId: owner.userId, ended: 1 });
    expect(await isOpen(stolen.token)).toBe(false);
    expect(await isOpen(owner.token)).toBe(true);
    expect(await end(path)).toMatchObject({ status: 200, body: { ended: 0 } });
    const { body } = await stack.api.get(
      `/api/admin/security/audit-logs?action=session.revoked&subject=${owner.userId}`,
      { token: auditor.token },
    );
    expect(body.items).toMatchObject([
      {
        actor: { kind: 'user', id: admin.userId },
        details: { sessions: [stolen.id], reason: 'ended_by_admin', statedReason: 'reported as stolen' },
      },
    ]);
  });

  test('all of them, however often it is asked at the same time', async () => {
    const owner = await stack.people.signedIn('customer');
    const others = [await objects.session(owner.userId), await objects.session(owner.userId)];
    const answers = await Promise.all([1, 2, 3].map(() => end(`${owner.userId}/sessions`)));
    expect(answers.map(({ body }) => body.ended).sort()).toEqual([0, 0, 3]);
    for (const { token } of [owner, ...others]) expect(await isOpen(token)).toBe(false);
    expect((await get(`/${owner.userId}/sessions`)).body.items).toEqual([]);
  });

  test('never of another account than the named one, and not without a reason', async () => {
    const [owner, other] = [await stack.people.signedIn('customer'), await stack.people.signedIn('customer')];
    const foreign = await objects.session(other.userId);
    expectMissing(await end(`${owner.userId}/sessions/${foreign.id}`));
    expect(await isOpen(foreign.token)).toBe(true);
    expectMissing(await end(`${uuidV7()}/sessions`));
    for (const body of [{}, { reason: ' ' }, { reason: 'x', all: true }]) {
      expect(await end(`${owner.userId}/sessions`, admin, body)).toMatchObject({ status: 400 });
    }
    for (const by of [reviewer, auditor, other]) {
      expect(await end(`${owner.userId}/sessions`, by)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect(await isOpen(owner.token)).toBe(true);
  });

  test('sessions that have ended are not listed', async () => {
    const owner = await stack.people.signedIn('customer');
    await run(stack.db.fork(), `update session set expires_at = clock_timestamp() where user_id = $1`, [owner.userId]);
    expect((await get(`/${owner.userId}/sessions`)).body.items).toEqual([]);
    expect((await get(`/${owner.userId}`)).body.openSessions).toBe(0);
  });
});

test('who may: reviewers, administrators and auditors read; input is checked', async () => {
  const customer = await stack.people.signedIn('customer');
  const paths = ['', `/${customer.userId}`, `/${customer.userId}/sessions`, `/${customer.userId}/logins`];
  for (const path of paths) {
    for (const by of [reviewer, admin, auditor]) expect((await get(path, by)).status).toBe(200);
    expect(await get(path, customer)).toMatchObject({ status: 403 });
    expect(await stack.api.get(`${BASE}${path}`)).toMatchObject({ status: 401 });
  }
  for (const query of ['?state=lost', '?role=god', '?limit=0', '?cursor=x', '?email=', '?email=a%00b', '?more=1']) {
    expect(await get(query), query).toMatchObject({ status: 400 });
  }
});

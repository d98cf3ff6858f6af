import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const NEW = 'a password of my very own';

describe('staff accounts', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  const create = (token: string, role: string, email = stack.people.newAddress()) =>
    stack.api.post('/api/admin/users', { email, fullName: 'Staff Member', role }, { token });
  const submit = (loginId: string, code: string) =>
    stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'totp', code });

  it('[P11] are created with a one-time password, enrol TOTP at the first login and then choose a password', async () => {
    const admin = await stack.people.signedIn('admin');
    const created = await create(admin.token, 'reviewer');
    expect(created.status).toBe(201);
    const { email, oneTimePassword } = created.body;

    const asked = await stack.people.login({ email, password: oneTimePassword });
    expect(asked.status).toBe(202);
    expect(asked.body).toMatchObject({ status: 'enrolment_required', loginId: expect.any(String) });
    const { secret, otpauthUri } = asked.body.totp;
    expect(otpauthUri).toContain(`secret=${secret}`);
    const opened = await submit(asked.body.loginId, stack.people.totpCode(secret));
    expect(opened.body).toMatchObject({ status: 'authenticated', passwordChangeRequired: true });
    const { token } = opened.body.session;

    const refused = await stack.api.get('/api/admin/security/incidents', { token });
    expect(refused.body.code).toBe('password_change_required');
    expect((await stack.api.get('/api/auth/sessions', { token })).body.code).toBe('password_change_required');
    const change = { currentPassword: oneTimePassword, newPassword: NEW };
    expect((await stack.api.post('/api/auth/password', change, { token })).status).toBe(204);
    expect((await stack.api.get('/api/admin/security/incidents', { token })).status).toBe(200);

    const again = await stack.people.login({ email, password: NEW });
    expect(again.body).toMatchObject({ status: 'step_up_required', methods: ['totp'] });
    expect((await submit(again.body.loginId, stack.people.totpCode(secret))).status).toBe(200);
  });

  it('enrol the secret of their own login: one that another login was shown is void', async () => {
    const admin = await stack.people.signedIn('admin');
    const { email, oneTimePassword: password } = (await create(admin.token, 'auditor')).body;
    const first = await stack.people.login({ email, password });
    const second = await stack.people.login({ email, password });
    expect(first.body.totp.secret).not.toBe(second.body.totp.secret);
    expect((await submit(first.body.loginId, stack.people.totpCode(first.body.totp.secret))).status).toBe(200);
    const late = await submit(second.body.loginId, stack.people.totpCode(second.body.totp.secret));
    expect(late.body.code).toBe('login_denied');
  });

  it('[P11] are managed by administrators alone; auditors read', async () => {
    const { token: auditor } = await stack.people.signedIn('auditor');
    expect(
      (await stack.api.get('/api/admin/users?role=auditor', { token: auditor })).body.items.length,
    ).toBeGreaterThan(0);
    for (const role of ['customer', 'reviewer', 'auditor'] as const) {
      const { token, userId } = await stack.people.signedIn(role);
      expect((await create(token, 'admin')).status).toBe(403);
      expect((await stack.api.patch(`/api/admin/users/${userId}`, { role: 'admin' }, { token })).status).toBe(403);
      if (role !== 'auditor') expect((await stack.api.get('/api/admin/users', { token })).status).toBe(403);
    }
    const admin = await stack.people.signedIn('admin');
    expect((await create(admin.token, 'importer')).status).toBe(400);
  });

  it('are made and changed only with a second factor of the last minutes', async () => {
    const admin = await stack.people.signedIn('admin');
    const { userId } = await stack.people.signedIn('reviewer');
    await run(
      stack.db.fork(),
      `update session set factor_at = clock_timestamp() - interval '6 minutes' where user_id = $1`,
      [admin.userId],
    );
    for (const refused of [
      await create(admin.token, 'admin'),
      await stack.api.patch(`/api/admin/users/${userId}`, { role: 'admin' }, { token: admin.token }),
    ]) {
      expect([refused.status, refused.body.code]).toEqual([403, 'step_up_needed']);
    }
  });

  it('refuse an address that is taken', async () => {
    const admin = await stack.people.signedIn('admin');
    const { email } = await stack.people.register();
    expect((await create(admin.token, 'reviewer', email)).body.code).toBe('already_exists');
  });

  it('[P11] lose their sessions with a role change or when they are disabled', async () => {
    const admin = await stack.people.signedIn('admin');
    const person = await stack.people.signedIn('reviewer');
    const path = `/api/admin/users/${person.userId}`;
    const changed = await stack.api.patch(path, { role: 'auditor' }, { token: admin.token });
    expect(changed.body).toMatchObject({ role: 'auditor', disabled: false });
    expect((await stack.api.get('/api/auth/sessions', { token: person.token })).status).toBe(401);
    await stack.api.patch(path, { disabled: true }, { token: admin.token });
    const refused = await stack.people.login(person);
    expect(refused.body.code).toBe('account_disabled');
    expect((await stack.people.login({ ...person, password: 'not the right one' })).body.code).toBe(
      'invalid_credentials',
    );
    await stack.api.patch(path, { disabled: false }, { token: admin.token });
    expect((await stack.people.login(person)).status).toBe(202);
  });

  it('get a new one-time password or enrolment from an administrator with a fresh factor', async () => {
    const admin = await stack.people.signedIn('admin');
    const person = await stack.people.signedIn('reviewer');
    const post = (what: string) =>
      stack.api.post(`/api/admin/users/${person.userId}/${what}`, {}, { token: admin.token });
    const { oneTimePassword } = (await post('reset-password')).body;
    expect((await stack.people.login(person)).status).toBe(401);
    expect((await post('reset-mfa')).body).toMatchObject({ mfa: false });
    const asked = await stack.people.login({ email: person.email, password: oneTimePassword });
    expect(asked.body.status).toBe('enrolment_required');
    await run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
    expect((await post('reset-mfa')).body).toMatchObject({ code: 'step_up_needed', methods: ['totp'] });
  });

  it('never lose the last administrator, also when two remove each other at once', async () => {
    await run(stack.db.fork(), `update app_user set disabled_at = clock_timestamp() where role = 'admin'`);
    const [one, two] = [await stack.people.signedIn('admin'), await stack.people.signedIn('admin')];
    // Both are held at the door until both are there, so that they really meet.
    const { removals } = await stack.db.transaction(async (tx) => {
      await run(tx, `select 1 from app_user where id in ($1, $2) for update`, [one.userId, two.userId]);
      const both = [
        stack.api.patch(`/api/admin/users/${two.userId}`, { role: 'reviewer' }, { token: one.token }),
        stack.api.patch(`/api/admin/users/${one.userId}`, { disabled: true }, { token: two.token }),
      ];
      await sleep(500);
      return { removals: both };
    });
    const outcomes = await Promise.all(removals);
    const left = await rows<{ id: string }>(
      stack.db.fork(),
      `select id from app_user where role = 'admin' and disabled_at is null`,
    );
    expect(left).toHaveLength(1);
    expect(outcomes.map(({ status }) => status).sort()).toEqual([200, 409]);
    const last = left[0]?.id === one.userId ? one : two;
    for (const change of [{ role: 'auditor' }, { disabled: true }]) {
      const refused = await stack.api.patch(`/api/admin/users/${last.userId}`, change, { token: last.token });
      expect(refused.body).toMatchObject({ status: 409, code: 'last_admin' });
    }
  });
});

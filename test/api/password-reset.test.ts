import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, run } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const NEW = 'another horse, another battery';

describe('password reset', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  const forgot = (email: string) => stack.api.post('/api/auth/password/forgot', { email });
  const reset = (token: string, newPassword = NEW) =>
    stack.api.post('/api/auth/password/reset', { token, newPassword });
  async function tokenFor(email: string, count = 1): Promise<string> {
    const { text } = await stack.mail.waitFor(email, { subject: /Reset your password/, count });
    return /#token=([\w-]{43})/.exec(text)?.[1] ?? '';
  }

  it('sets a new password once, by the mailed token, and ends every session', async () => {
    const person = await stack.people.customer();
    expect((await forgot(person.email)).status).toBe(202);
    const token = await tokenFor(person.email);
    expect((await reset(token)).status).toBe(204);
    expect((await stack.api.get('/api/auth/sessions', { token: person.token })).status).toBe(401);
    expect((await stack.people.login(person)).status).toBe(401);
    expect((await stack.people.login({ email: person.email, password: NEW })).status).toBe(200);
    expect((await reset(token, `${NEW}!`)).body.code).toBe('token_invalid');
    await stack.mail.waitFor(person.email, { subject: /password was changed/ });
  });

  it('works for one of many at once', async () => {
    const person = await stack.people.register();
    await forgot(person.email);
    const token = await tokenFor(person.email);
    const answers = await Promise.all([1, 2, 3, 4].map((n) => reset(token, `${NEW} ${n}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 400, 400, 400]);
  });

  it('voids the other links, and a link after 15 minutes', async () => {
    const person = await stack.people.register();
    await forgot(person.email);
    await forgot(person.email);
    const [first, second] = [await tokenFor(person.email, 1), await tokenFor(person.email, 2)];
    expect((await reset(second)).status).toBe(204);
    expect((await reset(first)).body.code).toBe('token_invalid');
    await forgot(person.email);
    const third = await tokenFor(person.email, 3);
    const { seconds } = await oneRow<{ seconds: number }>(
      stack.db.fork(),
      `select extract(epoch from max(expires_at - created_at))::int as seconds from password_reset`,
    );
    expect(seconds).toBe(900);
    await run(stack.db.fork(), 'update password_reset set expires_at = clock_timestamp() where used_at is null');
    expect((await reset(third)).body.code).toBe('token_invalid');
  });

  it('answers alike for an address without an account, and writes it no letter', async () => {
    const nobody = stack.people.newAddress();
    const [unknown, known] = [await forgot(nobody), await forgot((await stack.people.register()).email)];
    expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
    expect(stack.mail.to(nobody)).toEqual([]);
  });

  it('mails three links an hour at most', async () => {
    const person = await stack.people.register();
    for (let i = 0; i < 5; i += 1) expect((await forgot(person.email)).status).toBe(202);
    await tokenFor(person.email, 3);
    const { n } = await oneRow<{ n: number }>(
      stack.db.fork(),
      `select count(*)::int as n from outbox_mail where recipient = $1 and template = 'password_reset'`,
      [person.email],
    );
    expect(n).toBe(3);
  });

  it('refuses a breached password and keeps the token usable', async () => {
    const person = await stack.people.register();
    await forgot(person.email);
    const token = await tokenFor(person.email);
    expect((await reset(token, 'Password1234!')).body.code).toBe('password_breached');
    expect((await reset(token, 'short')).body).toMatchObject({ code: 'validation_failed' });
    expect((await reset(token)).status).toBe(204);
  });

  it('lifts a lockout, since the password it protected is void', async () => {
    const person = await stack.people.register();
    for (let i = 0; i < 5; i += 1) await stack.people.login({ ...person, password: 'a wrong one for sure' });
    expect((await stack.people.login(person)).status).toBe(423);
    await forgot(person.email);
    await reset(await tokenFor(person.email));
    expect((await stack.people.login({ email: person.email, password: NEW })).status).toBe(200);
    const lockout = await oneRow<{ id: string; unlocked_by: string }>(
      stack.db.fork(),
      `select l.id, l.unlocked_by from lockout l join app_user u on u.id = l.user_id where u.email_key = $1`,
      [person.email],
    );
    expect(lockout.unlocked_by).toBe('password_reset');
    expect(await stack.temporal.workflow.getHandle(`lockout:${lockout.id}`).result()).toBe('password_reset');
  });
});

describe('password change', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  it('ends the other sessions and keeps this one', async () => {
    const person = await stack.people.customer();
    const other = (await stack.people.login(person)).body.session.token;
    const body = { currentPassword: person.password, newPassword: NEW };
    expect((await stack.api.post('/api/auth/password', body, { token: person.token })).status).toBe(204);
    expect((await stack.api.get('/api/auth/sessions', { token: other })).status).toBe(401);
    expect((await stack.api.get('/api/auth/sessions', { token: person.token })).body.items).toHaveLength(1);
    expect((await stack.people.login({ email: person.email, password: NEW })).status).toBe(200);
  });

  it('gives a stolen session five guesses at the password, in parallel or not', async () => {
    const person = await stack.people.customer();
    const guess = () =>
      stack.api.post(
        '/api/auth/password',
        { currentPassword: 'a guess at the password', newPassword: NEW },
        { token: person.token },
      );
    const answers = await Promise.all(Array.from({ length: 9 }, guess));
    expect(answers.filter(({ body }) => body.code === 'invalid_credentials').length).toBeLessThanOrEqual(5);
    expect((await stack.api.get('/api/auth/sessions', { token: person.token })).status).toBe(401);
  });
});

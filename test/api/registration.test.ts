import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows } from '../../db/sql.ts';
import { PHONE } from '../helpers/devices.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

describe('registration', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  it('opens an account with one trading account and one known device', async () => {
    const { email, answer } = await stack.people.register();
    expect(answer.body).toEqual({ status: 'registered', deviceToken: expect.stringMatching(/^[\w-]{43}$/) });
    const found = await oneRow<{ accounts: number; states: number; devices: number }>(
      stack.db.fork(),
      `select (select count(*)::int from account where user_id = u.id) as accounts,
              (select count(*)::int from account_state s join account a on a.id = s.account_id where a.user_id = u.id) as states,
              (select count(*)::int from device where user_id = u.id) as devices
         from app_user u where email_key = $1`,
      [email],
    );
    expect(found).toEqual({ accounts: 1, states: 1, devices: 1 });
  });

  it('answers alike for an address that is taken; its owner gets one letter and nothing changes', async () => {
    const person = await stack.people.register();
    const again = await stack.people.register({
      email: person.email.toUpperCase(),
      password: 'an intruder has this one',
      device: PHONE,
    });
    expect(again.answer.status).toBe(person.answer.status);
    expect(Object.keys(again.answer.body)).toEqual(Object.keys(person.answer.body));
    await stack.people.register({ email: person.email, password: 'an intruder has this one' });
    await stack.mail.waitFor(person.email, { subject: /have an account/ });
    expect(stack.mail.to(person.email)).toHaveLength(1);
    expect((await stack.people.login({ ...person, password: 'an intruder has this one' })).status).toBe(401);
    expect((await stack.people.login(person)).status).toBe(200);
    expect((await stack.people.login(person, { device: PHONE })).status).toBe(202);
  });

  it('makes one account of many registrations at once', async () => {
    const email = stack.people.newAddress();
    await Promise.all(Array.from({ length: 6 }, () => stack.people.register({ email })));
    expect(await rows(stack.db.fork(), 'select 1 from app_user where email_key = $1', [email])).toHaveLength(1);
  });

  it('refuses passwords that are too short, breached or hardly more than the name', async () => {
    const register = (password: string) =>
      stack.api.post('/api/auth/register', {
        email: 'josephine@example.com',
        password,
        fullName: 'Josephine Example',
        device: HOME_DEVICE,
      });
    expect((await register('short')).body).toMatchObject({ status: 400, code: 'validation_failed' });
    expect((await register('Password1234!')).body).toMatchObject({ status: 422, code: 'password_breached' });
    expect((await register('josephine1234')).body).toMatchObject({ status: 422, code: 'password_breached' });
    expect((await register('😀'.repeat(129))).body.code).toBe('validation_failed');
    expect(
      await rows(stack.db.fork(), `select 1 from app_user where email_key = 'josephine@example.com'`),
    ).toHaveLength(0);
  });

  it('gives a browser its device as a cookie', async () => {
    const { answer } = await stack.people.register({ headers: { Origin: stack.url } });
    expect(answer.body).toEqual({ status: 'registered' });
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^tradeguard-device=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict/,
    );
  });
});

describe('registration that is to be confirmed', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { REGISTRATION_CONFIRM: '1', DEVICE_BINDING: 'required' } });
  });
  afterAll(() => stack.close());

  async function tokenFor(email: string, count = 1): Promise<string> {
    const { text } = await stack.mail.waitFor(email, { subject: /Confirm/, count });
    return /#token=([\w-]{43})/.exec(text)?.[1] ?? '';
  }
  const confirm = (token: string) => stack.api.post('/api/auth/confirm', { token });
  const login = (email: string, password: string, deviceToken?: string) =>
    stack.api.post('/api/auth/login', {
      email,
      password,
      device: HOME_DEVICE,
      ...(deviceToken ? { deviceToken } : {}),
    });

  it('leaves the account shut, as if the password were wrong, until its mailbox opens it', async () => {
    const { email, password, answer } = await stack.people.register();
    expect((await login(email, password)).body.code).toBe('invalid_credentials');
    const token = await tokenFor(email);
    expect((await confirm(token)).status).toBe(200);
    expect((await confirm(token)).body.code).toBe('token_invalid');
    expect((await login(email, password, answer.body.deviceToken)).status).toBe(200);
  });

  it('lets the mailbox decide which of two registrations counts, devices included', async () => {
    const intruder = await stack.people.register({ password: 'an intruder has this one' });
    const { email } = intruder;
    const owner = await stack.people.register({ email, password: 'the owner chose this one' });
    await confirm(await tokenFor(email, 2));
    expect((await login(email, 'an intruder has this one')).status).toBe(401);
    expect((await login(email, 'the owner chose this one', intruder.answer.body.deviceToken)).status).toBe(202);
    expect((await login(email, 'the owner chose this one', owner.answer.body.deviceToken)).status).toBe(200);
    expect((await confirm(await tokenFor(email, 1))).body.code).toBe('token_invalid');
  });

  it('does not take a fingerprint for the device without its token', async () => {
    const { email, password, answer } = await stack.people.register();
    await confirm(await tokenFor(email));
    expect((await login(email, password)).status).toBe(202);
    expect((await login(email, password, answer.body.deviceToken)).status).toBe(200);
  });

  it('answers alike for an address that is taken, and so does the login after it', async () => {
    const taken = await stack.people.register();
    await confirm(await tokenFor(taken.email));
    const again = await stack.people.register({ email: taken.email, password: 'somebody else is here' });
    const fresh = await stack.people.register({ password: 'somebody else is here' });
    expect(Object.keys(again.answer.body)).toEqual(Object.keys(fresh.answer.body));
    const logins = [
      await login(taken.email, 'somebody else is here'),
      await login(fresh.email, 'somebody else is here'),
    ];
    expect(logins.map(({ status }) => status)).toEqual([401, 401]);
  });
});

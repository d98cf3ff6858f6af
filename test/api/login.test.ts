import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row, rows, run } from '../../db/sql.ts';
import { PHONE } from '../helpers/devices.ts';
import { decodeHistory } from '../helpers/histories.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

describe('login', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  const submit = (loginId: string, code: string, method = 'email_code', headers = {}) =>
    stack.api.post(`/api/auth/login/${loginId}/factors`, { method, code }, { headers });
  const wrongFor = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  const statusOf = async (loginId: string) =>
    (await row<{ status: string }>(stack.db.fork(), 'select status from login where id = $1', [loginId]))?.status;
  const sessionsOf = (email: string) =>
    rows(stack.db.fork(), 'select s.id from session s join app_user u on u.id = s.user_id where u.email_key = $1', [
      email,
    ]);

  it('from the device of the registration opens a session at once', async () => {
    const person = await stack.people.register();
    const answer = await stack.people.login(person);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'authenticated', passwordChangeRequired: false });
    expect(answer.headers.get('set-cookie')).toBeNull();
    const sessions = await stack.api.get('/api/auth/sessions', { token: answer.body.session.token });
    expect(sessions.body.items).toMatchObject([{ current: true, channel: 'bearer', scope: 'full' }]);
  });

  it('with a wrong password or for an unknown address gives one and the same answer', async () => {
    const person = await stack.people.register();
    const wrong = await stack.people.login({ ...person, password: 'this is not the password' });
    const unknown = await stack.people.login({ email: stack.people.newAddress(), password: 'whatever it may be' });
    const { requestId: _a, ...first } = wrong.body;
    const { requestId: _b, ...second } = unknown.body;
    expect(wrong.status).toBe(401);
    expect(first).toEqual(second);
    expect(first).toMatchObject({ code: 'invalid_credentials' });
  });

  it('[N1] from a new device asks for the e-mailed code, written before the answer, and knows the device afterwards', async () => {
    const person = await stack.people.register();
    const asked = await stack.people.login(person, { device: PHONE });
    expect(asked.status).toBe(202);
    expect(asked.body).toMatchObject({ status: 'step_up_required', methods: ['email_code'] });
    const [code] = stack.mail.codesFor(person.email);
    expect(code).toMatch(/^\d{6}$/);
    expect(stack.mail.to(person.email).at(-1)?.text.match(/\d{6}/g)).toEqual([code]);

    expect(await sessionsOf(person.email)).toHaveLength(0);
    const answer = await submit(asked.body.loginId, code ?? '');
    expect(answer.status).toBe(200);
    expect(answer.body.deviceToken).toMatch(/^[\w-]{43}$/);
    const me = await stack.api.get('/api/auth/sessions', { token: answer.body.session.token });
    expect(me.body.items[0].factorAt).not.toBeNull();

    const again = await stack.api.post('/api/auth/login', {
      email: person.email,
      password: person.password,
      device: PHONE,
      deviceToken: answer.body.deviceToken,
    });
    expect(again.status).toBe(200);
    expect(again.body.deviceToken).toBeUndefined();
  });

  it('[N1] asks for TOTP where it is enrolled, and takes a time step once', async () => {
    const person = await stack.people.customer();
    const { body: enrolment } = await stack.api.post('/api/auth/mfa/totp', {}, { token: person.token });
    expect(enrolment.otpauthUri).toContain(`secret=${enrolment.secret}`);
    const code = stack.people.totpCode(enrolment.secret);
    expect((await stack.api.post('/api/auth/mfa/totp/confirm', { code }, { token: person.token })).status).toBe(200);

    const asked = await stack.people.login(person, { device: PHONE });
    expect(asked.body).toMatchObject({ status: 'step_up_required', methods: ['totp'] });
    expect((await submit(asked.body.loginId, code, 'totp')).body).toMatchObject({
      code: 'factor_invalid',
      triesLeft: 4,
    });
    const next = stack.people.totpCode(enrolment.secret);
    expect((await submit(asked.body.loginId, next, 'totp')).status).toBe(200);

    const other = await stack.people.login(person, { device: { ...PHONE, timezone: 'Asia/Tokyo' } });
    expect((await submit(other.body.loginId, next, 'totp')).status).toBe(401);
  });

  it('[N1] takes an e-mailed code once, and one submission sent twice as one', async () => {
    const person = await stack.people.register();
    const asked = await stack.people.login(person, { device: PHONE });
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    const answers = await Promise.all([submit(asked.body.loginId, code), submit(asked.body.loginId, code)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]?.body.session).toEqual(answers[1]?.body.session);
    const { token } = answers[0]?.body.session ?? {};
    expect((await stack.api.get('/api/auth/sessions', { token })).body.items).toHaveLength(1);
    expect(await sessionsOf(person.email)).toHaveLength(1);

    const other = await stack.people.login(person, { device: { ...PHONE, timezone: 'Asia/Tokyo' } });
    expect(other.status).toBe(202);
    const refused = await submit(other.body.loginId, code);
    expect([200, 202]).not.toContain(refused.status);
    expect((await submit(asked.body.loginId, wrongFor(code))).status).toBe(410);
  });

  it('counts a wrong submission sent twice as one, and denies after five', async () => {
    const person = await stack.people.register();
    const asked = await stack.people.login(person, { device: PHONE });
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    const wrong = Array.from({ length: 5 }, (_, i) => String((Number(code) + i + 1) % 1_000_000).padStart(6, '0'));
    const twice = await Promise.all([
      submit(asked.body.loginId, wrong[0] ?? ''),
      submit(asked.body.loginId, wrong[0] ?? ''),
    ]);
    expect(twice.map(({ body }) => body.triesLeft)).toEqual([4, 4]);
    const rest = await Promise.all(wrong.slice(1).map((guess) => submit(asked.body.loginId, guess)));
    expect(new Set(rest.map(({ status }) => status))).toEqual(new Set([401, 403]));
    expect((await submit(asked.body.loginId, code)).body.code).toBe('login_denied');
    expect(await statusOf(asked.body.loginId)).toBe('denied');
    expect(await sessionsOf(person.email)).toHaveLength(0);
    await stack.mail.waitFor(person.email, { subject: /refused/ });
  });

  it('checks no factor of an account that had ten wrong answers within the hour', async () => {
    const person = await stack.people.register();
    for (const timezone of ['Asia/Tokyo', 'Asia/Seoul']) {
      const asked = await stack.people.login(person, { device: { ...PHONE, timezone } });
      const code = Number(stack.mail.codesFor(person.email).at(-1));
      for (let i = 1; i <= 5; i += 1) {
        await submit(asked.body.loginId, String((code + i) % 1_000_000).padStart(6, '0'));
      }
    }
    const asked = await stack.people.login(person, { device: PHONE });
    const refused = await submit(asked.body.loginId, stack.mail.codesFor(person.email).at(-1) ?? '');
    expect(refused.body.code).toBe('login_denied');
    expect(await sessionsOf(person.email)).toHaveLength(0);
  });

  it('mails three codes an hour at most, of which the newest works', async () => {
    const person = await stack.people.register();
    const asked = await stack.people.login(person, { device: PHONE });
    const resend = () => stack.api.post(`/api/auth/login/${asked.body.loginId}/factors/resend`);
    expect((await resend()).status).toBe(202);
    expect((await resend()).status).toBe(202);
    const refused = await resend();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const codes = stack.mail.codesFor(person.email);
    expect(codes).toHaveLength(3);
    if (codes[0] !== codes[2]) expect((await submit(asked.body.loginId, codes[0] ?? '')).status).toBe(401);
    expect((await submit(asked.body.loginId, codes[2] ?? '')).status).toBe(200);
  });

  it('refuses a code that has expired', async () => {
    const person = await stack.people.register();
    const asked = await stack.people.login(person, { device: PHONE });
    await run(stack.db.fork(), `update email_code set expires_at = clock_timestamp() where challenge_id = $1`, [
      asked.body.loginId,
    ]);
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    expect((await submit(asked.body.loginId, code)).status).toBe(401);
  });

  it('keeps passwords, codes and tokens out of its history and its rows', async () => {
    const person = await stack.people.register({ password: 'a most peculiar passphrase' });
    const asked = await stack.people.login(person, { device: PHONE });
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    const answer = await submit(asked.body.loginId, code);
    const history = JSON.stringify(
      await decodeHistory(
        stack.keyring,
        await stack.temporal.workflow.getHandle(`login:${asked.body.loginId}`).fetchHistory(),
      ),
    );
    const payloads = [...history.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)]
      .map(([, data]) => Buffer.from(data ?? '', 'base64').toString('utf8'))
      .join('\n');
    const stored = JSON.stringify(
      await rows(stack.db.fork(), 'select row_to_json(l) from login l where id = $1', [asked.body.loginId]),
    );
    expect(payloads).toContain(asked.body.loginId);
    for (const secret of [person.password, person.email, answer.body.session.token, answer.body.deviceToken]) {
      for (const text of [history, payloads, stored]) expect(text).not.toContain(secret);
    }
    for (const text of [payloads, stored]) expect(text).not.toMatch(new RegExp(`(?<!\\d)${code}(?!\\d)`));
  });

  it('refuses input that is not valid, field by field, and stores nothing', async () => {
    const before = await row<{ n: number }>(stack.db.fork(), 'select count(*)::int as n from login');
    const answer = await stack.api.post('/api/auth/login', { email: 'nobody', password: '', device: {} });
    expect(answer.status).toBe(400);
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      expect.arrayContaining(['/email', '/password', '/device/userAgent']),
    );
    expect(await row(stack.db.fork(), 'select count(*)::int as n from login')).toEqual(before);
  });
});

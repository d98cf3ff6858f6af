import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

describe('step-up', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  async function enrolled() {
    const person = await stack.people.customer();
    const { body } = await stack.api.post('/api/auth/mfa/totp', {}, { token: person.token });
    const code = stack.people.totpCode(body.secret);
    await stack.api.post('/api/auth/mfa/totp/confirm', { code }, { token: person.token });
    return { ...person, secret: body.secret as string };
  }
  const makeStale = () =>
    run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
  const stepUp = (token: string, code: string, method = 'totp') =>
    stack.api.post('/api/auth/step-up', { method, code }, { token });

  it('is asked for when the last factor is older than five minutes, and says how', async () => {
    const person = await enrolled();
    await makeStale();
    const refused = await stack.api.delete('/api/auth/mfa/totp', { token: person.token });
    expect(refused.body).toMatchObject({ status: 403, code: 'step_up_needed', methods: ['totp'] });
    const fresh = await stepUp(person.token, stack.people.totpCode(person.secret));
    expect(fresh.status).toBe(200);
    expect(Date.parse(fresh.body.freshUntil) - Date.parse(fresh.body.factorAt)).toBe(300_000);
    expect((await stack.api.delete('/api/auth/mfa/totp', { token: person.token })).status).toBe(204);
    await stack.mail.waitFor(person.email, { subject: /authenticator was removed/ });
  });

  it('stands before the first authenticator: a session that proved nothing lately cannot enrol its own', async () => {
    const person = await stack.people.customer();
    const enrol = () => stack.api.post('/api/auth/mfa/totp', {}, { token: person.token });
    const { secret } = (await enrol()).body;
    await run(stack.db.fork(), `update session set created_at = clock_timestamp() - interval '6 minutes'`);
    const confirm = () =>
      stack.api.post('/api/auth/mfa/totp/confirm', { code: stack.people.totpCode(secret) }, { token: person.token });
    for (const refused of [await enrol(), await confirm()]) {
      expect(refused.body).toMatchObject({ status: 403, code: 'step_up_needed', methods: ['email_code'] });
    }
    await stack.api.post('/api/auth/step-up/code', {}, { token: person.token });
    await stepUp(person.token, stack.mail.codesFor(person.email).at(-1) ?? '', 'email_code');
    expect((await enrol()).status).toBe(200);
  });

  it('does not get fresher by a code that was used', async () => {
    const person = await enrolled();
    const code = stack.people.totpCode(person.secret);
    expect((await stepUp(person.token, code)).status).toBe(200);
    await run(
      stack.db.fork(),
      `update factor_attempt set created_at = clock_timestamp() - interval '6 minutes' where challenge_kind = 'step_up'`,
    );
    await makeStale();
    await stepUp(person.token, code);
    const refused = await stack.api.delete('/api/auth/mfa/totp', { token: person.token });
    expect(refused.body.code).toBe('step_up_needed');
  });

  it('goes by an e-mailed code where no authenticator is enrolled, at most three an hour', async () => {
    const person = await stack.people.customer();
    const mail = () => stack.api.post('/api/auth/step-up/code', {}, { token: person.token });
    expect((await mail()).status).toBe(202);
    // Written before the answer: who is told that it was sent finds it.
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    expect((await stepUp(person.token, code, 'email_code')).status).toBe(200);
    expect([(await mail()).status, (await mail()).status, (await mail()).status]).toEqual([202, 202, 429]);
    expect((await stepUp(person.token, '123456', 'totp')).status).toBe(400);
  });

  it('takes five wrong answers a session', async () => {
    const person = await enrolled();
    const right = Number(stack.people.totpCode(person.secret));
    const guesses = Array.from({ length: 8 }, (_, i) => String((right + 7 + i * 13) % 1_000_000).padStart(6, '0'));
    const answers = await Promise.all(guesses.map((code) => stepUp(person.token, code)));
    const counted = answers.map(({ status }) => status).sort();
    expect(counted).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect((await stepUp(person.token, String(right).padStart(6, '0'))).status).toBe(429);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, run } from '../../db/sql.ts';
import { createAuthenticator } from '../helpers/authenticator.ts';
import { FROM } from '../helpers/devices.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

/** Claims Windows where the user agent says Linux: its signature is the known one, and it cannot be true (+0.5). */
const CONTRADICTION = { ...HOME_DEVICE, platform: 'Win32' };

describe('factors by risk', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  });
  afterAll(() => stack.close());

  /** Somebody from Berlin at whose place it is now the given hour, with an authenticator app. */
  async function berliner(hour: number) {
    const person = await stack.people.register();
    const offset = ((hour - new Date().getUTCHours() + 36) % 24) - 12;
    const zone = `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`;
    const { token } = (await stack.people.login(person, { headers: FROM.berlin })).body.session;
    const { secret } = (await stack.api.post('/api/auth/mfa/totp', {}, { token })).body;
    await stack.api.post('/api/auth/mfa/totp/confirm', { code: stack.people.totpCode(secret) }, { token });
    await run(stack.db.fork(), 'update app_user set time_zone = $2 where email_key = $1', [person.email, zone]);
    // The last login that passed was days ago: time enough to have flown.
    await run(
      stack.db.fork(),
      `update login_baseline set last_at = last_at - interval '3 days'
        where user_id = (select id from app_user where email_key = $1)`,
      [person.email],
    );
    return { ...person, token, secret: secret as string };
  }
  type Person = Awaited<ReturnType<typeof berliner>>;

  async function passkey({ token }: Person) {
    const key = createAuthenticator();
    const begun = (await stack.api.post('/api/auth/mfa/webauthn/options', {}, { token })).body;
    const credential = key.register({ origin: stack.url, challenge: begun.publicKey.challenge });
    await stack.api.post('/api/auth/mfa/webauthn/confirm', { name: 'Desk key', credential }, { token });
    return async (loginId: string) => {
      const asked = (await stack.api.post(`/api/auth/login/${loginId}/factors/options`, {})).body;
      const signed = key.assert({ origin: stack.url, challenge: asked.webauthn.publicKey.challenge });
      return prove(loginId, { method: 'webauthn', credential: signed });
    };
  }
  const prove = (loginId: string, factor: object) => stack.api.post(`/api/auth/login/${loginId}/factors`, factor);
  const wrongPasswords = async (person: Person, count: number) => {
    for (let n = 0; n < count; n++) {
      await stack.people.login({ ...person, password: 'not the password' }, { headers: FROM.newYork });
    }
  };
  const score = async ({ email }: Person) =>
    (
      await oneRow<{ score: number }>(
        stack.db.fork(),
        `select score from login l join app_user u on u.id = l.user_id
          where u.email_key = $1 order by l.seq desc limit 1`,
        [email],
      )
    ).score;

  it('[L7] 0.50 asks for no factor: a new place, after a rate of wrong passwords, by day', async () => {
    const person = await berliner(12);
    await wrongPasswords(person, 3);
    const answer = await stack.people.login(person, { headers: FROM.newYork });
    expect([await score(person), answer.body.status]).toEqual([50, 'authenticated']);
  });

  it('[L7] above 0.50 asks for one, and 0.70 for no second: the same by night', async () => {
    const person = await berliner(3);
    const withPasskey = await passkey(person);
    await wrongPasswords(person, 3);
    const asked = await stack.people.login(person, { headers: FROM.newYork });
    expect([await score(person), asked.status, asked.body.status]).toEqual([70, 202, 'step_up_required']);
    expect(asked.body.methods).toEqual(['webauthn', 'totp']);
    expect((await withPasskey(asked.body.loginId)).body.status).toBe('authenticated');
  });

  it('[L8] above 0.70 asks for a second proof of another kind, after which the first kind opens nothing', async () => {
    const person = await berliner(12);
    const withPasskey = await passkey(person);
    const { codes } = (await stack.api.post('/api/auth/mfa/recovery-codes', {}, { token: person.token })).body;
    const signIn = async () => (await stack.people.login(person, { device: CONTRADICTION, headers: FROM.tokyo })).body;
    const { loginId, methods } = await signIn();
    expect([await score(person), methods]).toEqual([80, ['webauthn', 'totp', 'recovery_code']]);
    const [first, second] = codes;
    const one = await prove(loginId, { method: 'recovery_code', code: first });
    // A recovery code is the authenticator's stand-in: the app proves nothing more.
    expect(one.body).toMatchObject({ status: 'step_up_required', methods: ['webauthn', 'email_code'] });
    for (const factor of [
      { method: 'recovery_code', code: second },
      { method: 'totp', code: stack.people.totpCode(person.secret) },
    ]) {
      expect((await prove(loginId, factor)).status).toBe(400);
    }
    expect((await withPasskey(loginId)).body.status).toBe('authenticated');
  });
});

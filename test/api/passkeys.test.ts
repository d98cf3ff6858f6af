import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { type Authenticator, createAuthenticator } from '../helpers/authenticator.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

/** A device that was never seen: signing in from it asks for a factor. */
const device = (width: number) => ({ ...HOME_DEVICE, screen: { width, height: 720, colorDepth: 24, pixelRatio: 1 } });

describe('passkeys', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  });
  afterAll(() => stack.close());

  const PATH = '/api/auth/mfa/webauthn';
  const begin = async (token: string): Promise<string> =>
    (await stack.api.post(`${PATH}/options`, {}, { token })).body.publicKey.challenge;
  const finish = (token: string, credential: unknown) =>
    stack.api.post(`${PATH}/confirm`, { name: 'Desk key', credential }, { token });

  /** Somebody with a registered key. */
  async function owner<P extends SignedIn>(person: P): Promise<P & { key: Authenticator }> {
    const key = createAuthenticator();
    const answer = await finish(
      person.token,
      key.register({ origin: stack.url, challenge: await begin(person.token) }),
    );
    expect(answer.status).toBe(201);
    return { ...person, key };
  }
  const customer = async () => owner(await stack.people.signedIn('customer'));
  const signIn = async (person: SignedIn, width = 1280) =>
    (await stack.people.login(person, { device: device(width) })).body;
  const loginChallenge = async (loginId: string): Promise<string> =>
    (await stack.api.post(`/api/auth/login/${loginId}/factors/options`, {})).body.webauthn.publicKey.challenge;
  const prove = (loginId: string, credential: unknown) =>
    stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'webauthn', credential });
  const events = (userId: string) =>
    rows<{ action: string; details: Record<string, unknown> }>(
      stack.db.fork(),
      `select action, entry::jsonb -> 'details' as details from audit_entry
        where subject = $1 and action like 'mfa.%' order by at, id`,
      [userId],
    );

  it('[N1] one is registered, listed without its key, finishes a sign-in, and is removed', async () => {
    const person = await customer();
    const options = (await stack.api.post(`${PATH}/options`, {}, { token: person.token })).body.publicKey;
    expect(options).toMatchObject({
      rp: { id: new URL(stack.url).hostname },
      attestation: 'none',
      authenticatorSelection: { userVerification: 'required' },
      excludeCredentials: [{ id: person.key.id }],
    });
    const listed = (await stack.api.get(PATH, { token: person.token })).body.passkeys;
    expect(listed).toEqual([
      { passkeyId: listed[0].passkeyId, name: 'Desk key', createdAt: listed[0].createdAt, lastUsedAt: null },
    ]);
    await stack.mail.waitFor(person.email, { subject: /passkey was added/ });

    const login = await signIn(person);
    expect(login).toMatchObject({ status: 'step_up_required', methods: ['webauthn', 'totp'] });
    const challenge = await loginChallenge(login.loginId);
    const proven = await prove(login.loginId, person.key.assert({ origin: stack.url, challenge }));
    expect([proven.status, proven.body.status]).toEqual([200, 'authenticated']);

    const other = await stack.people.signedIn('customer');
    const remove = (token: string) => stack.api.delete(`${PATH}/${listed[0].passkeyId}`, { token });
    expect((await remove(other.token)).status).toBe(404);
    expect((await remove(person.token)).status).toBe(204);
    expect((await signIn(person, 1440)).methods).toEqual(['totp']);
    expect((await events(person.userId)).map(({ action }) => action)).toEqual(['mfa.enrolled', 'mfa.removed']);
  });

  it('[N1] a registration from another origin, over another challenge, unverified or repeated is refused', async () => {
    const { token } = await stack.people.signedIn('customer');
    const key = createAuthenticator();
    const refused = async (credential: unknown) => {
      const answer = await finish(token, credential);
      expect([answer.status, answer.body.code]).toEqual([401, 'factor_invalid']);
    };
    await refused(key.register({ origin: 'http://127.0.0.1.evil.example', challenge: await begin(token) }));
    await refused(key.register({ origin: stack.url, rpId: 'evil.example', challenge: await begin(token) }));
    await refused(key.register({ origin: stack.url, userVerified: false, challenge: await begin(token) }));
    await begin(token);
    await refused(key.register({ origin: stack.url, challenge: 'b3RoZXI' }));
    const replaced = await begin(token);
    const challenge = await begin(token);
    await refused(key.register({ origin: stack.url, challenge: replaced }));
    const good = key.register({ origin: stack.url, challenge });
    expect((await finish(token, good)).status).toBe(201);
    await refused(good);
    const again = await finish(token, key.register({ origin: stack.url, challenge: await begin(token) }));
    expect([again.status, again.body.code]).toEqual([409, 'already_enrolled']);
  });

  it('[N1] a registration needs a fresh factor, and its challenge ends', async () => {
    const { token } = await stack.people.signedIn('customer');
    const challenge = await begin(token);
    const { hash } = await oneRow<{ hash: string }>(
      stack.ownerDb.fork(),
      `update webauthn_challenge set expires_at = clock_timestamp() where purpose = 'registration'
       returning encode(challenge_hash, 'base64') as hash`,
    );
    expect(Buffer.from(hash, 'base64')).not.toEqual(Buffer.from(challenge, 'base64url'));
    expect((await finish(token, createAuthenticator().register({ origin: stack.url, challenge }))).status).toBe(401);
    await run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
    expect((await stack.api.post(`${PATH}/options`, {}, { token })).body.code).toBe('step_up_needed');
  });

  it('[N1] a signature for another origin, challenge, login or key, or without verification, opens nothing', async () => {
    const person = await customer();
    const { loginId } = await signIn(person);
    const origin = stack.url;
    const refused = async (credential: unknown, triesLeft: number) => {
      const answer = await prove(loginId, credential);
      expect([answer.status, answer.body.code, answer.body.triesLeft]).toEqual([401, 'factor_invalid', triesLeft]);
    };
    const phished = { origin: 'http://127.0.0.1.evil.example', rpId: new URL(origin).hostname };
    await refused(person.key.assert({ ...phished, challenge: await loginChallenge(loginId) }), 4);
    await refused(person.key.assert({ origin, userVerified: false, challenge: await loginChallenge(loginId) }), 3);
    const other = await signIn(person, 1440);
    await refused(person.key.assert({ origin, challenge: await loginChallenge(other.loginId) }), 2);
    const stranger = createAuthenticator();
    const challenge = await loginChallenge(loginId);
    await refused(stranger.assert({ origin, challenge, id: person.key.id }), 1);
    // The challenge was used up by the wrong signature over it; the fifth refusal ends the sign-in.
    const late = await prove(loginId, person.key.assert({ origin, challenge }));
    expect([late.status, late.body.code]).toEqual([403, 'login_denied']);
  });

  it('[N1] a signature works once: replayed, it opens no second sign-in and refreshes no session', async () => {
    const person = await customer();
    const first = await signIn(person);
    const challenge = await loginChallenge(first.loginId);
    const signed = person.key.assert({ origin: stack.url, challenge });
    expect((await prove(first.loginId, signed)).status).toBe(200);
    const second = await signIn(person, 1440);
    await loginChallenge(second.loginId);
    expect((await prove(second.loginId, signed)).status).toBe(401);
    await stack.api.post('/api/auth/step-up/options', {}, { token: person.token });
    const stepUp = await stack.api.post(
      '/api/auth/step-up',
      { method: 'webauthn', credential: signed },
      { token: person.token },
    );
    expect(stepUp.status).toBe(401);
  });

  it('[N1] a counter that goes back is refused and audited, and opens an incident: there is a second copy of the key', async () => {
    const person = await customer();
    const prover = async (counter: number, width: number) => {
      const { loginId } = await signIn(person, width);
      const challenge = await loginChallenge(loginId);
      return prove(loginId, person.key.assert({ origin: stack.url, challenge, counter }));
    };
    expect((await prover(20, 1280)).status).toBe(200);
    expect((await prover(20, 1290)).status).toBe(401);
    expect((await prover(19, 1300)).status).toBe(401);
    expect((await prover(0, 1310)).status).toBe(401);
    const regressed = (await events(person.userId)).filter(({ action }) => action.endsWith('counter_regressed'));
    expect(regressed.map(({ details }) => [details.stored, details.presented])).toEqual([
      [20, 20],
      [20, 19],
      [20, 0],
    ]);
    const incidents = await rows(
      stack.ownerDb.fork(),
      `select i.severity, i.status, count(e.id)::int as evidence from incident i join incident_event e on e.incident_id = i.id
        where i.cause = 'passkey_cloned' and i.subject_id = $1 group by i.id`,
      [person.userId],
    );
    expect(incidents).toEqual([{ severity: 'high', status: 'open', evidence: 3 }]);
    expect((await prover(21, 1320)).status).toBe(200);
  });

  it('[L8] with an authenticator app it makes two different kinds of proof', async () => {
    const person = await customer();
    const { loginId } = await signIn(person);
    await run(stack.ownerDb.fork(), 'update login set required_kinds = 2 where id = $1', [loginId]);
    const challenge = await loginChallenge(loginId);
    const one = await prove(loginId, person.key.assert({ origin: stack.url, challenge }));
    expect(one.body).toMatchObject({ status: 'step_up_required', methods: ['totp', 'email_code'] });
    const code = stack.people.totpCode(person.totpSecret);
    const two = await stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'totp', code });
    expect(two.body.status).toBe('authenticated');
  });

  it('[P4] one steps a session up and confirms a transaction above 10,000, each with its own challenge', async () => {
    const trader = await owner(await createTrading(stack).trader());
    const { token, key } = trader;
    await run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
    const { body } = await stack.api.post('/api/auth/step-up/options', {}, { token });
    const fresh = key.assert({ origin: stack.url, challenge: body.webauthn.publicKey.challenge });
    const stepUp = await stack.api.post('/api/auth/step-up', { method: 'webauthn', credential: fresh }, { token });
    expect(stepUp.body.status).toBe('fresh');

    const asked = (await trader.withdraw('10000.01')).body;
    expect(asked.methods).toEqual(['webauthn', 'totp']);
    const path = `/api/transactions/${asked.transactionId}/factors`;
    const confirm = (credential: unknown) =>
      stack.api.post(path, { method: 'webauthn', credential }, { token, signWith: trader.signingKey });
    expect((await confirm(fresh)).status).toBe(401);
    const options = (await stack.api.post(`${path}/options`, {}, { token })).body;
    expect(options.webauthn.publicKey.allowCredentials).toMatchObject([{ id: key.id }]);
    const stranger = await stack.people.signedIn('customer');
    expect((await stack.api.post(`${path}/options`, {}, { token: stranger.token })).status).toBe(404);
    const signed = key.assert({ origin: stack.url, challenge: options.webauthn.publicKey.challenge });
    expect((await confirm(signed)).body.status).toBe('settled');
  });

  it('[N1] options are given only where a passkey is waited for', async () => {
    const person = await stack.people.signedIn('customer');
    const { loginId } = await signIn(person);
    const asked = await stack.api.post(`/api/auth/login/${loginId}/factors/options`, {});
    expect([asked.status, asked.body.code]).toEqual([409, 'not_awaiting_factor']);
    const stepUp = await stack.api.post('/api/auth/step-up/options', {}, { token: person.token });
    expect([stepUp.status, stepUp.body.code]).toEqual([409, 'not_awaiting_factor']);
  });

  it('[N1] challenges that nobody signed do not pile up', async () => {
    const person = await customer();
    await loginChallenge((await signIn(person)).loginId);
    await run(stack.ownerDb.fork(), `update webauthn_challenge set expires_at = clock_timestamp() where user_id = $1`, [
      person.userId,
    ]);
    const { loginId } = await signIn(person, 1440);
    await loginChallenge(loginId);
    const left = await rows<{ subject_id: string }>(
      stack.ownerDb.fork(),
      'select subject_id from webauthn_challenge where user_id = $1',
      [person.userId],
    );
    expect(left).toEqual([{ subject_id: loginId }]);
  });

  it('[N1] an answer that is no passkey answer is bad input, not a fault', async () => {
    const { token } = await stack.people.signedIn('customer');
    const key = createAuthenticator();
    const good = key.register({ origin: stack.url, challenge: await begin(token) });
    const bad = [
      null,
      { ...good, response: { ...good.response, attestationObject: 'oQ' } },
      { ...good, response: { ...good.response, clientDataJSON: 'bnVsbA' } },
      { ...good, response: { ...good.response, clientDataJSON: 'e30' } },
      { ...good, id: '***' },
    ];
    for (const credential of bad) expect([400, 401]).toContain((await finish(token, credential)).status);
  });
});

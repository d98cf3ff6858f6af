import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

/** Devices that were never seen: signing in from one asks for a factor. */
const device = (width: number) => ({ ...HOME_DEVICE, screen: { width, height: 720, colorDepth: 24, pixelRatio: 1 } });

describe('recovery codes', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  });
  afterAll(() => stack.close());

  async function issue({ token }: { token: string }): Promise<string[]> {
    const answer = await stack.api.post('/api/auth/mfa/recovery-codes', {}, { token });
    expect(answer.status).toBe(201);
    return answer.body.codes;
  }
  const left = async ({ token }: { token: string }) =>
    (await stack.api.get('/api/auth/mfa', { token })).body.recoveryCodes.left;
  const stepUp = (person: SignedIn, code: string) =>
    stack.api.post('/api/auth/step-up', { method: 'recovery_code', code }, { token: person.token });
  const actions = async (userId: string) =>
    (
      await rows<{ action: string }>(
        stack.db.fork(),
        `select action from audit_entry where subject = $1 and action like 'mfa.recovery%' order by at, id`,
        [userId],
      )
    ).map(({ action }) => action);

  it('[N1] ten are shown once, stored only as keyed hashes, and each finishes one sign-in', async () => {
    const person = await stack.people.signedIn('customer');
    const codes = await issue(person);
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    const { stored } = await oneRow<{ stored: string }>(
      stack.ownerDb.fork(),
      `select string_agg(r::text, ' ') as stored from recovery_code r where user_id = $1`,
      [person.userId],
    );
    expect(stored).not.toContain(codes[0]);
    expect(stored).not.toContain((codes[0] ?? '').replaceAll('-', ''));

    const login = async (width: number) => (await stack.people.login(person, { device: device(width) })).body;
    const first = await login(1280);
    expect(first).toMatchObject({ status: 'step_up_required', methods: ['totp', 'recovery_code'] });
    const factors = (loginId: string, code: string) =>
      stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'recovery_code', code });
    // As somebody types it from paper.
    const typed = (codes[0] ?? '').toLowerCase().replaceAll('-', ' ');
    expect((await factors(first.loginId, typed)).body.status).toBe('authenticated');
    expect(await left(person)).toBe(9);
    const letter = await stack.mail.waitFor(person.email, { subject: /recovery code was used/ });
    expect(letter.text).toContain('You have 9 left');

    const second = await login(1440);
    const again = await factors(second.loginId, codes[0] ?? '');
    expect([again.status, again.body.code, again.body.triesLeft]).toEqual([401, 'factor_invalid', 4]);
    expect((await factors(second.loginId, codes[1] ?? '')).body.status).toBe('authenticated');
    expect(await actions(person.userId)).toEqual([
      'mfa.recovery_codes_issued',
      'mfa.recovery_code_used',
      'mfa.recovery_code_used',
    ]);
  });

  it('[N1] one sent to three sign-ins at once opens one of them', async () => {
    const person = await stack.people.signedIn('customer');
    const [code = ''] = await issue(person);
    const sessions = await Promise.all(
      Array.from({ length: 3 }, async () => (await stack.people.login(person, { device: device(1280) })).body.loginId),
    );
    const answers = await Promise.all(
      sessions.map((loginId) =>
        stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'recovery_code', code }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    expect(await left(person)).toBe(9);
  });

  it('[N1] new ones void the old, and both need a fresh factor', async () => {
    const person = await stack.people.signedIn('customer');
    const [old = ''] = await issue(person);
    const [fresh = ''] = await issue(person);
    expect((await stepUp(person, old)).status).toBe(401);
    expect((await stepUp(person, fresh)).status).toBe(200);
    await run(stack.db.fork(), `update session set factor_at = clock_timestamp() - interval '6 minutes'`);
    const stale = await stack.api.post('/api/auth/mfa/recovery-codes', {}, { token: person.token });
    expect([stale.status, stale.body.code]).toEqual([403, 'step_up_needed']);
  });

  it('[P4] one confirms a transaction above 10,000', async () => {
    const trader = await createTrading(stack).trader();
    const [code = '', other = ''] = await issue(trader);
    const asked = (await trader.withdraw('10000.01')).body;
    expect(asked.methods).toEqual(['totp', 'recovery_code']);
    expect((await trader.confirm(asked.transactionId, { method: 'recovery_code', code })).body.status).toBe('settled');
    const next = (await trader.withdraw('10000.01')).body;
    expect((await trader.confirm(next.transactionId, { method: 'recovery_code', code })).status).toBe(401);
    const settled = await trader.confirm(next.transactionId, { method: 'recovery_code', code: other });
    expect(settled.body.status).toBe('settled');
  });

  it('[N1] need something to stand in for, and go with it', async () => {
    const person = await stack.people.signedIn('customer');
    const codes = await issue(person);
    expect((await stack.api.delete('/api/auth/mfa/totp', { token: person.token })).status).toBe(204);
    expect(await left(person)).toBe(0);
    const refused = await stack.api.post('/api/auth/mfa/recovery-codes', {}, { token: person.token });
    expect([refused.status, refused.body.code]).toEqual([409, 'factor_required']);
    expect((await stepUp(person, codes[0] ?? '')).status).toBe(400);
  });

  it("[N1] somebody else's open nothing", async () => {
    const [one, other] = [await stack.people.signedIn('customer'), await stack.people.signedIn('customer')];
    const [code = ''] = await issue(one);
    await issue(other);
    expect((await stepUp(other, code)).status).toBe(401);
    expect(await left(one)).toBe(10);
  });

  it('[N1] an administrator who resets the factors takes them away too', async () => {
    const person = await stack.people.signedIn('customer');
    await issue(person);
    const admin = await stack.people.signedIn('admin');
    const reset = await stack.api.post(`/api/admin/users/${person.userId}/reset-mfa`, {}, { token: admin.token });
    expect(reset.status).toBeLessThan(300);
    const { n } = await oneRow<{ n: number }>(
      stack.db.fork(),
      'select count(*)::int as n from recovery_code where user_id = $1',
      [person.userId],
    );
    expect(n).toBe(0);
  });
});

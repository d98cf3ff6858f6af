import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { FROM, PHONE } from '../helpers/devices.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { zoneAtHour } from '../helpers/zones.ts';

/** Claims Windows where the user agent says Linux: its signature is the known one, and it cannot be true. */
const CONTRADICTION = { ...HOME_DEVICE, platform: 'Win32' };

describe('login risk', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  /** Somebody at whose place it is now the given hour. */
  async function personAt(hour = 12) {
    const person = await stack.people.register();
    const zone = await zoneAtHour(hour);
    await run(stack.db.fork(), 'update app_user set time_zone = $2 where email_key = $1', [person.email, zone]);
    return person;
  }
  const settledInBerlin = async () => {
    const person = await personAt();
    expect((await stack.people.login(person, { headers: FROM.berlin })).status).toBe(200);
    return person;
  };
  /** As if the last login that passed had been days ago. */
  const daysLater = (email: string) =>
    run(
      stack.db.fork(),
      `update login_baseline set last_at = last_at - interval '3 days'
        where user_id = (select id from app_user where email_key = $1)`,
      [email],
    );
  const lastLogin = (email: string) =>
    oneRow<{ status: string; score: number; points: Record<string, number> }>(
      stack.db.fork(),
      `select l.status, l.score, (select jsonb_object_agg(r ->> 'ruleId', r -> 'points')
          from jsonb_array_elements(l.reasons) r) as points
         from login l join app_user u on u.id = l.user_id where u.email_key = $1 order by l.seq desc limit 1`,
      [email],
    );
  const incidentsOf = (email: string) =>
    rows<{ cause: string; severity: string }>(
      stack.db.fork(),
      `select cause, severity from incident i join app_user u on u.id = i.user_id where u.email_key = $1 order by cause`,
      [email],
    );
  const submit = (loginId: string, method: string, code: string) =>
    stack.api.post(`/api/auth/login/${loginId}/factors`, { method, code });

  it('[L3] [L6] [L9] denies impossible travel over three continents, tells the owner and opens a high incident', async () => {
    const person = await settledInBerlin();
    for (const from of [FROM.newYork, FROM.tokyo]) {
      const refused = await stack.people.login(person, { headers: from });
      expect(refused.status).toBe(403);
      expect(refused.body.code).toBe('login_denied');
      expect(JSON.stringify(refused.body)).not.toMatch(/score|risk|travel|location|\d\.\d/);
    }
    expect(await lastLogin(person.email)).toMatchObject({
      status: 'denied',
      score: 100,
      points: { impossible_travel: 80, new_location: 30 },
    });
    expect(await incidentsOf(person.email)).toEqual([{ cause: 'login_escalated', severity: 'high' }]);
    await stack.mail.waitFor(person.email, { subject: /refused a sign-in/ });
  });

  it('[L6] is a score from 0.0 to 1.0, as the dashboard shows it', async () => {
    const person = await settledInBerlin();
    await stack.people.login(person, { headers: FROM.tokyo });
    const { token } = await stack.people.signedIn('auditor');
    const { body } = await stack.api.get('/api/admin/security/dashboard/auth?limit=100', { token });
    const { userId } = await oneRow<{ userId: string }>(
      stack.db.fork(),
      'select id as "userId" from app_user where email_key = $1',
      [person.email],
    );
    type Attempt = { userId: string; score: number | null };
    const own = (body.recentAttempts as Attempt[]).filter((attempt) => attempt.userId === userId);
    expect(own.map(({ score }) => score)).toEqual([1, 0]);
    for (const { score } of body.recentAttempts as Attempt[]) {
      if (score === null) continue;
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
    }
  });

  it('learns nothing from logins that failed or were denied', async () => {
    const person = await settledInBerlin();
    await stack.people.login({ ...person, password: 'a wrong one, from Tokyo' }, { headers: FROM.tokyo });
    await stack.people.login(person, { headers: FROM.tokyo });
    const places = await rows<{ country: string }>(
      stack.db.fork(),
      'select country from login_place p join app_user u on u.id = p.user_id where u.email_key = $1',
      [person.email],
    );
    expect(places).toEqual([{ country: 'DE' }]);
    expect((await stack.people.login(person, { headers: FROM.berlin })).status).toBe(200);
    expect((await stack.people.login(person, { headers: FROM.newYork })).body.code).toBe('login_denied');
  });

  it('learns nothing from a login whose factor was never proven', async () => {
    const person = await settledInBerlin();
    await daysLater(person.email);
    const asked = await stack.people.login(person, { device: PHONE, headers: FROM.newYork });
    expect(asked.status).toBe(202);
    expect((await stack.people.login(person, { headers: FROM.berlin })).status).toBe(200);
    const known = await oneRow<{ places: number; devices: number }>(
      stack.db.fork(),
      `select (select count(*)::int from login_place where user_id = u.id) as places,
              (select count(*)::int from device where user_id = u.id) as devices from app_user u where email_key = $1`,
      [person.email],
    );
    expect(known).toEqual({ places: 1, devices: 1 });
  });

  it('[L2] counts a new place 0.3 once, and knows it afterwards', async () => {
    const person = await settledInBerlin();
    await daysLater(person.email);
    expect((await stack.people.login(person, { headers: FROM.newYork })).status).toBe(200);
    expect(await lastLogin(person.email)).toMatchObject({ score: 30, points: { new_location: 30 } });
    expect((await stack.people.login(person, { headers: FROM.newYork })).status).toBe(200);
    expect(await lastLogin(person.email)).toMatchObject({ score: 0 });
  });

  it('[L1] counts the hour at the place of the person, 02:00 to 05:00, with 0.2', async () => {
    const weights: Record<number, number | undefined> = {};
    for (const hour of [1, 2, 4, 5, 12]) {
      const person = await personAt(hour);
      await stack.people.login(person, { headers: FROM.berlin });
      weights[hour] = (await lastLogin(person.email)).points.login_hour;
    }
    expect(weights).toEqual({ 1: 0, 2: 20, 4: 20, 5: 0, 12: 0 });
  });

  it('counts an unknown place of the address with 0.1', async () => {
    const person = await personAt();
    await stack.people.login(person);
    expect(await lastLogin(person.email)).toMatchObject({ score: 10, points: { geo_unknown: 10 } });
  });

  it('[L4] counts a rate of failures of half or more, from five attempts on', async () => {
    const person = await personAt();
    const wrong = () => stack.people.login({ ...person, password: 'not the password' }, { headers: FROM.berlin });
    const right = () => stack.people.login(person, { headers: FROM.berlin });
    await wrong();
    await wrong();
    await right();
    expect((await lastLogin(person.email)).points.failed_rate_account).toBe(0);
    await wrong();
    await right();
    expect((await lastLogin(person.email)).points.failed_rate_account).toBe(20);
  });

  it('[L8] above 0.7 asks for two different factors', async () => {
    const person = await settledInBerlin();
    const { token } = (await stack.people.login(person, { headers: FROM.berlin })).body.session;
    const { secret } = (await stack.api.post('/api/auth/mfa/totp', {}, { token })).body;
    await stack.api.post('/api/auth/mfa/totp/confirm', { code: stack.people.totpCode(secret) }, { token });
    await daysLater(person.email);

    const asked = await stack.people.login(person, { device: CONTRADICTION, headers: FROM.newYork });
    expect((await lastLogin(person.email)).score).toBe(80);
    expect(asked.body).toMatchObject({ status: 'step_up_required', methods: ['totp'] });
    const second = await submit(asked.body.loginId, 'totp', stack.people.totpCode(secret));
    expect(second.status).toBe(202);
    expect(second.body).toMatchObject({ status: 'step_up_required', methods: ['email_code'] });
    expect(second.body.expiresAt).toBe(asked.body.expiresAt);
    const code = stack.mail.codesFor(person.email).at(-1) ?? '';
    expect((await submit(asked.body.loginId, 'email_code', code)).status).toBe(200);
  });

  it('above 0.7 denies somebody who has fewer kinds of factor than that, with an incident', async () => {
    const person = await settledInBerlin();
    await daysLater(person.email);
    const refused = await stack.people.login(person, { device: CONTRADICTION, headers: FROM.newYork });
    expect(refused.body.code).toBe('login_denied');
    expect(await incidentsOf(person.email)).toEqual([{ cause: 'factor_shortage', severity: 'medium' }]);
  });

  it('writes score and reasons to the audit log, and nothing personal', async () => {
    const person = await settledInBerlin();
    await stack.people.login(person, { headers: FROM.tokyo });
    const entry = await row<{ entry: string }>(
      stack.db.fork(),
      `select entry from audit_entry e join app_user u on e.subject = u.id::text
        where u.email_key = $1 and action = 'login.denied'`,
      [person.email],
    );
    const { details } = JSON.parse(entry?.entry ?? '{}');
    expect(details).toMatchObject({ score: 100, ruleSetVersion: 'v1', cause: 'login_escalated' });
    expect(details.reasons.map(({ ruleId }: { ruleId: string }) => ruleId)).toContain('impossible_travel');
    expect(entry?.entry).not.toContain(person.email);
    expect(entry?.entry).not.toContain('Test Person');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordIndicators } from '../../db/indicators.ts';
import { loginSubject } from '../../db/login-subject.ts';
import { createOutbox } from '../../db/outbox.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { FROM, PHONE } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

describe('restriction', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  const userOf = async (email: string) =>
    (await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email])).id;
  const kindsOf = async (email: string) =>
    (
      await rows<{ kind: string }>(
        stack.db.fork(),
        'select kind from compromise_indicator where user_id = $1 order by at, id',
        [await userOf(email)],
      )
    ).map(({ kind }) => kind);
  const restrictionsOf = (userId: string) =>
    rows<{ id: string; origin: string; reason: string }>(
      stack.db.fork(),
      'select id, origin, reason from restriction where user_id = $1 order by started_at',
      [userId],
    );
  const auditOf = (userId: string, action: string) =>
    rows(stack.db.fork(), 'select 1 from audit_entry where subject = $1 and action = $2', [userId, action]);
  const incidentsOf = (userId: string) =>
    rows<{ cause: string; severity: string; status: string }>(
      stack.db.fork(),
      `select cause, severity, status from incident where subject_id = $1 and cause = 'restriction'`,
      [userId],
    );
  const guess = (email: string) => stack.people.login({ email, password: 'certainly not the password' });
  const letters = (email: string) =>
    stack.mail.to(email).filter(({ subject }) => /restricted your account/.test(subject));
  const running = async (restrictionId: string) =>
    (await stack.temporal.workflow.getHandle(workflowIds.restriction(restrictionId)).describe()).status.name;

  /** Somebody whose habits are a device and Berlin. */
  async function inBerlin() {
    const person = await stack.people.register();
    const { deviceToken } = person.answer.body;
    const signIn = (device: object, headers: object) =>
      stack.api.post(
        '/api/auth/login',
        { email: person.email, password: person.password, device, deviceToken },
        { headers: { ...headers } },
      );
    const opened = await signIn(HOME_DEVICE, FROM.berlin);
    expect(opened.status).toBe(200);
    return { ...person, signIn, token: opened.body.session.token as string, userId: await userOf(person.email) };
  }

  describe('by indicators', () => {
    it('[P6] [D10] [P7] freezes after two different ones: all is void, the owner is told, an incident opens', async () => {
      const person = await inBerlin();
      expect((await person.signIn(HOME_DEVICE, FROM.tokyo)).body.code).toBe('login_denied');
      expect(await restrictionsOf(person.userId)).toEqual([]);
      expect((await stack.api.get('/api/devices', { token: person.token })).status).toBe(200);

      // The cookie of the computer, from a phone.
      expect((await person.signIn(PHONE, FROM.berlin)).status).toBe(403);
      expect(await kindsOf(person.email)).toEqual(['impossible_travel', 'impossible_device_change']);
      const [restriction] = await restrictionsOf(person.userId);
      expect(restriction).toMatchObject({
        origin: 'indicators',
        reason: 'impossible_device_change, impossible_travel',
      });
      expect((await stack.api.get('/api/devices', { token: person.token })).status).toBe(401);
      const right = await person.signIn(HOME_DEVICE, FROM.berlin);
      expect([right.status, right.body.code]).toEqual([403, 'account_restricted']);
      expect((await guess(person.email)).body.code).toBe('invalid_credentials');

      await eventually(() => letters(person.email).length === 1);
      await eventually(async () => (await incidentsOf(person.userId)).length === 1);
      expect(await incidentsOf(person.userId)).toEqual([{ cause: 'restriction', severity: 'high', status: 'open' }]);
      expect(await running(restriction?.id ?? '')).toBe('RUNNING');
      expect(await auditOf(person.userId, 'account.restricted')).toHaveLength(1);
    });

    it('[P6] does not freeze for one kind, however often, nor for two that lie more than 24 hours apart', async () => {
      const person = await inBerlin();
      for (const from of [FROM.tokyo, FROM.newYork]) await person.signIn(HOME_DEVICE, from);
      expect(await kindsOf(person.email)).toEqual(['impossible_travel', 'impossible_travel']);
      expect(await restrictionsOf(person.userId)).toEqual([]);
      await run(
        stack.db.fork(),
        `update compromise_indicator set at = at - interval '24 hours 1 second' where user_id = $1`,
        [person.userId],
      );
      await person.signIn(PHONE, FROM.berlin);
      expect(await restrictionsOf(person.userId)).toEqual([]);
      await person.signIn(HOME_DEVICE, FROM.tokyo);
      expect(await restrictionsOf(person.userId)).toHaveLength(1);
    });

    it('[P6] freezes once when 20 logins find two at the same time', async () => {
      const person = await inBerlin();
      const answers = await Promise.all(Array.from({ length: 20 }, () => person.signIn(PHONE, FROM.tokyo)));
      expect(answers.filter(({ status }) => status === 200 || status === 202)).toEqual([]);
      const restrictions = await restrictionsOf(person.userId);
      expect(restrictions).toHaveLength(1);
      await eventually(() => letters(person.email).length > 0);
      await eventually(async () => (await incidentsOf(person.userId)).length === 1);
      expect(letters(person.email)).toHaveLength(1);
      expect(await auditOf(person.userId, 'account.restricted')).toHaveLength(1);
    });

    it('[P6] freezes once when 20 transactions of the database record different ones at the same time', async () => {
      const { userId, email } = await stack.people.signedIn('customer');
      const deps = { audit: stack.audit, outbox: createOutbox({ keyring: stack.keyring }) };
      const kinds = ['impossible_travel', 'factor_exhausted', 'step_up_failed', 'lockout_repeated'] as const;
      const began = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          stack.db.transaction(async (tx) => {
            const kind = kinds[i % kinds.length] ?? 'impossible_travel';
            return recordIndicators(tx, deps, userId, [{ kind, key: `test:${userId}:${i}`, details: {} }]);
          }),
        ),
      );
      expect(began.flatMap(({ restrictions }) => restrictions)).toHaveLength(1);
      expect(await restrictionsOf(userId)).toHaveLength(1);
      expect(await kindsOf(email)).toHaveLength(20);
      expect(await auditOf(userId, 'account.restricted')).toHaveLength(1);
    });

    it('[P6] counts a second lockout within a day and a login whose factors were wrong too often', async () => {
      const person = await stack.people.register();
      const userId = await userOf(person.email);
      for (let lock = 0; lock < 2; lock += 1) {
        for (let i = 0; i < 5; i += 1) await guess(person.email);
        const subject = loginSubject(stack.keyring, person.email);
        await run(stack.db.fork(), 'update login_subject set locked_until = clock_timestamp() where subject = $1', [
          subject,
        ]);
        expect(await kindsOf(person.email)).toEqual(lock === 0 ? [] : ['lockout_repeated']);
      }
      const asked = await stack.people.login(person, { device: PHONE });
      expect(asked.status).toBe(202);
      const right = stack.mail.codesFor(person.email).at(-1);
      const wrong = ['000000', '111111', '222222', '333333', '444444', '555555'].filter((code) => code !== right);
      const answers = [];
      for (const code of wrong.slice(0, 5)) {
        const path = `/api/auth/login/${asked.body.loginId}/factors`;
        answers.push((await stack.api.post(path, { method: 'email_code', code })).status);
      }
      expect(answers).toEqual([401, 401, 401, 401, 403]);
      expect(await kindsOf(person.email)).toEqual(['lockout_repeated', 'factor_exhausted']);
      const [restriction] = await restrictionsOf(userId);
      await eventually(async () => (await running(restriction?.id ?? '')) === 'RUNNING');
    });

    it('[P6] counts a transaction that its owner did not confirm, and no transaction is decided any more', async () => {
      const trading = createTrading(stack);
      const trader = await trading.trader();
      const asked = await trader.withdraw('10000.01');
      expect(asked.body.status).toBe('step_up_required');
      const now = stack.people.totpCode(trader.totpSecret);
      const wrong = ['000000', '111111', '222222', '333333', '444444', '555555'].filter((code) => code !== now);
      const other = await trader.withdraw('10000.02');
      for (const code of wrong.slice(0, 5)) {
        await trader.confirm(asked.body.transactionId, { method: 'totp', code });
      }
      expect(await kindsOf(trader.email)).toEqual(['step_up_failed']);
      expect((await trader.withdraw('1.00')).status).toBe(201);
      for (const code of wrong.slice(0, 5)) {
        await stack.api.post('/api/auth/step-up', { method: 'totp', code }, { token: trader.token });
      }
      expect(await kindsOf(trader.email)).toEqual(['step_up_failed', 'factor_exhausted']);
      expect(await restrictionsOf(trader.userId)).toHaveLength(1);
      expect((await trader.withdraw('1.00')).status).toBe(401);
      const refused = await trader.confirm(other.body.transactionId, { method: 'totp', code: now });
      expect(refused.status).toBe(401);
      const [restriction] = await restrictionsOf(trader.userId);
      await eventually(async () => (await running(restriction?.id ?? '')) === 'RUNNING');
    });
  });

  const restrict = (userId: string, token: string, reason = 'the owner called us') =>
    stack.api.post(`/api/admin/security/accounts/${userId}/restrict`, { reason }, { token });
  const restore = (userId: string, token: string, body: object) =>
    stack.api.post(`/api/admin/security/accounts/${userId}/restore`, body, { token });
  const linkToken = async (email: string, subject: RegExp, count = 1) => {
    const { text } = await stack.mail.waitFor(email, { subject, count });
    return /#token=([A-Za-z0-9_-]{43})/.exec(text)?.[1] as string;
  };

  describe('by an administrator', () => {
    it('[P6] holds at once, once, for others only, and by administrators alone', async () => {
      const admin = await stack.people.signedIn('admin');
      const reviewer = await stack.people.signedIn('reviewer');
      const person = await stack.people.signedIn('customer');
      expect((await restrict(person.userId, reviewer.token)).status).toBe(403);
      expect((await restrict(admin.userId, admin.token)).body.code).toBe('own_account');
      expect((await restrict(person.userId, admin.token, ' ')).status).toBe(400);
      const done = await restrict(person.userId, admin.token);
      expect(done.status).toBe(200);
      expect(done.body).toMatchObject({ origin: 'admin', restrictedBy: admin.userId, nextStep: 'identity_verified' });
      expect((await restrict(person.userId, admin.token)).body.code).toBe('already_restricted');
      expect((await stack.api.get('/api/devices', { token: person.token })).status).toBe(401);
      await eventually(() => letters(person.email).length === 1);
      await eventually(async () => (await running(done.body.restrictionId)) === 'RUNNING');
      expect((await restore(admin.userId, admin.token, { step: 'restored' })).body.code).toBe('own_account');
      expect((await restore(reviewer.userId, admin.token, { step: 'restored' })).body.code).toBe('not_restricted');
    });

    it('[P6] ends a sign-in that waits for its factor: the right code opens nothing', async () => {
      const admin = await stack.people.signedIn('admin');
      const person = await stack.people.register();
      const userId = await userOf(person.email);
      const asked = await stack.people.login(person, { device: PHONE });
      expect(asked.status).toBe(202);
      const code = stack.mail.codesFor(person.email).at(-1);
      await restrict(userId, admin.token);
      const path = `/api/auth/login/${asked.body.loginId}/factors`;
      const answer = await stack.api.post(path, { method: 'email_code', code });
      expect([answer.status, answer.body.code]).toEqual([403, 'account_restricted']);
      expect(await rows(stack.db.fork(), 'select 1 from session where user_id = $1', [userId])).toEqual([]);
    });

    it('[P6] takes what is found meanwhile as evidence, and is not begun again by it', async () => {
      const admin = await stack.people.signedIn('admin');
      const person = await stack.people.register();
      const userId = await userOf(person.email);
      await restrict(userId, admin.token);
      await eventually(async () => (await incidentsOf(userId)).length === 1);
      for (let lock = 0; lock < 2; lock += 1) {
        for (let i = 0; i < 5; i += 1) await guess(person.email);
        const subject = loginSubject(stack.keyring, person.email);
        await run(stack.db.fork(), 'update login_subject set locked_until = clock_timestamp() where subject = $1', [
          subject,
        ]);
      }
      expect(await restrictionsOf(userId)).toHaveLength(1);
      const seen = await stack.api.get(`/api/admin/security/accounts/${userId}/restriction`, { token: admin.token });
      expect(seen.body.indicators).toEqual([{ kind: 'lockout_repeated', at: expect.any(String) }]);
      const evidence = await rows(
        stack.db.fork(),
        `select 1 from incident_event e join incident i on i.id = e.incident_id
          where i.subject_id = $1 and i.cause = 'restriction' and e.kind = 'evidence'`,
        [userId],
      );
      expect(evidence).toHaveLength(1);
    });

    it('[P6] rejects a transaction that a reviewer approves, and ends signing keys', async () => {
      const trading = createTrading(stack);
      const [trader, admin, reviewer] = [
        await trading.trader(),
        await stack.people.signedIn('admin'),
        await stack.people.signedIn('reviewer'),
      ];
      const held = await trading.held(trader);
      const key = await stack.api.post('/api/signing-keys', {}, { token: trader.token });
      expect(key.status).toBe(201);
      const keys = () =>
        rows<{ status: string; revoked_reason: string | null }>(
          stack.db.fork(),
          'select status, revoked_reason from signing_key where id = $1',
          [key.body.keyId],
        );
      expect(await keys()).toEqual([{ status: 'active', revoked_reason: null }]);
      await restrict(trader.userId, admin.token);
      expect(await keys()).toEqual([{ status: 'revoked', revoked_reason: 'restricted' }]);
      expect(await auditOf(trader.userId, 'session.revoked')).toHaveLength(1);
      const approved = await stack.api.post(
        `/api/admin/security/transactions/${held}/approve`,
        { reason: 'looks fine' },
        { token: reviewer.token },
      );
      expect(approved.body).toMatchObject({ status: 'rejected', code: 'account_restricted' });
    });
  });

  describe('the way back', () => {
    it('[P6] goes step by step with the owner, each recorded and audited, and no step before its time', async () => {
      const admin = await stack.people.signedIn('admin');
      const person = await stack.people.register();
      const userId = await userOf(person.email);
      await stack.api.post('/api/auth/password/forgot', { email: person.email });
      const oldLink = await linkToken(person.email, /Reset your password/);
      await restrict(userId, admin.token);

      const identity = { step: 'identity_verified', caseReference: 'CASE-17' };
      for (const step of ['password_reset', 'factors_enrolled', 'restored']) {
        const early = await restore(userId, admin.token, { step });
        expect([early.status, early.body.code, early.body.next]).toEqual([
          409,
          'recovery_out_of_order',
          'identity_verified',
        ]);
      }
      expect((await restore(userId, admin.token, { step: 'identity_verified' })).status).toBe(400);
      expect((await restore(userId, admin.token, identity)).body).toMatchObject({ nextStep: 'password_reset' });
      expect((await restore(userId, admin.token, identity)).body.code).toBe('recovery_out_of_order');

      // Links of the ordinary kind, from before or asked for now, are no way around.
      const reset = (token: string, newPassword: string) =>
        stack.api.post('/api/auth/password/reset', { token, newPassword });
      expect((await reset(oldLink, 'a password of a thief')).body.code).toBe('token_invalid');
      await stack.api.post('/api/auth/password/forgot', { email: person.email });
      const askedNow = await linkToken(person.email, /^Reset your password/, 2);
      expect((await reset(askedNow, 'a password of a thief')).body.code).toBe('token_invalid');

      expect((await restore(userId, admin.token, { step: 'password_reset' })).body.nextStep).toBe('password_reset');
      expect((await restore(userId, admin.token, { step: 'factors_enrolled' })).body.code).toBe(
        'recovery_out_of_order',
      );
      const password = 'a password from the recovery';
      expect((await reset(await linkToken(person.email, /choose a new password/), password)).status).toBe(204);
      const still = await stack.people.login({ email: person.email, password });
      expect(still.body.code).toBe('account_restricted');

      expect((await restore(userId, admin.token, { step: 'factors_enrolled' })).status).toBe(200);
      expect((await restore(userId, admin.token, { step: 'restored' })).body.code).toBe('recovery_out_of_order');
      const token = await linkToken(person.email, /set up your authenticator/);
      const { secret } = (await stack.api.post('/api/auth/recovery/totp', { token })).body;
      const confirm = (code: string) => stack.api.post('/api/auth/recovery/totp/confirm', { token, code });
      expect((await confirm('000000')).body).toMatchObject({ code: 'factor_invalid', triesLeft: 4 });
      expect((await confirm(stack.people.totpCode(secret))).status).toBe(204);
      expect((await confirm('123456')).body.code).toBe('token_invalid');

      const restored = await restore(userId, admin.token, { step: 'restored' });
      expect(restored.body).toMatchObject({ liftedAt: expect.any(String), nextStep: null });
      await stack.mail.waitFor(person.email, { subject: /open again/ });
      const login = await stack.people.login({ email: person.email, password }, { device: PHONE });
      expect(login.body).toMatchObject({ status: 'step_up_required', methods: expect.arrayContaining(['totp']) });
      const proven = await stack.api.post(`/api/auth/login/${login.body.loginId}/factors`, {
        method: 'totp',
        code: stack.people.totpCode(secret),
      });
      expect(proven.status).toBe(200);

      const trail = await rows<{ action: string }>(
        stack.db.fork(),
        `select action from audit_entry where subject = $1
           and (action like 'recovery.%' or action like 'account.rest%') and action <> 'recovery.step_requested'
          order by at, id`,
        [userId],
      );
      expect(trail.map(({ action }) => action)).toEqual([
        'account.restricted',
        'recovery.identity_verified',
        'recovery.password_link_sent',
        'recovery.password_reset',
        'recovery.factors_removed',
        'recovery.factors_enrolled',
        'account.restored',
      ]);
      await eventually(async () => (await incidentsOf(userId))[0]?.status === 'resolved');
      await eventually(async () => (await running(restored.body.restrictionId)) === 'COMPLETED');
      expect((await restore(userId, admin.token, identity)).body.code).toBe('not_restricted');
    });

    it('[P6] survives its workflow: cancelling lifts nothing, terminating keeps nobody from going on', async () => {
      const admin = await stack.people.signedIn('admin');
      const { userId } = await stack.people.signedIn('customer');
      const { restrictionId } = (await restrict(userId, admin.token)).body;
      const handle = stack.temporal.workflow.getHandle(workflowIds.restriction(restrictionId));
      await eventually(async () => (await incidentsOf(userId)).length === 1);
      await handle.cancel();
      const identity = { step: 'identity_verified', caseReference: 'CASE-18' };
      expect((await restore(userId, admin.token, identity)).status).toBe(200);
      expect(await running(restrictionId)).toBe('RUNNING');
      await handle.terminate('a test');
      expect((await restore(userId, admin.token, { step: 'password_reset' })).status).toBe(200);
      expect(await incidentsOf(userId)).toHaveLength(1);
    });

    it('[P6] gets its workflow by reconcile where the one that found it never started it', async () => {
      const { userId } = await stack.people.signedIn('customer');
      const deps = { audit: stack.audit, outbox: createOutbox({ keyring: stack.keyring }) };
      await stack.db.transaction((tx) =>
        recordIndicators(tx, deps, userId, [
          { kind: 'impossible_travel', key: `test:${userId}:1`, details: {} },
          { kind: 'factor_exhausted', key: `test:${userId}:2`, details: {} },
        ]),
      );
      await run(stack.db.fork(), `update restriction set started_at = started_at - interval '1 minute'`);
      await stack.temporal.workflow.execute('reconcile', {
        taskQueue: `${stack.config.taskQueuePrefix}-background`,
        workflowId: `reconcile-${userId}`,
      });
      await eventually(async () => (await incidentsOf(userId)).length === 1);
    });
  });
});

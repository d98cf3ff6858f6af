import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginSubject } from '../../db/login-subject.ts';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { FROM } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const WRONG = 'certainly not the password';

describe('lockout', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack();
  });
  afterAll(() => stack.close());

  const guess = (email: string, password = WRONG, headers = {}) => stack.people.login({ email, password }, { headers });
  const burst = (email: string, count: number) => Promise.all(Array.from({ length: count }, () => guess(email)));
  const lockAccount = async (email: string) => {
    for (let i = 0; i < 5; i += 1) await guess(email);
  };
  const userOf = async (email: string) =>
    (await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email])).id;
  const lockoutsOf = (email: string) =>
    rows<{ id: string; unlocked_by: string | null }>(
      stack.db.fork(),
      'select id, unlocked_by from lockout where subject = $1 order by started_at',
      [loginSubject(stack.keyring, email)],
    );
  /** Passwords that were really checked. */
  const hashesOf = async (email: string) =>
    (
      await oneRow<{ n: number }>(
        stack.db.fork(),
        'select count(password_ok)::int as n from login where subject = $1',
        [loginSubject(stack.keyring, email)],
      )
    ).n;
  const lockLetters = (email: string) => stack.mail.to(email).filter(({ subject }) => /locked/.test(subject));
  const tally = (answers: { status: number }[]) => {
    const counts: Record<number, number> = {};
    for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  };
  /** Puts the end of the lock into the past, as the clock would. */
  const letTimePass = async (email: string) => {
    await run(stack.db.fork(), `update login_subject set locked_until = clock_timestamp() where subject = $1`, [
      loginSubject(stack.keyring, email),
    ]);
  };

  it('[L5] [P1] starts with the fifth failure, which answers 423 itself, and refuses the right password', async () => {
    const person = await stack.people.register();
    const answers = [];
    for (let i = 0; i < 5; i += 1) answers.push(await guess(person.email));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 423]);
    const refused = await stack.people.login(person);
    expect(refused.status).toBe(423);
    expect(refused.body.code).toBe('account_locked');
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(890);
    expect(seconds).toBeLessThanOrEqual(900);
    expect(await hashesOf(person.email)).toBe(5);
  });

  it('[L5] counts the failures of 15 minutes: one more after that time locks nothing, within it it does', async () => {
    for (const [age, status] of [
      ['15 minutes', 401],
      ['14 minutes', 423],
    ] as const) {
      const person = await stack.people.register();
      for (let i = 0; i < 4; i += 1) await guess(person.email);
      await run(
        stack.db.fork(),
        `update login set started_at = started_at - $2::interval, settled_at = settled_at - $2::interval
          where subject = $1`,
        [loginSubject(stack.keyring, person.email), age],
      );
      expect((await guess(person.email)).status, age).toBe(status);
    }
  });

  it('[L5] [P3] comes of 20 parallel wrong passwords once: five hashes, one lock, one workflow, one letter', async () => {
    const person = await stack.people.register();
    const answers = await burst(person.email, 20);
    expect(tally(answers)).toEqual({ 401: 4, 423: 16 });
    expect(await hashesOf(person.email)).toBe(5);
    const lockouts = await lockoutsOf(person.email);
    expect(lockouts).toHaveLength(1);
    await stack.mail.waitFor(person.email, { subject: /locked/ });
    const { type } = await stack.temporal.workflow.getHandle(`lockout:${lockouts[0]?.id}`).describe();
    expect(type).toBe('lockout');
    const started = await rows(
      stack.db.fork(),
      `select 1 from audit_entry where action = 'lockout.started' and subject = $1`,
      [await userOf(person.email)],
    );
    expect(started).toHaveLength(1);
    expect(lockLetters(person.email)).toHaveLength(1);
  });

  it('checks at most five of 50 parallel passwords, also with the right one among them', async () => {
    for (const place of [0, 2, 25]) {
      const person = await stack.people.register();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i === place ? stack.people.login(person) : guess(person.email))),
      );
      expect(await hashesOf(person.email)).toBeLessThanOrEqual(5);
      const counts = tally(answers);
      expect((counts[200] ?? 0) + (counts[401] ?? 0)).toBeLessThanOrEqual(5);
    }
  });

  it('treats an address without an account alike, the lock included', async () => {
    const nobody = stack.people.newAddress();
    const person = await stack.people.register();
    const [unknown, known] = [await burst(nobody, 8), await burst(person.email, 8)];
    expect(tally(unknown)).toEqual(tally(known));
    expect(await hashesOf(nobody)).toBe(5);
    expect(await lockoutsOf(nobody)).toHaveLength(1);
  });

  it('records attempts that meet it, without counting them or extending it', async () => {
    const person = await stack.people.register();
    await lockAccount(person.email);
    const subject = loginSubject(stack.keyring, person.email);
    const until = () => row(stack.db.fork(), 'select locked_until from login_subject where subject = $1', [subject]);
    const before = await until();
    await burst(person.email, 5);
    expect(await until()).toEqual(before);
    const recorded = await rows<{ password_ok: boolean | null }>(
      stack.db.fork(),
      `select password_ok from login where subject = $1 and status = 'locked'`,
      [subject],
    );
    expect(recorded.filter(({ password_ok }) => password_ok === null)).toHaveLength(5);
    const audited = await rows(
      stack.db.fork(),
      `select 1 from audit_entry where action = 'login.locked_attempt' and subject = $1`,
      [await userOf(person.email)],
    );
    expect(audited).toHaveLength(6);
  });

  it('[P1] [P3] starts counting at zero when it ends, and a second lock gets a workflow and a letter of its own', async () => {
    const person = await stack.people.register();
    await lockAccount(person.email);
    await stack.mail.waitFor(person.email, { subject: /locked/ });
    await letTimePass(person.email);
    const answers = [];
    for (let i = 0; i < 5; i += 1) answers.push((await guess(person.email)).status);
    expect(answers).toEqual([401, 401, 401, 401, 423]);
    await stack.mail.waitFor(person.email, { subject: /locked/, count: 2 });
    const lockouts = await lockoutsOf(person.email);
    expect(lockouts.map(({ unlocked_by }) => unlocked_by)).toEqual(['timer', null]);
    for (const { id } of lockouts) {
      expect((await stack.temporal.workflow.getHandle(`lockout:${id}`).describe()).type).toBe('lockout');
    }
    expect(lockLetters(person.email)).toHaveLength(2);
  });

  it('is not undone for a guesser by a success elsewhere: only failures from its own network are cleared', async () => {
    const person = await stack.people.register();
    for (let i = 0; i < 3; i += 1) await guess(person.email, WRONG, FROM.tokyo);
    await guess(person.email);
    expect((await stack.people.login(person)).status).toBe(200);
    expect((await guess(person.email, WRONG, FROM.tokyo)).status).toBe(401);
    expect((await guess(person.email, WRONG, FROM.tokyo)).status).toBe(423);
  });

  it('[P2] [S6] is lifted by an administrator, with a reason and a trace; the next unlock finds nothing', async () => {
    const admin = await stack.people.signedIn('admin');
    const person = await stack.people.register();
    await lockAccount(person.email);
    const path = `/api/admin/security/accounts/${await userOf(person.email)}/unlock`;
    const unlock = () => stack.api.post(path, { reason: 'identity checked by phone' }, { token: admin.token });
    const answer = await unlock();
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ unlockedBy: 'admin' });
    expect((await stack.people.login(person)).status).toBe(200);
    expect((await unlock()).body.code).toBe('not_locked');
    const [lockout] = await lockoutsOf(person.email);
    expect(await stack.temporal.workflow.getHandle(`lockout:${lockout?.id}`).result()).toBe('admin');
    const trace = await rows<{ actor: string }>(
      stack.db.fork(),
      `select actor from audit_entry where action = 'lockout.ended' and subject = $1`,
      [await userOf(person.email)],
    );
    expect(trace).toEqual([{ actor: admin.userId }]);
  });

  it('is lifted by an administrator also when its workflow is gone', async () => {
    const admin = await stack.people.signedIn('admin');
    const person = await stack.people.register();
    await lockAccount(person.email);
    const [lockout] = await lockoutsOf(person.email);
    const handle = stack.temporal.workflow.getHandle(`lockout:${lockout?.id}`);
    await eventually(() => handle.describe(), { what: 'the lockout workflow' });
    await handle.terminate('a test');
    const answer = await stack.api.post(
      `/api/admin/security/accounts/${await userOf(person.email)}/unlock`,
      { reason: 'the workflow was lost' },
      { token: admin.token },
    );
    expect(answer.body).toMatchObject({ unlockedBy: 'admin' });
    expect((await stack.people.login(person)).status).toBe(200);
  });

  it('may be lifted by administrators alone', async () => {
    const person = await stack.people.customer();
    const path = `/api/admin/security/accounts/${await userOf(person.email)}/unlock`;
    const body = { reason: 'please' };
    expect((await stack.api.post(path, body)).status).toBe(401);
    expect((await stack.api.post(path, body, { token: person.token })).status).toBe(403);
    for (const role of ['reviewer', 'auditor'] as const) {
      const { token } = await stack.people.signedIn(role);
      expect((await stack.api.post(path, body, { token })).status).toBe(403);
    }
  });

  it('[P7] opens one low incident for an account', async () => {
    const person = await stack.people.register();
    await lockAccount(person.email);
    const userId = await userOf(person.email);
    const incident = await eventually(
      () =>
        row<{ severity: string; status: string }>(
          stack.db.fork(),
          `select severity, status from incident where cause = 'lockout' and subject_id = $1`,
          [userId],
        ),
      { what: 'the incident' },
    );
    expect(incident).toEqual({ severity: 'low', status: 'open' });
  });

  it('stands behind a throttle of 60 attempts in 15 minutes', async () => {
    const person = await stack.people.register();
    await lockAccount(person.email);
    await run(
      stack.db.fork(),
      `insert into login (id, attempt_id, subject, status, channel, device, device_signature, verdict_deadline)
       select gen_random_uuid(), gen_random_uuid(), $1, 'locked', 'bearer', '{}', '', clock_timestamp()
       from generate_series(1, 54)`,
      [loginSubject(stack.keyring, person.email)],
    );
    expect((await guess(person.email)).status).toBe(423);
    const refused = await guess(person.email);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(600);
  });
});

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneRow, row, rows, run } from '../../db/sql.ts';
import { PHONE } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

describe('login workflow', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '2s', LOGIN_STEP_UP_TIMEOUT: '4s' } });
  });
  afterAll(() => stack.close());

  const latest = (email: string) =>
    oneRow<{ id: string; status: string }>(
      stack.db.fork(),
      `select l.id, l.status from login l join app_user u on u.id = l.user_id where u.email_key = $1
        order by l.seq desc limit 1`,
      [email],
    );
  const statusOf = async (id: string) =>
    (await row<{ status: string }>(stack.db.fork(), 'select status from login where id = $1', [id]))?.status;
  const openSessions = (loginId: string) =>
    rows(stack.db.fork(), 'select id from session where login_id = $1 and revoked_at is null', [loginId]);
  const submit = (loginId: string, code: string) =>
    stack.api.post(`/api/auth/login/${loginId}/factors`, { method: 'email_code', code });
  const audited = async (loginId: string) =>
    (
      await rows<{ action: string }>(
        stack.db.fork(),
        `select action from audit_entry where entry::jsonb #>> '{details,loginId}' = $1 order by at`,
        [loginId],
      )
    ).map(({ action }) => action);

  it('that nobody waits for any more grants nothing when a worker comes at last', async () => {
    const person = await stack.people.register();
    await stack.stopWorker();
    const answer = await stack.people.login(person);
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe('verdict_pending');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    const { id } = await latest(person.email);
    // What the API told the client holds, whatever the clocks say.
    await run(
      stack.db.fork(),
      `update login set verdict_deadline = clock_timestamp() + interval '1 hour' where id = $1`,
      [id],
    );
    await stack.startWorker();
    await stack.temporal.workflow.getHandle(`login:${id}`).result();
    expect(await statusOf(id)).toBe('abandoned');
    expect(await openSessions(id)).toHaveLength(0);
    expect(await audited(id)).toEqual(['login.abandoned']);
    expect((await stack.people.login(person)).status).toBe(200);
  });

  it('ends abandoned by its deadline alone, where no API process is left to say so', async () => {
    const person = await stack.people.register();
    await stack.stopWorker();
    await stack.people.login(person);
    const { id } = await latest(person.email);
    await run(stack.db.fork(), `update login set status = 'pending', finished_at = null where id = $1`, [id]);
    await stack.startWorker();
    await stack.temporal.workflow.getHandle(`login:${id}`).result();
    expect(await statusOf(id)).toBe('abandoned');
    expect(await openSessions(id)).toHaveLength(0);
  });

  it('counts a wrong password also when nobody waited for its verdict', async () => {
    const person = await stack.people.register();
    await stack.stopWorker();
    await stack.people.login({ ...person, password: 'a wrong password indeed' });
    const { id } = await latest(person.email);
    await stack.startWorker();
    await stack.temporal.workflow.getHandle(`login:${id}`).result();
    const counted = await row(stack.db.fork(), 'select password_ok from login where id = $1', [id]);
    expect(counted).toEqual({ password_ok: false });
  });

  it('expires when no factor comes, and takes none afterwards', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person, { device: PHONE });
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    await eventually(async () => (await statusOf(body.loginId)) === 'expired', { what: 'the end of the login' });
    expect((await submit(body.loginId, code)).body.code).toBe('login_expired');
    expect(await stack.temporal.workflow.getHandle(`login:${body.loginId}`).result()).toEqual({ status: 'expired' });
    expect(await audited(body.loginId)).toEqual(['login.step_up_required', 'login.expired']);
  });

  it('ends denied when an operator cancels it', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person, { device: PHONE });
    await stack.temporal.workflow.getHandle(`login:${body.loginId}`).cancel();
    await stack.temporal.workflow.getHandle(`login:${body.loginId}`).result();
    expect(await statusOf(body.loginId)).toBe('denied');
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    expect((await submit(body.loginId, code)).status).toBe(403);
    expect(await openSessions(body.loginId)).toHaveLength(0);
  });

  it('grants nothing for a factor whose answer nobody waits for', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person, { device: PHONE });
    const code = stack.mail.codesFor(person.email)[0] ?? '';
    await stack.stopWorker();
    expect((await submit(body.loginId, code)).status).toBe(503);
    await sleep(500);
    await stack.startWorker();
    await stack.temporal.workflow.getHandle(`login:${body.loginId}`).result();
    expect(['abandoned', 'expired']).toContain(await statusOf(body.loginId));
    expect(await openSessions(body.loginId)).toHaveLength(0);
  });

  it('refuses somebody who was disabled between the password and the factor', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person, { device: PHONE });
    await run(stack.db.fork(), 'update app_user set disabled_at = clock_timestamp() where email_key = $1', [
      person.email,
    ]);
    const refused = await submit(body.loginId, stack.mail.codesFor(person.email)[0] ?? '');
    expect(refused.body.code).toBe('account_disabled');
    expect(await openSessions(body.loginId)).toHaveLength(0);
  });

  it('does not pass a lock that came between the password and the factor', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person, { device: PHONE });
    for (let i = 0; i < 5; i += 1) await stack.people.login({ ...person, password: 'guessing somewhere else' });
    const refused = await submit(body.loginId, stack.mail.codesFor(person.email)[0] ?? '');
    expect([423, 410]).toContain(refused.status);
    expect(await openSessions(body.loginId)).toHaveLength(0);
  });

  it('may be reset by an operator: nothing happens twice', async () => {
    const person = await stack.people.register();
    for (let i = 0; i < 5; i += 1) await stack.people.login({ ...person, password: 'a wrong password indeed' });
    await stack.mail.waitFor(person.email, { subject: /locked/ });
    const { id } = await latest(person.email);
    const handle = stack.temporal.workflow.getHandle(`login:${id}`);
    await handle.result();
    const { events } = await handle.fetchHistory();
    const firstTask = events?.find(({ workflowTaskCompletedEventAttributes }) => workflowTaskCompletedEventAttributes);
    await stack.temporal.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: `login:${id}` },
      reason: 'a test',
      workflowTaskFinishEventId: firstTask?.eventId ?? null,
      requestId: randomUUID(),
    });
    expect(await handle.result()).toMatchObject({ status: 'locked' });
    const traces = await rows(
      stack.db.fork(),
      `select 1 from audit_entry where action = 'lockout.started' and entry::jsonb #>> '{details,loginId}' = $1`,
      [id],
    );
    expect(traces).toHaveLength(1);
    expect(stack.mail.to(person.email).filter(({ subject }) => /locked/.test(subject))).toHaveLength(1);
  });

  it('shows operators its state, without telling who it is', async () => {
    const person = await stack.people.register();
    const { body } = await stack.people.login(person);
    const handle = stack.temporal.workflow.getHandle(`login:${body.loginId}`);
    await handle.result();
    const described = JSON.stringify(await handle.describe().then(({ searchAttributes }) => searchAttributes));
    expect(described).toContain('authenticated');
    expect(described).toMatch(/"TradeguardUser":\["[0-9a-f]{32}"\]/);
    expect(described).not.toContain(person.email);
  });
});

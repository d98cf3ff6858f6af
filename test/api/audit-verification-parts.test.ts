import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row, rows } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const PATH = '/api/admin/security/audit-logs';

describe('[S8] parts of the audit log over HTTP', () => {
  let stack: Stack;
  let auditor: SignedIn;
  beforeAll(async () => {
    stack = await createStack();
    auditor = await stack.people.signedIn('auditor');
    await stack.db.transaction((tx) =>
      stack.audit.append(
        tx,
        ...Array.from({ length: 30 }, (_, n) => ({
          ...{ action: 'test.counted', actor: { kind: 'system' as const }, outcome: 'success' as const },
          ...{ subject: { kind: 'thing', id: `thing-${n}` }, details: { n } },
        })),
      ),
    );
    await settled();
  });
  afterAll(() => stack?.close());

  const verify = (body: unknown, token = auditor.token) => stack.api.post(`${PATH}/verify-chain`, body, { token });
  const sealed = async () =>
    Number((await row<{ n: string }>(stack.db.fork(), 'select count(*) as n from audit_seal'))?.n);
  /** Everything that was written is sealed. */
  const settled = () =>
    eventually(async () => {
      const found = await row<{ n: string }>(
        stack.db.fork(),
        'select (select count(*) from audit_entry) - (select count(*) from audit_seal) as n',
      );
      return found?.n === '0';
    });

  it('verifies a range, and says which', async () => {
    const answer = await verify({ from: 3, to: 20 });
    expect(answer).toMatchObject({
      status: 200,
      body: { valid: true, mode: 'range', from: 3, to: 20, checked: 17, unsealed: expect.any(Number) },
    });
    const size = await sealed();
    const open = await verify({ from: size - 2 });
    expect(open).toMatchObject({ status: 200, body: { valid: true, mode: 'range', from: size - 2 } });
    expect(open.body.to).toBeGreaterThanOrEqual(size);
    expect(open.body.checked).toBe(open.body.to - open.body.from);
    expect((await verify({ to: 5 })).body).toMatchObject({ valid: true, mode: 'range', from: 0, to: 5, checked: 5 });
    expect((await verify({ from: 0 })).body).toMatchObject({ valid: true, mode: 'full', from: 0 });
    expect((await verify({ incremental: false })).body).toMatchObject({ valid: true, mode: 'full', from: 0 });
  });

  it('goes on from the checkpoint that was verified last; without one it verifies everything and says so', async () => {
    expect((await verify({ incremental: true })).body).toMatchObject({ valid: true, mode: 'full', from: 0 });
    await settled();
    expect((await stack.api.post(`${PATH}/checkpoints`, {}, { token: auditor.token })).body.status).toBe('published');
    const whole = await verify({});
    const published = await row<{ size: string }>(stack.db.fork(), 'select size from audit_checkpoint');
    const { body } = await verify({ incremental: true });
    expect(body).toMatchObject({ valid: true, mode: 'incremental', from: Number(published?.size) });
    expect(body.from).toBeGreaterThan(30);
    expect(body.to).toBeGreaterThanOrEqual(whole.body.to);
    expect(body.checked).toBe(body.to - body.from);
  });

  it('leaves the part in the log: who asked for it, and what was found', async () => {
    await verify({ from: 4, to: 9 });
    const list = async (action: string) =>
      (await stack.api.get(`${PATH}?action=${action}&actor=${auditor.userId}&limit=1`, { token: auditor.token })).body
        .items[0];
    expect((await list('audit.verification_requested')).details).toEqual({ mode: 'range', from: 4, to: 9 });
    const found = await list('audit.verified');
    expect(found.details).toMatchObject({ mode: 'range', from: 4, to: 9, checked: 5, reason: null });
    const state = await stack.api.get(`${PATH}/verifications/${found.subject.id}`, { token: auditor.token });
    expect(state.body).toMatchObject({ status: 'valid', mode: 'range', from: 4, to: 9, checked: 5, total: 5 });
  });

  it.each([
    ['an empty range', { from: 5, to: 5 }, '/to'],
    ['a range that ends before it begins', { from: 6, to: 5 }, '/to'],
    ['a range of nothing', { to: 0 }, '/to'],
    ['a number below 0', { from: -1 }, '/from'],
    ['a broken number', { from: 1.5 }, '/from'],
    ['a number as text', { to: '5' }, '/to'],
    ['a number beyond all', { to: 2 ** 53 }, '/to'],
    ['nothing for a number', { from: null }, '/from'],
    ['a range that is incremental', { incremental: true, from: 1 }, '/incremental'],
    ['incremental to an end', { incremental: true, to: 9 }, '/incremental'],
    ['incremental as text', { incremental: 'yes' }, '/incremental'],
    ['what it does not know', { since: 5 }, ''],
  ])('refuses %s', async (_, body, place) => {
    const before = await rows(stack.db.fork(), 'select id from audit_verification');
    const answer = await verify(body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(JSON.stringify(answer.body)).toContain(place);
    expect(await rows(stack.db.fork(), 'select id from audit_verification')).toEqual(before);
  });

  it('says what to do in its refusals', async () => {
    expect(JSON.stringify((await verify({ from: 5, to: 5 })).body)).toContain('`to` is exclusive');
    expect(JSON.stringify((await verify({ incremental: true, to: 5 })).body)).toContain('finds its own start');
  });

  it('refuses a range beyond the log: shortened, it would look as if all of it were sound', async () => {
    const size = await sealed();
    for (const body of [{ to: size + 1_000 }, { from: size + 1_000 }, { from: 2, to: size + 1_000 }]) {
      const answer = await verify(body);
      expect(answer).toMatchObject({ status: 422, body: { code: 'range_beyond_log', size: expect.any(Number) } });
      expect(answer.body.detail).toMatch(/^The log has \d+ sealed entries/);
    }
  });

  it.each<[Role, number]>([
    ['customer', 403],
    ['reviewer', 403],
    ['admin', 200],
    ['auditor', 200],
  ])('lets %s verify a part with %i', async (role, status) => {
    const { token } = await stack.people.signedIn(role);
    expect((await verify({ from: 1, to: 2 }, token)).status).toBe(status);
    expect((await verify({ incremental: true }, token)).status).toBe(status);
    expect((await stack.api.post(`${PATH}/verify-chain`, { from: 1, to: 2 })).status).toBe(401);
  });

  it('lets a part be cancelled, which proves nothing', async () => {
    await stack.stopWorker();
    const answer = await verify({ from: 1, to: 9 });
    expect(answer).toMatchObject({ status: 202, body: { mode: 'range', from: 1, to: 9, checked: 0 } });
    const location = answer.headers.get('location') as string;
    const asked = await verify({ incremental: true });
    expect(asked).toMatchObject({ status: 202, body: { mode: 'incremental', from: null, to: null } });
    expect((await stack.api.post(`${location}/cancel`, {}, { token: auditor.token })).status).toBe(202);
    await stack.startWorker();
    await eventually(async () => (await stack.api.get(location, { token: auditor.token })).body.status === 'cancelled');
    const other = asked.headers.get('location') as string;
    await eventually(async () => (await stack.api.get(other, { token: auditor.token })).body.status === 'valid');
  });

  it('by the clock: what is new; of a fault within, one incident with its part', async () => {
    const run = async () => {
      const workflowId = `test-${uuidV7()}`;
      await stack.temporal.workflow.execute('auditVerification', {
        ...{ workflowId, taskQueue: `${stack.config.taskQueuePrefix}-background` },
        args: [{ scope: { mode: 'daily' } }],
      });
      return row<{ status: string; mode: string; from_seq: string }>(
        stack.db.fork(),
        `select status, mode, from_seq from audit_verification where requested_by is null order by requested_at desc limit 1`,
      );
    };
    expect(await run()).toMatchObject({ status: 'valid', mode: 'incremental' });
    const last = (await sealed()) - 1;
    for (const statement of [
      'alter table audit_seal disable trigger user',
      `update audit_seal set leaf_hash = sha256('x') where seq = ${last}`,
      'alter table audit_seal enable trigger user',
    ]) {
      await rows(stack.ownerDb.fork(), statement);
    }
    const found = await run();
    expect(found).toMatchObject({ status: 'invalid', mode: 'incremental' });
    const [event] = await rows<{ details: Record<string, unknown> }>(
      stack.db.fork(),
      `select e.details from incident i join incident_event e on e.incident_id = i.id where i.cause = 'audit_failure'`,
    );
    expect(event?.details).toMatchObject({ mode: 'incremental', from: Number(found?.from_seq), firstInvalidSeq: last });
    expect(await run()).toMatchObject({ status: 'invalid', mode: 'full' });
  });

  it('a checkpoint of a log with a hole opens the incident in its first run', async () => {
    for (const statement of [
      'alter table audit_seal disable trigger user',
      'delete from audit_seal where seq = (select max(seq) - 3 from audit_seal)',
      'alter table audit_seal enable trigger user',
      `update incident set status = 'resolved', resolved_at = now(), resolution = 'seen' where status <> 'resolved'`,
    ]) {
      await rows(stack.ownerDb.fork(), statement);
    }
    const answer = await stack.api.post(`${PATH}/checkpoints`, {}, { token: auditor.token });
    expect(answer).toMatchObject({ status: 200, body: { status: 'refused', name: null, reason: 'log_damaged' } });
    const [incident] = await rows<{ id: string; title: string; severity: string }>(
      stack.db.fork(),
      `select id, title, severity from incident where subject_id = 'audit-checkpoint'`,
    );
    expect(incident).toMatchObject({
      severity: 'critical',
      title: expect.stringMatching(/the seal of entry \d+ is missing/),
    });
    const workflow = stack.temporal.workflow.getHandle(workflowIds.incident(incident?.id ?? ''));
    expect((await workflow.describe()).status.name).toBe('RUNNING');
  });
});

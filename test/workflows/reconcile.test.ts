import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { findTemporalCli } from '../../platform/temporal-cli.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createWorkflowRegistry } from '../../temporal/workflow-registry.ts';
import { taskQueues, workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const exec = promisify(execFile);
let stack: Stack;
let admin: SignedIn;
let cli: string;

beforeAll(async () => {
  cli = (await findTemporalCli()).path;
  stack = await createStack();
  admin = await stack.people.signedIn('admin');
});
afterAll(() => stack?.close());

interface Holder extends SignedIn {
  accountId: string;
  signingKey: IssuedSigningKey;
}

async function holder(): Promise<Holder> {
  const person = await stack.people.signedIn('customer');
  const accountId = uuidV7();
  await stack.ownerDb.transaction(async (tx) => {
    await run(tx, `insert into account (id, user_id, kind, name) values ($1, $2, 'customer', 'test')`, [
      accountId,
      person.userId,
    ]);
    await run(tx, 'insert into account_state (account_id) values ($1)', [accountId]);
  });
  return { ...person, accountId, signingKey: await issueSigningKey(stack.api, person.token) };
}

const order = (person: Holder, body: Record<string, string>) =>
  stack.api.post(
    '/api/transactions',
    { currency: 'USD', ...body },
    { token: person.token, signWith: person.signingKey, headers: { 'Idempotency-Key': uuidV7() } },
  );

/** Ten everyday withdrawals, then one that is unusual in every way: held, with 500.00 reserved. */
async function heldTransaction(): Promise<{ person: Holder; id: string; reviewBy: string }> {
  const person = await holder();
  expect(await order(person, { type: 'deposit', amount: '5000.00' })).toMatchObject({ status: 201 });
  for (let n = 0; n < 10; n += 1) {
    expect(await order(person, { type: 'withdrawal', amount: '10.00', category: 'rent' })).toMatchObject({
      status: 201,
    });
  }
  const held = await order(person, { type: 'withdrawal', amount: '500.00', category: 'gifts' });
  expect(held).toMatchObject({ status: 202, body: { status: 'quarantined' } });
  const { transactionId: id, reviewBy } = held.body;
  await run(
    stack.ownerDb.fork(),
    `update transaction set created_at = created_at - interval '1 minute' where account_id = $1`,
    [person.accountId],
  );
  return { person, id, reviewBy };
}

const temporal = (...args: string[]) =>
  exec(cli, ['workflow', ...args, '--address', inject('servers').temporalAddress, '--namespace', 'default'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
  });
const reconcile = () =>
  stack.temporal.workflow.execute('reconcile', {
    workflowId: `reconcile-${uuidV7()}`,
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
  });
const statusOf = async (person: SignedIn, id: string) =>
  (await stack.api.get(`/api/transactions/${id}`, { token: person.token })).body;
const approve = (id: string) =>
  stack.api.post(
    `/api/admin/security/transactions/${id}/approve`,
    { reason: 'Known to the customer' },
    { token: admin.token },
  );
const describeRun = (id: string) => stack.temporal.workflow.getHandle(workflowIds.transaction(id)).describe();
const cash = (person: Holder) =>
  rows(stack.db.fork(), 'select balance, reserved from account_balance where account_id = $1', [person.accountId]);

describe('the workflow of a held transaction, from the Temporal CLI', () => {
  test('terminated: it gets a new one with the rest of its time, its funds stay reserved, an incident tells', async () => {
    const { person, id, reviewBy } = await heldTransaction();
    await temporal('terminate', '--workflow-id', workflowIds.transaction(id), '--reason', 'a test');
    expect(await reconcile()).toMatchObject({ restarted: 1, failed: 0 });

    expect((await describeRun(id)).status.name).toBe('RUNNING');
    expect(await statusOf(person, id)).toMatchObject({ status: 'quarantined', reviewBy });
    expect(await cash(person)).toEqual([{ balance: '490000', reserved: '50000' }]);
    const { items } = (
      await stack.api.get('/api/admin/security/incidents?status=unresolved&limit=200', { token: admin.token })
    ).body;
    const lost = items.find((item: { cause: string }) => item.cause === 'workflow_lost');
    const { timeline } = (
      await stack.api.get(`/api/admin/security/incidents/${lost.incidentId}`, { token: admin.token })
    ).body;
    expect(timeline).toContainEqual(
      expect.objectContaining({
        details: { workflowId: workflowIds.transaction(id), ending: 'TERMINATED', loss: 1 },
      }),
    );

    expect(await approve(id)).toMatchObject({ status: 200 });
    expect(await statusOf(person, id)).toMatchObject({ status: 'settled' });
    expect(await cash(person)).toEqual([{ balance: '440000', reserved: '0' }]);
    await eventually(async () => (await describeRun(id)).status.name === 'COMPLETED');
  });

  test('terminated twice: the second loss is put right after its pause, and nothing happens twice', async () => {
    const { person, id } = await heldTransaction();
    for (const loss of [1, 2]) {
      await temporal('terminate', '--workflow-id', workflowIds.transaction(id), '--reason', 'a test');
      if (loss === 2) {
        expect(await reconcile()).toMatchObject({ restarted: 0 });
        await run(stack.ownerDb.fork(), `update lost_workflow set last_at = last_at - interval '1 hour'`);
      }
      expect(await reconcile()).toMatchObject({ restarted: 1 });
    }
    expect(await approve(id)).toMatchObject({ status: 200 });
    expect(await cash(person)).toEqual([{ balance: '440000', reserved: '0' }]);
    expect(await rows(stack.db.fork(), 'select leg from posting where transaction_id = $1', [id])).toHaveLength(1);
  });

  test('a verdict recorded while no workflow ran counts', async () => {
    const { person, id } = await heldTransaction();
    await temporal('terminate', '--workflow-id', workflowIds.transaction(id), '--reason', 'a test');
    const asked = approve(id);
    await eventually(
      async () =>
        (await rows(stack.db.fork(), 'select 1 from review_verdict where transaction_id = $1', [id])).length === 1,
    );
    expect(await reconcile()).toMatchObject({ restarted: 1 });
    expect(await asked).toMatchObject({ status: 200 });
    expect(await statusOf(person, id)).toMatchObject({ status: 'settled' });
  });

  test('cancelled: the transaction is rejected and its funds are released', async () => {
    const { person, id } = await heldTransaction();
    await temporal('cancel', '--workflow-id', workflowIds.transaction(id));
    await eventually(async () => (await statusOf(person, id)).status === 'rejected');
    expect(await statusOf(person, id)).toMatchObject({ code: 'cancelled' });
    expect(await cash(person)).toEqual([{ balance: '490000', reserved: '0' }]);
    expect(await reconcile()).toMatchObject({ restarted: 0 });
  });

  test('reset to its first task: it comes to the same hold, and one approval settles it once', async () => {
    const { person, id, reviewBy } = await heldTransaction();
    const before = (await describeRun(id)).runId;
    await temporal(
      'reset',
      '--workflow-id',
      workflowIds.transaction(id),
      '--type',
      'FirstWorkflowTask',
      '--reason',
      'a test',
    );
    expect((await describeRun(id)).runId).not.toBe(before);
    expect(await statusOf(person, id)).toMatchObject({ status: 'quarantined', reviewBy });
    expect(await cash(person)).toEqual([{ balance: '490000', reserved: '50000' }]);
    expect(await approve(id)).toMatchObject({ status: 200 });
    expect(await cash(person)).toEqual([{ balance: '440000', reserved: '0' }]);
    await eventually(async () => (await describeRun(id)).status.name === 'COMPLETED');
  });
});

describe('a round', () => {
  test('leaves what runs and what is young alone', async () => {
    const { id } = await heldTransaction();
    const { runId } = await describeRun(id);
    expect(await reconcile()).toMatchObject({ restarted: 0, failed: 0 });
    expect((await describeRun(id)).runId).toBe(runId);
    // Also when the list of running workflows lags behind: this is what decides.
    const queues = taskQueues(stack.config.taskQueuePrefix);
    const registry = createWorkflowRegistry({ temporal: { client: stack.temporal }, queues });
    expect(await registry.endOf(workflowIds.transaction(id))).toBeNull();
    expect(await registry.endOf(workflowIds.transaction(uuidV7()))).toBe('NOT_FOUND');
  });

  test('puts the others right when one row fails', async () => {
    const [broken, whole] = [await heldTransaction(), await heldTransaction()];
    for (const { id } of [broken, whole]) {
      await temporal('terminate', '--workflow-id', workflowIds.transaction(id), '--reason', 'a test');
    }
    // The database refuses one of the two losses; a utility statement takes no parameters.
    const refused = workflowIds.transaction(broken.id);
    await run(
      stack.ownerDb.fork(),
      `alter table lost_workflow add constraint test_refuses check (workflow_id <> '${refused}')`,
    );
    expect(await reconcile()).toMatchObject({ restarted: 1, failed: 1 });
    expect((await describeRun(whole.id)).status.name).toBe('RUNNING');
    await run(stack.ownerDb.fork(), 'alter table lost_workflow drop constraint test_refuses');
    expect(await reconcile()).toMatchObject({ restarted: 1, failed: 0 });
  });

  test('gives an incident of the API its first workflow, which is no loss, and its staff are told', async () => {
    const incidentId = uuidV7();
    await run(
      stack.ownerDb.fork(),
      `insert into incident (id, cause, subject_kind, subject_id, severity, status, title, opened_at)
       values ($1, 'quarantine', 'transaction', $2, 'medium', 'open', 'Lost', clock_timestamp() - interval '1 minute')`,
      [incidentId, uuidV7()],
    );
    await reconcile();
    await eventually(() => stack.mail.to(admin.email).some((mail) => mail.text.includes(incidentId)));
    const lost = await rows(stack.ownerDb.fork(), 'select 1 from lost_workflow where workflow_id = $1', [
      workflowIds.incident(incidentId),
    ]);
    expect(lost).toEqual([]);
  });

  test('ends a lockout and a login whose workflows are gone', async () => {
    const [lockoutId, loginId] = [uuidV7(), uuidV7()];
    await run(stack.ownerDb.fork(), `insert into login_subject (subject) values ('\\x01')`);
    await run(
      stack.ownerDb.fork(),
      `insert into lockout (id, subject, started_at, locked_until)
       values ($1, '\\x01', clock_timestamp() - interval '20 minutes', clock_timestamp() - interval '5 minutes')`,
      [lockoutId],
    );
    await run(
      stack.ownerDb.fork(),
      `insert into login (id, attempt_id, subject, status, channel, device, device_signature, started_at, verdict_deadline)
       values ($1, $1, '\\x01', 'step_up_required', 'bearer', '{}', '\\x00', clock_timestamp() - interval '1 minute', clock_timestamp())`,
      [loginId],
    );
    await reconcile();
    expect(await rows(stack.db.fork(), 'select status from login where id = $1', [loginId])).toEqual([
      { status: 'expired' },
    ]);
    await eventually(
      async () =>
        (await rows(stack.db.fork(), 'select 1 from lockout where id = $1 and unlocked_at is not null', [lockoutId]))
          .length,
    );
  });
});

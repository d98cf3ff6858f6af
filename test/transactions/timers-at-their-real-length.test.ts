import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createIncidentActivities } from '../../activities/incident.ts';
import { createOutbox } from '../../db/outbox.ts';
import { recordVerdict } from '../../db/reviews.ts';
import { lockTransaction } from '../../db/transactions.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { type TransactionInput, transactionReview, workflowIds } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { startTimeSkippingServer } from '../helpers/time-skipping.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';
import { transactionActivities, transactionInput } from '../helpers/transaction-activities.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const QUEUES = { decisions: 'timers-decisions', background: 'timers-background' };

/**
 * The server skips time while only a timer is awaited; PostgreSQL keeps the real one. So a hold of 24 hours passes in a
 * second, and a verdict is "late" here when its row was moved behind the deadline.
 */
describe('timers of a transaction at their real length', () => {
  let env: TestWorkflowEnvironment;
  let stack: Stack;
  let trading: Trading;
  let workflowBundle: WorkflowBundleWithSourceMap;
  let workers: Worker[];
  let working: Promise<unknown>;

  beforeAll(async () => {
    stack = await createStack({ worker: false });
    trading = createTrading(stack);
    workflowBundle = await bundleWorkflows();
  }, 180_000);
  afterAll(() => stack?.close());

  // A server for each test: one that has skipped a day is a day ahead of the database, and every new hold is over at once.
  beforeEach(async () => {
    env = await startTimeSkippingServer();
    const shared = { connection: env.nativeConnection, workflowBundle, dataConverter };
    const incidents = createIncidentActivities({
      db: stack.db,
      audit: stack.audit,
      outbox: createOutbox({ keyring: stack.keyring }),
      publicOrigin: stack.config.publicOrigin,
    } as ActivityDeps);
    // Incidents need their worker: no time is skipped while a task lies unclaimed.
    workers = await Promise.all([
      Worker.create({ ...shared, taskQueue: QUEUES.decisions, activities: transactionActivities(stack, stack.db) }),
      Worker.create({ ...shared, taskQueue: QUEUES.background, activities: incidents }),
    ]);
    working = Promise.all(workers.map((worker) => worker.run()));
  });
  afterEach(async () => {
    for (const worker of workers) worker.shutdown();
    await working;
    await env.teardown();
  });

  async function start(input: TransactionInput) {
    const { transactionId } = input.request;
    const handle = await env.client.workflow.start('transaction', {
      workflowId: workflowIds.transaction(transactionId),
      taskQueue: QUEUES.decisions,
      args: [input],
    });
    return { id: transactionId, handle, startedAt: await env.currentTimeMs() };
  }

  /** Withdraws what all three rules object to. */
  async function hold(trader: Trader, amount = '50000') {
    await trading.past(trader, { count: 10 });
    const held = await start(transactionInput(trader, { amount, category: 'jewellery' }, QUEUES));
    await expect.poll(() => trading.stored(held.id).then((row) => row.status)).toBe('quarantined');
    return held;
  }

  /** A reviewer's verdict as the API writes it, without its signal. */
  async function record(id: string, verdict: 'approve' | 'reject'): Promise<string> {
    const reviewer = await stack.people.signedIn('reviewer');
    return stack.db.transaction(async (tx) => {
      const row = await lockTransaction(tx, id);
      if (row === undefined) throw new Error('no such transaction');
      const given = { id: uuidV7(), reviewerId: reviewer.userId, verdict, reason: 'seen', source: 'api' } as const;
      const recorded = await recordVerdict(tx, row, given);
      if (recorded.refused !== null) throw new Error(recorded.refused);
      return recorded.verdictId;
    });
  }

  const waited = async (startedAt: number) => (await env.currentTimeMs()) - startedAt;

  it('[P5] a hold ends rejected after 24 hours, not before', async () => {
    const trader = await trading.trader('1000.00');
    const { id, handle, startedAt } = await hold(trader);
    await env.sleep(23 * HOUR);
    expect((await trading.stored(id)).status).toBe('quarantined');
    expect(await handle.result()).toMatchObject({ view: { status: 'rejected', code: 'review_expired' } });
    expect(await waited(startedAt)).toBeGreaterThanOrEqual(24 * HOUR);
    expect(await waited(startedAt)).toBeLessThan(24 * HOUR + MINUTE);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '1000.00', reserved: '0.00' });
  });

  it('a verdict recorded in time counts, though its signal never came and the worker wakes after the deadline', async () => {
    const trader = await trading.trader('1000.00');
    const { id, handle, startedAt } = await hold(trader);
    await env.sleep(HOUR);
    await record(id, 'approve');
    expect(await handle.result()).toMatchObject({ view: { status: 'settled' } });
    expect(await waited(startedAt)).toBeGreaterThanOrEqual(24 * HOUR);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '500.00', reserved: '0.00' });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('a verdict recorded after the deadline does not count, whether or not its signal arrives', async () => {
    const trader = await trading.trader('1000.00');
    const { id, handle } = await hold(trader);
    const verdictId = await record(id, 'approve');
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(
        `update review_verdict v set recorded_at = t.review_by + interval '1 microsecond'
           from transaction t where t.id = v.transaction_id and v.id = '${verdictId}'`,
      );
    await env.sleep(23 * HOUR);
    await handle.signal(transactionReview, { verdictId });
    await env.sleep(MINUTE);
    expect((await trading.stored(id)).status).toBe('quarantined');
    expect(await handle.result()).toMatchObject({ view: { status: 'rejected', code: 'review_expired' } });
  });

  it('a signal with its verdict ends the hold at once', async () => {
    const trader = await trading.trader('1000.00');
    const { id, handle, startedAt } = await hold(trader);
    await env.sleep(5 * HOUR);
    await handle.signal(transactionReview, { verdictId: await record(id, 'reject') });
    expect(await handle.result()).toMatchObject({ view: { status: 'rejected', code: 'review_rejected' } });
    expect(await waited(startedAt)).toBeLessThan(6 * HOUR);
  });

  it('a step-up ends rejected after 15 minutes, not before', async () => {
    const trader = await trading.trader('90000.00');
    const { id, handle, startedAt } = await start(transactionInput(trader, { amount: '1000001' }, QUEUES));
    await env.sleep(14 * MINUTE);
    expect((await trading.stored(id)).status).toBe('step_up_required');
    expect(await handle.result()).toMatchObject({ view: { status: 'rejected', code: 'step_up_expired' } });
    expect(await waited(startedAt)).toBeGreaterThanOrEqual(15 * MINUTE);
    expect(await waited(startedAt)).toBeLessThan(16 * MINUTE);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ reserved: '0.00' });
  });

  it('24 hours count from the start of the hold, after the step-up', async () => {
    const trader = await trading.trader('90000.00');
    await trading.past(trader, { count: 10 });
    const input = transactionInput(trader, { amount: '2000000', category: 'jewellery' }, QUEUES);
    const { id, handle } = await start(input);
    await expect.poll(() => trading.stored(id).then((row) => row.status)).toBe('step_up_required');
    const confirmed = await passFactor(id, trader);
    expect(await handle.executeUpdate('submitFactor', { args: [confirmed] })).toMatchObject({
      kind: 'state',
      body: { status: 'quarantined' },
    });
    const heldAt = await env.currentTimeMs();
    expect(await handle.result()).toMatchObject({ view: { code: 'review_expired' } });
    expect(await waited(heldAt)).toBeGreaterThan(24 * HOUR - MINUTE);
  });

  /** A factor attempt as the API records it. */
  async function passFactor(id: string, trader: Trader): Promise<string> {
    const attemptId = uuidV7();
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(
        `insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed)
         values ('${attemptId}', 'transaction', '${id}', '${trader.userId}', 'totp', true)`,
      );
    return attemptId;
  }
});

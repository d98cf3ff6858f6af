import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createIncidentActivities } from '../../activities/incident.ts';
import { createOutbox } from '../../db/outbox.ts';
import { endClaim, takeClaim } from '../../db/review-claims.ts';
import { recordVerdict } from '../../db/reviews.ts';
import { rows } from '../../db/sql.ts';
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

  /** Reminders so far: share of the time, and to whom. */
  async function reminders(id: string): Promise<{ key: string; to: string }[]> {
    const found = await rows<{ key: string; to: string }>(
      stack.db.fork(),
      `select key, recipient as to from outbox_mail where template = 'review.reminder' and key like $1 order by created_at, id`,
      [`transaction:${id}:%`],
    );
    return found.map(({ key, to }) => ({ key: key.split(':').slice(2, 5).join(':'), to }));
  }
  const shares = async (id: string) => [...new Set((await reminders(id)).map(({ key }) => key))];

  it('all reviewers are reminded at half and at nine tenths of a hold, once each, and its incident says so', async () => {
    const trader = await trading.trader('1000.00');
    const [one, two] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('admin')];
    const { id, handle, startedAt } = await hold(trader);
    await env.sleep(11 * HOUR);
    expect(await shares(id)).toEqual([]);
    await env.sleep(HOUR + MINUTE);
    // The activity that was due may still be under way when the time is over.
    await expect.poll(() => shares(id)).toEqual(['review-reminder:1:50']);
    await env.sleep(9 * HOUR);
    expect(await shares(id)).toEqual(['review-reminder:1:50']);
    await env.sleep(HOUR);
    await expect.poll(() => shares(id)).toEqual(['review-reminder:1:50', 'review-reminder:1:90']);
    expect(await handle.result()).toMatchObject({ view: { code: 'review_expired' } });
    expect(await waited(startedAt)).toBeLessThan(24 * HOUR + MINUTE);

    const sent = await reminders(id);
    for (const { email } of [one, two]) expect(sent.filter(({ to }) => to === email)).toHaveLength(2);
    expect(sent.some(({ to }) => to === trader.email)).toBe(false);
    const noted = await rows<{ share: string }>(
      stack.db.fork(),
      `select e.details ->> 'reminder' as share from incident_event e join incident i on i.id = e.incident_id
        where i.subject_id = $1 and i.cause = 'quarantine' and e.details ? 'reminder' order by e.id`,
      [id],
    );
    expect(noted).toEqual([{ share: '50' }, { share: '90' }]);
  });

  it('who has claimed it is reminded alone; a decided one reminds of nothing more', async () => {
    const trader = await trading.trader('1000.00');
    const reviewer = await stack.people.signedIn('reviewer');
    const { id, handle } = await hold(trader);
    await stack.db.transaction((tx) =>
      takeClaim(tx, { transactionId: id, reviewerId: reviewer.userId, ttlMs: 24 * HOUR }),
    );
    await env.sleep(13 * HOUR);
    // The activity that was due may still be under way when the time is over.
    await expect.poll(() => reminders(id)).toEqual([{ key: 'review-reminder:1:50', to: reviewer.email }]);
    await stack.db.transaction((tx) => endClaim(tx, id));
    await handle.signal(transactionReview, { verdictId: await record(id, 'reject') });
    await handle.result();
    expect(await shares(id)).toEqual(['review-reminder:1:50']);
  });

  it('a reminder that was sent is not sent again by the run that takes the place of a lost one', async () => {
    const trader = await trading.trader('1000.00');
    const { id, handle } = await hold(trader);
    await env.sleep(13 * HOUR);
    await expect.poll(async () => (await reminders(id)).length).toBeGreaterThan(0);
    const before = await reminders(id);
    await handle.terminate();
    const input = transactionInput(trader, { transactionId: id, amount: '50000', category: 'jewellery' }, QUEUES);
    const again = await env.client.workflow.start('transaction', {
      workflowId: workflowIds.transaction(id),
      taskQueue: QUEUES.decisions,
      args: [{ ...input, resume: { sequence: 1, hold: 1 } }],
    });
    await env.sleep(HOUR);
    expect(await reminders(id)).toEqual(before);
    expect(await again.result()).toMatchObject({ view: { code: 'review_expired' } });
    expect(await shares(id)).toEqual(['review-reminder:1:50', 'review-reminder:1:90']);
  });

  it('an imported transaction reminds nobody', async () => {
    const trader = await trading.trader('1000.00');
    await trading.past(trader, { count: 10 });
    const at = new Date(Date.now() + 1000).toISOString().replace('Z', '000Z');
    const input = transactionInput(trader, { amount: '50000', category: 'jewellery' }, QUEUES);
    const { id, handle } = await start({ ...input, virtual: { at, outsideFeatures: false } });
    await expect.poll(() => trading.stored(id).then((row) => row.status)).toBe('quarantined');
    expect(await handle.result()).toMatchObject({ view: { code: 'review_expired' } });
    expect(await reminders(id)).toEqual([]);
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
    const confirmed = await passFactor(id);
    expect(await handle.executeUpdate('submitFactor', { args: [confirmed] })).toMatchObject({
      kind: 'state',
      body: { status: 'quarantined' },
    });
    const heldAt = await env.currentTimeMs();
    expect(await handle.result()).toMatchObject({ view: { code: 'review_expired' } });
    expect(await waited(heldAt)).toBeGreaterThan(24 * HOUR - MINUTE);
  });

  /** A factor attempt as the API records it. */
  async function passFactor(id: string): Promise<string> {
    const attemptId = uuidV7();
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(
        `insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed, challenge_hash)
         select '${attemptId}', 'transaction', id, user_id, 'totp', true, challenge_hash from transaction where id = '${id}'`,
      );
    return attemptId;
  }
});

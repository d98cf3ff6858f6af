import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foldLabel } from '../../db/label-features.ts';
import { rows, run } from '../../db/sql.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

let stack: Stack;
let rules: RuleSets;
let trading: Trading;
let admin: SignedIn;
let version: string;

beforeAll(async () => {
  stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', SHUTDOWN_TIMEOUT: '1500ms' } });
  rules = createRuleSets(stack);
  trading = createTrading(stack);
  admin = await stack.people.signedIn('admin');
  version = await rules.save(
    admin,
    documentOf({
      rules: [
        { ...HOLDS_ALL, id: 'risky', when: 'category == "risky"' },
        { ...HOLDS_ALL, id: 'often', when: 'count_1h > 3.0', points: 10 },
        { id: 'usual', title: 'Above the mean', of: 'amount_to_mean_90d', bands: [{ above: 2, points: 5 }] },
      ],
    }),
  );
});
afterAll(() => stack?.close());

const period = () => ({
  from: new Date(Date.now() - 86_400_000).toISOString(),
  to: new Date(Date.now() + 1_000).toISOString(),
});
const backtestOf = async (id: string) => (await rules.get(admin, `/${version}/backtests/${id}`)).body;
const ended = (id: string) =>
  eventually(
    async () => {
      const found = await backtestOf(id);
      return found.finishedAt === null ? undefined : found;
    },
    { what: 'the end of the back-test', timeoutMs: 40_000 },
  );

describe('a back-test over the database', () => {
  it('judges what was decided, with the features it was decided by, beside the live version', async () => {
    const trader = await trading.trader();
    const ids: string[] = [];
    for (const [amount, category] of [
      ['10.00', 'food'],
      ['12.00', 'risky'],
      ['50.00', 'food'],
      ['11.00', 'risky'],
      ['9.00', 'food'],
    ] as const) {
      ids.push((await trader.withdraw(amount, { category })).body.transactionId);
    }
    // Held by the live version's three rules.
    const heldLive = await trading.held(await trading.trader());
    expect((await (await trading.trader('5.00')).withdraw('100.00', { category: 'risky' })).status).toBe(422);
    const label = (id: string, isFraud: boolean) =>
      stack.db.transaction((tx) => foldLabel(tx, { transactionId: id, isFraud }));
    await label(ids[1] as string, true);
    await label(ids[2] as string, true);

    const started = await rules.post(admin, `/${version}/backtests`, period());
    expect(started.status).toBe(202);
    const place = started.headers.get('location') ?? '';
    expect(place).toBe(`/api/admin/security/rule-sets/${version}/backtests/${started.body.backtestId}`);
    const done = await ended(started.body.backtestId);
    expect((await stack.api.get(place, { token: admin.token })).body).toEqual(done);
    expect(done).toMatchObject({
      status: 'succeeded',
      version,
      rowsDone: expect.any(Number),
      requestedBy: admin.userId,
      // The one that funds rejected is in the past of its account and was never anybody's to hold.
      result: {
        rows: 6,
        held: 2,
        forecast: { share: 2 / 6, perHour: { p50: 0, max: expect.any(Number) } },
        rules: [
          { ruleId: 'risky', fired: 2 },
          // The fourth and fifth of the trader, and the one with ten before it.
          { ruleId: 'often', fired: 3 },
          { ruleId: 'usual', fired: 2 },
        ],
        against: { version: 'v1', held: 1, newlyHeld: 2, newlyReleased: 1 },
        labels: { fraud: 2, clean: 0, unknown: 4 },
        quality: { precision: 1, recall: 0.5, auc: null },
      },
    });
    expect(done.result.forecast.perHour.mean).toBeCloseTo(2 / 25, 1);
    // How often each score was given: the two that are risky have 0.75 or more, and one of them is a known fraud.
    const { scores, against } = done.result;
    const sum = (counts: number[], from = 0) => counts.slice(from).reduce((total, n) => total + n, 0);
    expect([sum(scores.fraud), sum(scores.clean), sum(scores.unknown)]).toEqual([2, 0, 4]);
    expect([sum(scores.fraud, 71), sum(scores.unknown, 71)]).toEqual([1, 1]);
    expect(sum(against.scores.fraud)).toBe(2);
    expect((await trading.stored(heldLive)).action).toBe('quarantine');

    // Folded anew where a decision did not store them, the features come to the same.
    const stored = await rows<{ id: string; features: object }>(
      stack.db.fork(),
      'select id, features from transaction where account_id = $1',
      [trader.accountId],
    );
    await run(stack.ownerDb.fork(), `update transaction set features = '{"v": 1}' where account_id = $1`, [
      trader.accountId,
    ]);
    const again = await rules.post(admin, `/${version}/backtests`, period());
    expect((await ended(again.body.backtestId)).result).toEqual(done.result);
    for (const { id, features } of stored) {
      await run(stack.ownerDb.fork(), 'update transaction set features = $2::jsonb where id = $1', [
        id,
        JSON.stringify(features),
      ]);
    }

    const listed = await rules.get(admin, `/${version}/backtests?limit=1`);
    expect(listed.body.items).toMatchObject([{ backtestId: again.body.backtestId }]);
    const older = await rules.get(admin, `/${version}/backtests?limit=1&cursor=${listed.body.nextCursor}`);
    expect(older.body.items).toMatchObject([{ backtestId: started.body.backtestId }]);
    // A report is final.
    await expect(
      run(stack.ownerDb.fork(), `update backtest_report set result = '{}' where id = $1`, [done.backtestId]),
    ).rejects.toThrow(/final/);
  });

  it('refuses periods that are none, unknown versions and whoever may not', async () => {
    const post = (body: object, who = admin, of = version) => rules.post(who, `/${of}/backtests`, body);
    expect((await post({ from: period().to, to: period().from })).status).toBe(400);
    expect((await post({ from: '2020-01-01T00:00:00Z', to: '2024-01-01T00:00:00Z' })).status).toBe(400);
    expect((await post({ from: 'yesterday', to: 'today' })).status).toBe(400);
    expect((await post(period(), admin, 'nothing')).status).toBe(404);
    expect((await post(period(), await stack.people.signedIn('reviewer'))).status).toBe(403);
  });
});

describe('a long back-test', () => {
  const MANY = 12_000;
  beforeAll(async () => {
    // Of one account, a second apart, two days ago.
    for (let from = 1; from <= MANY; from += 2_000) {
      await run(
        stack.ownerDb.fork(),
        `insert into transaction
         select (jsonb_populate_record(s.x, jsonb_build_object('id', gen_random_uuid(), 'created_at', at, 't', at))).*
           from (select x from transaction x where action = 'settle' and status = 'settled' limit 1) s,
                (select clock_timestamp() - interval '2 days' + n * interval '1 second' as at
                   from generate_series($1::integer, $1 + 1999) n) times`,
        [from],
      );
    }
  });
  const longPeriod = () => ({
    from: new Date(Date.now() - 3 * 86_400_000).toISOString(),
    to: new Date().toISOString(),
  });
  const begun = (id: string) =>
    eventually(async () => ((await backtestOf(id)).rowsDone > 0 ? true : undefined), {
      what: 'progress',
      everyMs: 10,
    });

  it('shows its progress and stops when it is cancelled', async () => {
    const { body } = await rules.post(admin, `/${version}/backtests`, longPeriod());
    await begun(body.backtestId);
    const cancelled = await rules.post(admin, `/${version}/backtests/${body.backtestId}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    const done = await ended(body.backtestId);
    expect(done).toMatchObject({ status: 'cancelled', result: null });
    expect(done.rowsTotal).toBeGreaterThan(MANY);
    expect((await rules.post(admin, `/${version}/backtests/${body.backtestId}/cancel`)).body.code).toBe(
      'not_cancellable',
    );
    const traces = await rows<{ action: string }>(
      stack.db.fork(),
      'select action from audit_entry where subject = $1 order by at, id',
      [body.backtestId],
    );
    expect(traces.map(({ action }) => action)).toEqual(['backtest.requested', 'backtest.cancelled']);
    // Its workflow ends as well, and changes nothing any more.
    const workflow = stack.temporal.workflow.getHandle(`backtest:${body.backtestId}`);
    await workflow.result().catch(() => {});
    expect(await backtestOf(body.backtestId)).toMatchObject({ status: 'cancelled', result: null });
  });

  it('survives its worker: the next one makes the same report', async () => {
    const { body } = await rules.post(admin, `/${version}/backtests`, longPeriod());
    await begun(body.backtestId);
    await stack.stopWorker();
    expect(await backtestOf(body.backtestId)).toMatchObject({ status: 'running', finishedAt: null });
    await stack.startWorker();
    expect(await ended(body.backtestId)).toMatchObject({ status: 'succeeded', result: { rows: MANY + 6 } });
  });
});

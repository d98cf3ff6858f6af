import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foldLabel } from '../../db/label-features.ts';
import { readPopulation, renewPopulation } from '../../db/population.ts';
import { oneRow, row, run } from '../../db/sql.ts';
import { bucketOf } from '../../domain/risk/amount-histogram.ts';
import type { CounterpartyState } from '../../domain/risk/counterparty-state.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const DAY_MS = 86_400_000;

describe('what is known of a counterparty', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  const stateOf = async (counterparty: string): Promise<CounterpartyState | undefined> =>
    (
      await row<{ state: CounterpartyState }>(
        stack.db.fork(),
        'select state from counterparty_state where counterparty = $1 and not imported',
        [counterparty],
      )
    )?.state;
  const label = (transactionId: string, isFraud: boolean) =>
    stack.db.transaction((tx) => foldLabel(tx, { transactionId, isFraud }));
  const featuresOf = async (id: string) => (await trading.stored(id)).features as Record<string, number>;

  it('counts every payment of every account once, however many come at the same moment', async () => {
    const traders = await Promise.all([trading.trader(), trading.trader(), trading.trader(), trading.trader()]);
    const answers = await Promise.all(
      traders.flatMap((trader) => [1, 2, 3, 4, 5].map((n) => trader.withdraw(`${n}.00`, { counterparty: 'SHOP-1' }))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const state = await stateOf('SHOP-1');
    expect(state?.total).toBe(20);
    expect(state?.days.reduce((sum, { payments }) => sum + payments, 0)).toBe(20);
    const seen = await Promise.all(
      answers.map(async ({ body }) => (await featuresOf(body.transactionId)).counterparty_payments),
    );
    expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('weighs on the next payment as soon as a fraud is confirmed, once, and no longer when that was a mistake', async () => {
    const [first, second, third] = [await trading.trader(), await trading.trader(), await trading.trader()];
    const frauds = [
      (await first.withdraw('10.00', { counterparty: 'MULE-1' })).body.transactionId,
      (await second.withdraw('11.00', { counterparty: 'MULE-1' })).body.transactionId,
    ];
    const runFrauds = async () =>
      (await featuresOf((await third.withdraw('5.00', { counterparty: 'MULE-1' })).body.transactionId))
        .counterparty_run_frauds;
    expect(await runFrauds()).toBe(0);
    for (const id of frauds) await label(id, true);
    await label(frauds[0], true);
    expect(await runFrauds()).toBe(2);
    await label(frauds[1], false);
    expect(await runFrauds()).toBe(1);
    await label(frauds[1], false);
    await label(frauds[0], false);
    expect(await runFrauds()).toBe(0);
  });

  it('says less where the account was what had been taken over', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 10, amount: '10.00', secondsApart: 7200 });
    const large = (await trader.withdraw('400.00', { counterparty: 'SHOP-2' })).body.transactionId;
    await label(large, true);
    const next = await trader.withdraw('1.00', { counterparty: 'SHOP-2' });
    expect(await featuresOf(next.body.transactionId)).toMatchObject({
      counterparty_run_frauds: 0,
      counterparty_frauds_30d: 0,
      counterparty_risk_30d: 0.25 / 3,
      account_frauds_30d: 1,
      large_7d: 1,
    });
  });

  it('labels and payments at the same moment lose nothing and never wait for each other in a circle', async () => {
    const traders = await Promise.all([trading.trader(), trading.trader(), trading.trader()]);
    const paid = await Promise.all(
      traders.flatMap((trader) => [1, 2, 3].map(() => trader.withdraw('3.00', { counterparty: 'MULE-2' }))),
    );
    await Promise.all([
      ...paid.map(({ body }) => label(body.transactionId, true)),
      ...paid.map(({ body }) => label(body.transactionId, true)),
      ...traders.map((trader) => trader.withdraw('4.00', { counterparty: 'MULE-2' })),
    ]);
    const state = await stateOf('MULE-2');
    expect(state?.total).toBe(12);
    expect(state?.days.reduce((sum, { frauds, own }) => sum + frauds + own, 0)).toBe(9);
  });

  it('is judged by a version in the shadow beside the live one, without effect', async () => {
    await run(stack.db.fork(), `update rule_set set status = 'shadow' where version = 'v3'`);
    try {
      const trader = await trading.trader();
      await trading.past(trader, { count: 10, amount: '10.00', secondsApart: 7200 });
      const answer = await trader.withdraw('60.00', { counterparty: 'SHOP-3', category: 'groceries' });
      expect(answer.status).toBe(201);
      const stored = await trading.stored(answer.body.transactionId);
      expect(stored.rule_set_version).toBe('v1');
      expect(stored.shadows).toEqual([expect.objectContaining({ version: 'v3', score: 100, action: 'quarantine' })]);
      expect(stored.shadows?.[0]?.points).toMatchObject({ amount_to_own_mean: 85 });
    } finally {
      await run(stack.db.fork(), `update rule_set set status = 'draft' where version = 'v3'`);
    }
  });

  it('decides where that version is live, and says up to which amount it would not have held', async () => {
    await stack.db.transaction(async (tx) => {
      await run(tx, `update rule_set set status = 'retired' where version = 'v1'`);
      await run(tx, `update rule_set set status = 'live' where version = 'v3'`);
    });
    try {
      const trader = await trading.trader();
      await trading.past(trader, { count: 10, amount: '10.00', secondsApart: 7200 });
      const answer = await trader.withdraw('60.00', { counterparty: 'SHOP-4', category: 'groceries' });
      expect(answer.body.status).toBe('quarantined');
      expect(await trading.stored(answer.body.transactionId)).toMatchObject({
        rule_set_version: 'v3',
        score: 100,
        counterfactual: { notHeldUpTo: '30.00' },
      });
      expect(JSON.stringify(answer.body)).not.toMatch(/score|reason|30\.00/);
    } finally {
      await stack.db.transaction(async (tx) => {
        await run(tx, `update rule_set set status = 'draft' where version = 'v3'`);
        await run(tx, `update rule_set set status = 'live' where version = 'v1'`);
      });
    }
  });

  it('lets nothing through unasked where the live version cannot be read', async () => {
    const broken = JSON.stringify({
      format: 'tradeguard-rules/1',
      title: '',
      description: '',
      thresholds: {},
      rules: [{ id: 'x', title: 'x', when: 'gone > 1.0', points: 1 }],
    });
    await stack.db.transaction(async (tx) => {
      await run(tx, `update rule_set set status = 'retired' where version = 'v1'`);
      await run(
        tx,
        `insert into rule_set (version, document, sha256, status, origin) values ('broken', $1::json, sha256(convert_to($1::text, 'UTF8')), 'live', 'created')`,
        [broken],
      );
    });
    try {
      const trader = await trading.trader();
      const answer = await trader.withdraw('5.00');
      expect(answer.body.status).toBe('step_up_required');
      const stored = await trading.stored(answer.body.transactionId);
      expect(stored.reasons.at(-1)).toMatchObject({ ruleId: 'rule_set', note: 'error' });
      expect(stored.rule_set_version).toBe('broken');
    } finally {
      await stack.db.transaction(async (tx) => {
        await run(tx, `update rule_set set status = 'retired' where version = 'broken'`);
        await run(tx, `update rule_set set status = 'live' where version = 'v1'`);
      });
    }
  });

  it('[P4] asks for a step-up when orders to one counterparty are split to stay below it', async () => {
    const trader = await trading.trader();
    const to = (counterparty: string) => trader.withdraw('9999.00', { counterparty });
    expect((await to('PAYEE-1')).status).toBe(201);
    expect((await to('PAYEE-2')).status).toBe(201);
    const second = await to('PAYEE-1');
    expect(second.body.status).toBe('step_up_required');
    expect(await featuresOf(second.body.transactionId)).toMatchObject({ split_count_24h: 2, split_sum_24h: 19_998 });
    // What is asked about is not counted again: whoever confirms it has confirmed it.
    const third = await to('PAYEE-1');
    expect(await featuresOf(third.body.transactionId)).toMatchObject({ split_count_24h: 2 });
    expect((await trader.ask({ type: 'deposit', amount: '9999.00', currency: 'USD' })).status).toBe(201);
    expect((await trader.ask({ type: 'deposit', amount: '9999.00', currency: 'USD' })).status).toBe(201);
  });

  it('knows how the person came in: a fresh device, and the login', async () => {
    const trader = await trading.trader();
    const answer = await trader.withdraw('5.00');
    const features = await featuresOf(answer.body.transactionId);
    expect(features).toMatchObject({ first_out_since_access_change: true });
    expect(features.hours_since_access_change).toBeLessThan(1);
    const again = await trader.withdraw('5.00');
    expect(await featuresOf(again.body.transactionId)).toMatchObject({ first_out_since_access_change: false });
  });

  it('and what is usual for all is made once a day, of what nobody reported', async () => {
    const trader = await trading.trader();
    const ids: string[] = [];
    for (const amount of ['12.34', '56.78', '99.99']) ids.push((await trader.withdraw(amount)).body.transactionId);
    await label(ids[2] as string, true);
    // Ten days pass: for these three payments.
    await run(stack.db.fork(), `update transaction set t = t - interval '10 days' where id = any($1::uuid[])`, [ids]);
    const [one, other] = await Promise.all([
      stack.db.transaction(renewPopulation),
      stack.db.transaction(renewPopulation),
    ]);
    expect(one.day).toBe(other.day);
    expect(one.day).toBe(Math.floor(Date.now() / DAY_MS));
    expect([one.added, other.added].toSorted()).toEqual([0, 2]);
    const { state } = await readPopulation(stack.db.fork());
    expect(state.clean).toEqual({
      withdrawal: [
        [bucketOf(1234n, 3), 1],
        [bucketOf(5678n, 3), 1],
      ],
    });
    const next = await trader.withdraw('56.78');
    expect(await featuresOf(next.body.transactionId)).toMatchObject({
      population_clean: 2,
      population_share_above: 0.5,
    });
    const { n } = await oneRow<{ n: string }>(stack.db.fork(), 'select count(*) as n from risk_population');
    expect(n).toBe('1');
  });

  it('a rule set is never edited', async () => {
    for (const change of [`document = '{}'`, `sha256 = '\\x00'`, `version = 'v9'`, `origin = 'created'`]) {
      await expect(run(stack.db.fork(), `update rule_set set ${change} where version = 'v2'`)).rejects.toThrow(
        /immutable/,
      );
    }
    await expect(run(stack.db.fork(), `update rule_set set status = 'live' where version = 'v2'`)).rejects.toThrow(
      /rule_set_live/,
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countRecorded, readRecorded } from '../../db/backtest-source.ts';
import { rows, run } from '../../db/sql.ts';
import { type BacktestRow, createBacktest } from '../../domain/risk/backtest.ts';
import type { TransactionFeatures } from '../../domain/risk/features.ts';
import { createHistory, LABEL_DELAY } from '../../domain/risk/history.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import type { RuleSetDocument } from '../../domain/risk/rule-set.ts';
import { PUBLISHED_RULE_SETS } from '../../domain/risk/rule-sets/published.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

const QUERY = { imported: false, before: null, exponent: 2 } as const;
const v1 = compileRuleSet(PUBLISHED_RULE_SETS.v1 as RuleSetDocument, 'v1');

async function all({ db }: Stack, query: Parameters<typeof readRecorded>[1] = QUERY) {
  const read: BacktestRow[] = [];
  for await (const page of readRecorded(db.fork(), query)) read.push(...page);
  return read;
}

let stack: Stack;
beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack?.close());

describe('what an installation has decided', () => {
  it('comes out of the back-test with the features and the scores that the decisions recorded', async () => {
    const trading = createTrading(stack);
    const [one, other] = [await trading.trader(), await trading.trader()];
    for (let n = 0; n < 7; n += 1) {
      await one.withdraw(`${10 + n}.00`, { counterparty: 'shop', category: 'groceries' });
      if (n % 2 === 0) await other.withdraw('20.00', { counterparty: 'shop' });
    }
    await one.withdraw('90.00', { category: 'jewellery' });
    await one.ask({ type: 'deposit', amount: '5.00', currency: 'USD' });
    await trading.rate('EUR', '1.1');
    for (const currency of ['EUR', 'GBP']) await one.ask({ type: 'deposit', amount: '7.00', currency });

    const stored = new Map(
      (
        await rows<{ id: string; score: number; features: TransactionFeatures; status: string }>(
          stack.db.fork(),
          'select id, score, features, status from transaction',
        )
      ).map((row) => [row.id, row]),
    );
    const read = await all(stack);
    expect(read).toHaveLength(stored.size);
    expect(await countRecorded(stack.db.fork(), QUERY)).toBe(stored.size);
    expect(read.map(({ transaction }) => transaction.at)).toEqual(
      read.map(({ transaction }) => transaction.at).toSorted((a, b) => a - b),
    );
    const options = {
      engines: [v1],
      base: v1,
      period: { from: null, to: null },
      test: { from: null, to: null },
      reviewAbove: null,
      stepUpAmountMinor: 1_000_000n,
      currency: 'USD',
      exponent: 2,
      reviewers: 1,
    };
    const history = createHistory();
    const backtest = createBacktest(options);
    const scores = new Float64Array(1);
    for (const row of read) {
      const live = stored.get(row.id);
      expect(history.observe(row.transaction)).toEqual(live?.features);
      backtest.observe(row, scores);
      expect(scores[0]).toBe(live?.score);
    }
    expect(Math.max(...[...stored.values()].map(({ score }) => score))).toBeGreaterThan(60);
    expect(new Set([...stored.values()].map(({ status }) => status)).size).toBeGreaterThan(1);
  });
});

describe('recorded transactions', () => {
  const DAY = 86_400_000_000;
  const T0 = Date.UTC(2026, 0, 10) * 1_000;
  const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  let owner: { readonly userId: string; readonly accountId: string };

  beforeAll(async () => {
    owner = await createTrading(stack).trader();
  });

  const recorded = async (query: Parameters<typeof readRecorded>[1] = QUERY) =>
    (await all(stack, query)).filter(({ transaction }) => transaction.account === owner.accountId);

  /** Writes a row as a decision and what followed would have left it. */
  async function record(n: number, fields: Record<string, string | null>): Promise<void> {
    const row: Record<string, string | null> = {
      id: id(n),
      user_id: owner.userId,
      account_id: owner.accountId,
      type: 'withdrawal',
      amount: '1000',
      base_amount: '1000',
      currency: 'USD',
      category: 'other',
      counterparty: 'shop',
      body_hash: '\\x00',
      status: 'settled',
      score: '0',
      rule_set_version: 'v1',
      reasons: '[]',
      features: '{}',
      first_status: '201',
      first_body: '{}',
      settings: '{}',
      t: new Date(T0 / 1_000 + n * 60_000).toISOString(),
      finished_at: new Date(T0 / 1_000 + n * 60_000).toISOString(),
      ...fields,
    };
    const names = Object.keys(row);
    await run(
      stack.db.fork(),
      `insert into transaction (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      Object.values(row),
    );
  }

  it('have the outcome and the times that became known', async () => {
    const late = new Date(T0 / 1_000 + 3 * 86_400_000).toISOString();
    await record(1, {});
    await record(2, { status: 'rejected', code: 'review_rejected', held_at: late, finished_at: late });
    await record(3, { held_at: late, finished_at: late });
    for (const [n, label] of [
      [2, 'inconclusive'],
      [2, 'confirmed_fraud'],
      [3, 'false_positive'],
    ] as const) {
      await run(
        stack.db.fork(),
        `insert into transaction_label (transaction_id, label, source, labelled_by, reason, known_at)
         values ($1, $2, 'review', $3, 'seen', $4)`,
        [id(n), label, owner.userId, late],
      );
    }
    await record(4, { status: 'rejected', code: 'step_up_expired', step_up_expires_at: late, finished_at: late });
    await record(5, { t: new Date().toISOString(), finished_at: new Date().toISOString() });
    await record(6, {
      features: JSON.stringify({ login_risk: 0.25, hours_since_access_change: 2 }),
      step_up_expires_at: late,
      finished_at: late,
    });
    await record(7, { virtual: JSON.stringify({ at: 'x', outsideFeatures: false }), finished_at: late });
    await record(8, { virtual: JSON.stringify({ at: 'x', outsideFeatures: true }) });
    await record(9, { status: 'rejected', code: 'price_stale', amount: null, base_amount: null });

    const at = (n: number) => T0 + n * 60_000_000;
    const read = await recorded();
    expect(read.map((row) => [Number(row.id.slice(-3)), row.outcome])).toEqual([
      [1, 'clean'],
      [2, 'fraud'],
      [3, 'clean'],
      [4, 'unknown'],
      [6, 'clean'],
      [9, 'unknown'],
      [5, 'unknown'],
    ]);
    const transactions = new Map(read.map((row) => [Number(row.id.slice(-3)), row.transaction]));
    expect(transactions.get(1)).toMatchObject({ at: at(1), settledAt: at(1), fraudKnownAt: null, isConfirmed: false });
    expect(transactions.get(2)).toMatchObject({ settledAt: null, fraudKnownAt: T0 + 3 * DAY });
    expect(transactions.get(3)).toMatchObject({ settledAt: T0 + 3 * DAY, fraudKnownAt: null });
    expect(transactions.get(6)).toMatchObject({
      isConfirmed: true,
      access: { loginRisk: 0.25, loginAt: null, changedAt: at(6) - 2 * 3_600_000_000 },
    });
    const imported = await recorded({ ...QUERY, imported: true });
    expect(imported.map(({ transaction }) => [transaction.at, transaction.settledAt])).toEqual([[at(7), at(7)]]);
    expect(await recorded({ ...QUERY, before: at(3) })).toHaveLength(2);
    await record(10, {
      virtual: JSON.stringify({ at: 'x', outsideFeatures: false }),
      status: 'rejected',
      code: 'review_rejected',
      held_at: late,
      finished_at: late,
    });
    await run(
      stack.db.fork(),
      `insert into transaction_label (transaction_id, label, source, reason) values ($1, 'confirmed_fraud', 'import', 'said so')`,
      [id(10)],
    );
    const [, rejected] = await recorded({ ...QUERY, imported: true });
    expect(rejected?.transaction.fraudKnownAt).toBe(at(10) + LABEL_DELAY);
  });
});

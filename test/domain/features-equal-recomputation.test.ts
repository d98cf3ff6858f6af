import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccountState,
  AVERAGE_WINDOW_DAYS,
  emptyAccount,
  MAX_CATEGORIES,
  MAX_PAYEES,
  MAX_RECENT,
  nextTime,
  settleOnAccount,
} from '../../domain/risk/account-state.ts';
import { upgradeAccount } from '../../domain/risk/account-state-upgrade.ts';
import { type FeatureTransaction, fold, type TransactionFeatures } from '../../domain/risk/features.ts';
import { TRANSACTION_TYPES } from '../../domain/transaction.ts';
import { featureTx, NOBODY } from '../helpers/features.ts';

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const START = 20_000 * DAY;

function tx(at: number, fields: Partial<FeatureTransaction> = {}): FeatureTransaction {
  return featureTx({ at, ...fields });
}

const see = (account: AccountState, one: FeatureTransaction) => {
  const { features, account: state } = fold({ account, counterparty: null, population: NOBODY }, one);
  return { features, state };
};

/** Settles everything at once. */
function foldAll(transactions: readonly FeatureTransaction[]): { state: AccountState; last: TransactionFeatures } {
  let state = emptyAccount();
  let last: TransactionFeatures | undefined;
  for (const entry of transactions) {
    const folded = see(state, entry);
    last = folded.features;
    state = settleOnAccount(folded.state, entry);
  }
  if (!last) throw new Error('no transactions');
  return { state, last };
}

interface Step extends FeatureTransaction {
  /** Steps after which it settles: 0 at once, null never. */
  readonly settlesAfter: number | null;
}

/** The definition, over the whole history, with none of the fold's shortcuts. */
function recompute(steps: readonly Step[], index: number): Partial<TransactionFeatures> {
  const current = steps[index];
  if (!current) throw new Error('no such step');
  const prior = steps.slice(0, index);
  const day = (at: number) => Math.floor(at / DAY);
  const settled = prior.filter(
    (step, i) =>
      step.type === current.type &&
      step.settlesAfter !== null &&
      i + step.settlesAfter < index &&
      day(step.at) > day(current.at) - 90,
  );
  const seen = steps.slice(0, index + 1);
  const ever = prior.filter(
    (step, i) => step.type === current.type && step.settlesAfter !== null && i + step.settlesAfter < index,
  );
  const total = (of: readonly Step[]) => of.reduce((sum, step) => sum + step.amountMinor, 0n);
  return {
    kind: current.type,
    category: current.category,
    settled_90d: settled.length,
    settled_sum_90d: expect.closeTo(Number(total(settled)) / 100, -12) as unknown as number,
    settled_ever: ever.length,
    amount_to_mean_90d: closeRatio(current.amountMinor * BigInt(settled.length), total(settled)),
    amount_to_mean_ever: closeRatio(current.amountMinor * BigInt(ever.length), total(ever)),
    count_1h: seen.filter((step) => step.at > current.at - HOUR).length,
    prior_count: prior.length,
    prior_in_category: prior.filter((step) => step.category === current.category).length,
  };
}

/** Within a millionth of the quotient. */
function closeRatio(numerator: bigint, denominator: bigint): number {
  if (denominator === 0n) return 0;
  const ratio = Number(numerator) / Number(denominator);
  return expect.toSatisfy((found: number) => Math.abs(found - ratio) <= ratio * 1e-6) as unknown as number;
}

describe('the incremental fold', () => {
  it('equals a recomputation over the full history, with settlements that come late or never', () => {
    const step = fc.record({
      gap: fc.oneof(
        fc.integer({ min: 1, max: HOUR }),
        fc.constantFrom(0, HOUR, HOUR - 1, DAY, 89 * DAY, 90 * DAY, 91 * DAY),
      ),
      type: fc.constantFrom(...TRANSACTION_TYPES),
      amountMinor: fc.bigInt({ min: 1n, max: 10n ** 17n }),
      category: fc.constantFrom('other', 'fees', '__proto__', 'constructor'),
      settlesAfter: fc.option(fc.integer({ min: 0, max: 5 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (generated) => {
        let at = START;
        const steps: Step[] = generated.map(({ gap, ...fields }) => {
          at += gap;
          return { ...featureTx(fields), settlesAfter: fields.settlesAfter, at };
        });
        let state = emptyAccount();
        for (const [index, current] of steps.entries()) {
          const folded = see(state, current);
          expect(folded.features).toMatchObject(recompute(steps, index));
          state = folded.state;
          for (const [i, earlier] of steps.slice(0, index + 1).entries()) {
            if (earlier.settlesAfter !== null && i + earlier.settlesAfter === index) {
              state = settleOnAccount(state, earlier);
            }
          }
          // The state lives in a JSON column.
          state = JSON.parse(JSON.stringify(state)) as AccountState;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('counts the sixth in an hour as six and forgets one after exactly 3600 s', () => {
    const six = [0, 1, 2, 3, 4].map((i) => tx(START + i));
    expect(foldAll([...six, tx(START + HOUR - 1)]).last.count_1h).toBe(6);
    expect(foldAll([...six, tx(START + HOUR)]).last.count_1h).toBe(5);
  });

  it('learns the average only from what settled', () => {
    const first = see(emptyAccount(), tx(START, { amountMinor: 500n }));
    expect(see(first.state, tx(START + 1)).features.settled_90d).toBe(0);
    const settled = settleOnAccount(first.state, tx(START, { amountMinor: 500n }));
    expect(see(settled, tx(START + 1)).features).toMatchObject({ settled_90d: 1, settled_sum_90d: 5 });
    expect(see(settled, tx(START + 1, { type: 'sell' })).features.settled_90d).toBe(0);
  });

  it('looks back 90 UTC days, today included', () => {
    const night = START + DAY - 1;
    const { state } = foldAll([tx(night)]);
    expect(see(state, tx(START + 90 * DAY - 1)).features.settled_90d).toBe(1);
    expect(see(state, tx(START + 90 * DAY)).features.settled_90d).toBe(0);
    expect(AVERAGE_WINDOW_DAYS).toBe(90);
  });

  it('books a hold approved after its day left the window for life alone', () => {
    const old = tx(START);
    const { state } = foldAll([tx(START + 100 * DAY)]);
    const after = settleOnAccount(state, old);
    expect(after.types.buy?.buckets).toEqual(state.types.buy?.buckets);
    expect(after.types.buy).toMatchObject({ count: 1, lifeCount: 2 });
  });

  it('refuses a transaction older than the latest, and nextTime never gives one', () => {
    const { state } = foldAll([tx(START)]);
    expect(() => see(state, tx(START - 1))).toThrow(RangeError);
    expect(() => see(state, tx(START + 0.5))).toThrow(RangeError);
    expect(nextTime(state, START - 50)).toBe(START + 1);
    expect(nextTime(state, START + 50)).toBe(START + 50);
  });

  it('does not change the state it was given', () => {
    const { state } = foldAll([tx(START), tx(START + 1)]);
    const before = JSON.stringify(state);
    settleOnAccount(see(state, tx(START + 2, { category: 'new' })).state, tx(START + 2));
    expect(JSON.stringify(state)).toBe(before);
  });
});

describe('the state stays small', () => {
  it('whatever the number of days, categories and transactions in an hour', () => {
    const days = foldAll(Array.from({ length: 400 }, (_, i) => tx(START + i * DAY))).state;
    expect(days.types.buy?.buckets).toHaveLength(AVERAGE_WINDOW_DAYS);
    const busy = foldAll(Array.from({ length: MAX_RECENT + 50 }, (_, i) => tx(START + i, { category: `c${i}` })));
    expect(busy.state.recent).toHaveLength(MAX_RECENT);
    expect(busy.last.count_1h).toBe(MAX_RECENT);
    expect(busy.state.categories).toHaveLength(MAX_CATEGORIES);
    expect(busy.state.priorCount).toBe(MAX_RECENT + 50);
  });

  it('whatever the number of counterparties: the one paid longest ago is forgotten', () => {
    const payees = Array.from({ length: MAX_PAYEES + 1 }, (_, i) =>
      tx(START + i, { type: 'withdrawal', counterparty: `c${i}` }),
    );
    const { state } = foldAll(payees);
    expect(state.payees).toHaveLength(MAX_PAYEES);
    const again = (counterparty: string) =>
      see(state, tx(START + 1_000, { type: 'withdrawal', counterparty })).features.paid_before;
    expect([again('c0'), again('c1')]).toEqual([0, 1]);
  });

  it('by forgetting the rarest category, never a common one', () => {
    const common = Array.from({ length: 10 }, (_, i) => tx(START + i, { category: 'rent' }));
    const many = Array.from({ length: 600 }, (_, i) => tx(START + 10 + i, { category: `c${i}` }));
    const { last } = foldAll([...common, ...many, tx(START + 1_000, { category: 'rent' })]);
    expect(last.prior_in_category).toBe(10);
  });
});

describe('a state of before rule sets were data', () => {
  const v1 = {
    version: 1 as const,
    lastAt: START,
    recent: [START],
    settled: { buy: [{ day: 19_999, count: 3, sumMinor: '900' }] },
    priorCount: 3,
    categories: [['rent', 3] as const],
  };

  it('goes on with its counts, averages and categories', () => {
    const state = upgradeAccount(v1);
    const { features } = see(state, tx(START + 1, { amountMinor: 601n, category: 'rent' }));
    expect(features).toMatchObject({
      settled_90d: 3,
      mean_90d: 3,
      settled_ever: 3,
      median_ever: 3,
      prior_count: 3,
      prior_in_category: 3,
      count_1h: 2,
    });
    expect(features.amount_to_mean_90d).toBeGreaterThan(2);
    expect(upgradeAccount(state)).toBe(state);
    expect(upgradeAccount({})).toEqual(emptyAccount());
  });
});

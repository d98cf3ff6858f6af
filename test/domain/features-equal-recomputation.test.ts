import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AVERAGE_WINDOW_DAYS,
  applySettlement,
  emptyState,
  type FeatureState,
  type FeatureTransaction,
  fold,
  MAX_CATEGORIES,
  MAX_RECENT,
  nextTime,
  type TransactionFeatures,
} from '../../domain/risk/features.ts';
import { LOGIN_RULE_SET_V1 } from '../../domain/risk/login-rule-set.ts';
import { TRANSACTION_TYPES } from '../../domain/transaction.ts';

const SECOND = 1_000_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const START = 20_000 * DAY;

function tx(at: number, fields: Partial<FeatureTransaction> = {}): FeatureTransaction {
  return { at, type: 'buy', amountMinor: 100n, category: 'other', ...fields };
}

/** Settles everything at once. */
function foldAll(transactions: readonly FeatureTransaction[]): { state: FeatureState; last: TransactionFeatures } {
  let state = emptyState();
  let last: TransactionFeatures | undefined;
  for (const entry of transactions) {
    const folded = fold(state, entry);
    last = folded.features;
    state = applySettlement(folded.state, entry);
  }
  if (!last) throw new Error('no transactions');
  return { state, last };
}

interface Step extends FeatureTransaction {
  /** Steps after which it settles: 0 at once, null never. */
  readonly settlesAfter: number | null;
}

/** The definition, over the whole history, with none of the fold's shortcuts. */
function recompute(steps: readonly Step[], index: number): TransactionFeatures {
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
  return {
    type: current.type,
    amountMinor: current.amountMinor.toString(),
    category: current.category,
    settledCount: settled.length,
    settledSumMinor: settled.reduce((sum, step) => sum + step.amountMinor, 0n).toString(),
    velocity: seen.filter((step) => step.at > current.at - HOUR).length,
    priorCount: prior.length,
    priorInCategory: prior.filter((step) => step.category === current.category).length,
  };
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
          return { ...fields, at };
        });
        let state = emptyState();
        for (const [index, current] of steps.entries()) {
          const folded = fold(state, current);
          expect(folded.features).toEqual(recompute(steps, index));
          state = folded.state;
          for (const [i, earlier] of steps.slice(0, index + 1).entries()) {
            if (earlier.settlesAfter !== null && i + earlier.settlesAfter === index) {
              state = applySettlement(state, earlier);
            }
          }
          // The state lives in a JSON column.
          state = JSON.parse(JSON.stringify(state)) as FeatureState;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('counts the sixth in an hour as six and forgets one after exactly 3600 s', () => {
    const six = [0, 1, 2, 3, 4].map((i) => tx(START + i));
    expect(foldAll([...six, tx(START + HOUR - 1)]).last.velocity).toBe(6);
    expect(foldAll([...six, tx(START + HOUR)]).last.velocity).toBe(5);
  });

  it('learns the average only from what settled', () => {
    const first = fold(emptyState(), tx(START, { amountMinor: 500n }));
    expect(fold(first.state, tx(START + 1)).features.settledCount).toBe(0);
    const settled = applySettlement(first.state, tx(START, { amountMinor: 500n }));
    expect(fold(settled, tx(START + 1)).features).toMatchObject({ settledCount: 1, settledSumMinor: '500' });
    expect(fold(settled, tx(START + 1, { type: 'sell' })).features.settledCount).toBe(0);
  });

  it('looks back 90 UTC days, today included', () => {
    const night = START + DAY - 1;
    const { state } = foldAll([tx(night)]);
    expect(fold(state, tx(START + 90 * DAY - 1)).features.settledCount).toBe(1);
    expect(fold(state, tx(START + 90 * DAY)).features.settledCount).toBe(0);
    expect(AVERAGE_WINDOW_DAYS).toBe(LOGIN_RULE_SET_V1.transaction.amount.windowDays);
  });

  it('books a hold approved after its day left the window nowhere', () => {
    const old = tx(START);
    const { state } = foldAll([tx(START + 100 * DAY)]);
    expect(applySettlement(state, old)).toEqual(state);
  });

  it('refuses a transaction older than the latest, and nextTime never gives one', () => {
    const { state } = foldAll([tx(START)]);
    expect(() => fold(state, tx(START - 1))).toThrow(RangeError);
    expect(() => fold(state, tx(START + 0.5))).toThrow(RangeError);
    expect(nextTime(state, START - 50)).toBe(START + 1);
    expect(nextTime(state, START + 50)).toBe(START + 50);
  });

  it('does not change the state it was given', () => {
    const { state } = foldAll([tx(START), tx(START + 1)]);
    const before = JSON.stringify(state);
    applySettlement(fold(state, tx(START + 2, { category: 'new' })).state, tx(START + 2));
    expect(JSON.stringify(state)).toBe(before);
  });
});

describe('the state stays small', () => {
  it('whatever the number of days, categories and transactions in an hour', () => {
    const days = foldAll(Array.from({ length: 400 }, (_, i) => tx(START + i * DAY))).state;
    expect(days.settled.buy).toHaveLength(AVERAGE_WINDOW_DAYS);
    const busy = foldAll(Array.from({ length: MAX_RECENT + 50 }, (_, i) => tx(START + i, { category: `c${i}` })));
    expect(busy.state.recent).toHaveLength(MAX_RECENT);
    expect(busy.last.velocity).toBe(MAX_RECENT);
    expect(busy.state.categories).toHaveLength(MAX_CATEGORIES);
    expect(busy.state.priorCount).toBe(MAX_RECENT + 50);
  });

  it('by forgetting the rarest category, never a common one', () => {
    const common = Array.from({ length: 10 }, (_, i) => tx(START + i, { category: 'rent' }));
    const many = Array.from({ length: 600 }, (_, i) => tx(START + 10 + i, { category: `c${i}` }));
    const { last } = foldAll([...common, ...many, tx(START + 1_000, { category: 'rent' })]);
    expect(last.priorInCategory).toBe(10);
  });
});

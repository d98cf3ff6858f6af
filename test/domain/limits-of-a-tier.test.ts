import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addUsage,
  DEFAULT_LIMITS,
  emptyUsage,
  LIMIT_GROUPS,
  LIMIT_WINDOWS,
  type LimitUsage,
  limitHit,
  limitsInMinor,
  limitViews,
  TIERS,
  usedWithin,
} from '../../domain/limits.ts';
import { MICROS_PER_DAY, MICROS_PER_HOUR } from '../../domain/time.ts';

const START = 20_000 * MICROS_PER_DAY;
const limits = (per_transaction: bigint | null, rolling_24h: bigint | null, rolling_30d: bigint | null) => ({
  per_transaction,
  rolling_24h,
  rolling_30d,
});
const used = (usage: LimitUsage, now: number) => ({
  day: usedWithin(usage, 'money_out', 'rolling_24h', now),
  month: usedWithin(usage, 'money_out', 'rolling_30d', now),
});
const add = (usage: LimitUsage, at: number, amount: bigint, now = at) =>
  addUsage(usage, 'money_out', { at, now, amount });

describe('a limit', () => {
  const usage = add(add(emptyUsage(), START, 600n), START + MICROS_PER_HOUR, 100n);
  const now = START + MICROS_PER_HOUR;
  it.each([
    ['exactly what is left of a day', limits(null, 1000n, null), 300n, null],
    ['one more than is left of a day', limits(null, 1000n, null), 301n, { window: 'rolling_24h', left: 300n }],
    ['one more than is left of a month', limits(null, null, 800n), 101n, { window: 'rolling_30d', left: 100n }],
    ['exactly as much as one may be', limits(500n, null, null), 500n, null],
    ['more than one may be', limits(500n, 1000n, null), 501n, { window: 'per_transaction', left: 500n }],
    ['a limit that was lowered below what was used', limits(null, 10n, null), 1n, { window: 'rolling_24h', left: 0n }],
    ['without any', limits(null, null, null), 10n ** 17n, null],
  ])('%s', (_what, of, amount, expected) => {
    const hit = limitHit(of, usage, 'money_out', { now, amount });
    if (expected === null) expect(hit).toBeNull();
    else expect(hit).toMatchObject({ group: 'money_out', ...expected });
  });

  it('of one group does not count for another', () => {
    expect(usedWithin(usage, 'deposit', 'rolling_24h', now)).toBe(0n);
    expect(limitHit(limits(null, 100n, null), usage, 'trade', { now, amount: 100n })).toBeNull();
  });
});

describe('what counts', () => {
  it('counts for at least 24 hours and 30 days, and for no longer than an hour or a day more', () => {
    const at = START + 90 * 60_000_000;
    const usage = add(emptyUsage(), at, 5n);
    expect(used(usage, at + MICROS_PER_DAY)).toEqual({ day: 5n, month: 5n });
    expect(used(usage, at + MICROS_PER_DAY + MICROS_PER_HOUR)).toEqual({ day: 0n, month: 5n });
    expect(used(usage, at + 30 * MICROS_PER_DAY).month).toBe(5n);
    expect(used(usage, at + 31 * MICROS_PER_DAY).month).toBe(0n);
  });

  it('what was taken back counts no more, however it lies between', () => {
    const once = add(emptyUsage(), START, 5n);
    expect(add(add(once, START + 1, 7n), START + 1, -7n)).toEqual(once);
    expect(used(add(once, START, -9n), START)).toEqual({ day: 0n, month: 0n });
  });

  const steps = fc.array(
    fc.record({ wait: fc.integer({ min: 0, max: 4 * 24 * 60 }), amount: fc.bigInt({ min: 1n, max: 10n ** 12n }) }),
    { minLength: 1, maxLength: 60 },
  );

  it('is never less than a plain sum over the window, and never more than over a window one bucket longer', () => {
    fc.assert(
      fc.property(steps, (list) => {
        let usage = emptyUsage();
        let at = START;
        const all: { at: number; amount: bigint }[] = [];
        for (const { wait, amount } of list) {
          at += wait * 60_000_000;
          usage = add(usage, at, amount);
          all.push({ at, amount });
          const since = (length: number) =>
            all.reduce((sum, one) => (one.at > at - length ? sum + one.amount : sum), 0n);
          const { day, month } = used(usage, at);
          expect(day >= since(MICROS_PER_DAY) && day <= since(MICROS_PER_DAY + MICROS_PER_HOUR)).toBe(true);
          expect(month >= since(30 * MICROS_PER_DAY) && month <= since(31 * MICROS_PER_DAY)).toBe(true);
        }
        const { hours = [], days = [] } = usage.groups.money_out ?? {};
        expect(hours.length <= 25 && days.length <= 31).toBe(true);
      }),
    );
  });
});

describe('the limits of every tier', () => {
  const table = limitsInMinor(DEFAULT_LIMITS, 2);
  it('leave room for the next tier, and a longer window never for less', () => {
    for (const group of LIMIT_GROUPS) {
      const rows = TIERS.map((tier) => LIMIT_WINDOWS.map((window) => table[tier][group][window] ?? 0n));
      for (const [one, day, month] of rows)
        expect((one ?? 0n) <= (day ?? 0n) && (day ?? 0n) <= (month ?? 0n)).toBe(true);
      LIMIT_WINDOWS.forEach((_, n) => {
        expect((rows[0]?.[n] ?? 0n) < (rows[1]?.[n] ?? 0n) && (rows[1]?.[n] ?? 0n) < (rows[2]?.[n] ?? 0n)).toBe(true);
      });
    }
  });

  it('name the limit that is no amount of the base currency', () => {
    const odd = { ...DEFAULT_LIMITS, basic: { ...DEFAULT_LIMITS.basic, trade: { ...DEFAULT_LIMITS.basic.trade } } };
    odd.basic.trade = { ...odd.basic.trade, rolling_24h: '10.5' };
    expect(() => limitsInMinor(odd, 0)).toThrow(/basic\.trade\.rolling_24h/);
  });

  it('are shown with what is left of them', () => {
    const views = limitViews(table.basic, add(emptyUsage(), START, 150_050n), START, 2);
    expect(views).toHaveLength(9);
    expect(views).toContainEqual({
      ...{ group: 'money_out', window: 'rolling_24h' },
      ...{ limit: '10000.00', used: '1500.50', left: '8499.50' },
    });
    expect(views).toContainEqual({
      ...{ group: 'money_out', window: 'per_transaction' },
      ...{ limit: '5000.00', used: null, left: '5000.00' },
    });
  });
});

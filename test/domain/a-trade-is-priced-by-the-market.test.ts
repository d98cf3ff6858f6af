import { describe, expect, it } from 'vitest';
import { HOUSE_ACCOUNTS, movementsOf, outgoing } from '../../domain/ledger.ts';
import { type Order, outgrewControls, priceOrder } from '../../domain/quote.ts';
import { explainReason } from '../../domain/risk/explanation.ts';
import { simulatedPrices } from '../../platform/price-feed.ts';

const order: Order = { type: 'buy', quantity: 2_000_000n, priceLimit: null, statedAmount: null };
const quote = { currency: 'USD', price: 1_000_000n, ageMs: 0 };
const rules = { maxAgeMs: 900_000, currency: 'USD' };

describe('an order is priced by the market', () => {
  it.each([
    ['no such instrument', order, undefined, 'instrument_unknown'],
    ['another currency', order, { ...quote, currency: 'EUR' }, 'currency_unsupported'],
    ['no price yet', order, { ...quote, price: null }, 'price_stale'],
    ['a millisecond too old', order, { ...quote, ageMs: 900_001 }, 'price_stale'],
    ['a buy above its limit', { ...order, priceLimit: 999_999n }, quote, 'price_limit'],
    ['a sell below its limit', { ...order, type: 'sell' as const, priceLimit: 1_000_001n }, quote, 'price_limit'],
    ['a wrong amount', { ...order, statedAmount: 20_001n }, quote, 'amount_mismatch'],
    ['less than a cent', { ...order, quantity: 1n }, quote, 'amount_too_small'],
  ])('%s is refused', (_, given, found, code) => {
    expect(priceOrder(given, found, rules)).toEqual({ ok: false, code });
  });

  it('just at the age and the limit it settles at the market price', () => {
    const settled = { ok: true, price: 1_000_000n, amount: 20_000n };
    expect(priceOrder(order, { ...quote, ageMs: 900_000 }, rules)).toEqual(settled);
    expect(priceOrder({ ...order, priceLimit: 1_000_000n }, quote, rules)).toEqual(settled);
    expect(priceOrder({ ...order, priceLimit: 1_500_000n, statedAmount: 30_000n }, quote, rules)).toEqual(settled);
  });

  it('an order that grew across a threshold has outgrown its decision; one that was above it before has not', () => {
    const controls = { stepUpAbove: 100n, secondApprovalAbove: 1_000n };
    expect(outgrewControls(100n, 101n, controls)).toBe(true);
    expect(outgrewControls(101n, 900n, controls)).toBe(false);
    expect(outgrewControls(900n, 1_001n, controls)).toBe(true);
    expect(outgrewControls(900n, 1_001n, { ...controls, secondApprovalAbove: null })).toBe(false);
    expect(outgrewControls(1_001n, 50n, controls)).toBe(false);
  });
});

describe('movements', () => {
  const terms = {
    accountId: 'a',
    counterpartyAccountId: 'b',
    currency: 'USD',
    amount: 5n,
    instrument: 'ACME',
    quantity: 7n,
  };

  it.each([
    ['deposit', [['cash', HOUSE_ACCOUNTS.bank, 'a', 5n]], null],
    ['withdrawal', [['cash', 'a', HOUSE_ACCOUNTS.bank, 5n]], ['cash:USD', 5n]],
    ['transfer', [['cash', 'a', 'b', 5n]], ['cash:USD', 5n]],
    [
      'buy',
      [
        ['cash', 'a', HOUSE_ACCOUNTS.market, 5n],
        ['position', HOUSE_ACCOUNTS.market, 'a', 7n],
      ],
      ['cash:USD', 5n],
    ],
    [
      'sell',
      [
        ['position', 'a', HOUSE_ACCOUNTS.market, 7n],
        ['cash', HOUSE_ACCOUNTS.market, 'a', 5n],
      ],
      ['position:ACME', 7n],
    ],
  ] as const)('of a %s name both sides, and what the customer gives', (type, movements, given) => {
    expect(movementsOf({ ...terms, type }).map(({ leg, from, to, amount }) => [leg, from, to, amount])).toEqual(
      movements,
    );
    const out = outgoing({ ...terms, type });
    expect(out === null ? null : [out.asset, out.amount]).toEqual(given);
  });

  it('a transfer to nobody and a trade of nothing are no movements', () => {
    expect(() => movementsOf({ ...terms, type: 'transfer', counterpartyAccountId: null })).toThrow(RangeError);
    expect(() => movementsOf({ ...terms, type: 'buy', quantity: null })).toThrow(RangeError);
  });
});

describe('explanations and simulated prices', () => {
  it('a reason reads as a sentence with its money in units', () => {
    const reason = {
      ruleId: 'amount_above_average',
      title: 'Amount above 2 times the 90-day average of its type',
      value: '50000',
      baseline: '1000',
      threshold: '2000',
      points: 30,
    };
    expect(explainReason(reason, 'USD')).toBe(
      'Amount above 2 times the 90-day average of its type: 500.00 USD (usual: 10.00 USD, threshold: 20.00 USD), +0.30',
    );
  });

  it('ten instruments have the same price in every process, and move a little from slot to slot', () => {
    const now = Date.UTC(2026, 0, 5, 12, 0, 7);
    const prices = simulatedPrices('USD', now);
    expect(prices).toHaveLength(10);
    expect(simulatedPrices('USD', now + 7_000)).toEqual(prices);
    expect(prices[0]?.at).toBe('2026-01-05T12:00:00.000Z');
    const next = simulatedPrices('USD', now + 15_000);
    for (const [index, { price }] of prices.entries()) {
      const change = Math.abs(Number(next[index]?.price) / Number(price) - 1);
      expect(change).toBeGreaterThan(0);
      expect(change).toBeLessThan(0.01);
    }
  });
});

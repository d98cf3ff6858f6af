import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatures } from '../../db/account-state.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const HOUR = 3_600_000;

describe('a transaction in another currency', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    // The newest one that is in force counts: neither an older one nor one of tomorrow.
    await trading.rate('EUR', '1.5', 3 * HOUR);
    await trading.rate('EUR', '1.1', HOUR);
    await trading.rate('EUR', '9', -HOUR);
    await trading.rate('JPY', '0.0067', HOUR);
  });
  afterAll(() => stack.close());

  const cash = async (trader: Trader) =>
    Object.fromEntries(
      (await trader.portfolio()).cash.map((one: Record<string, string>) => [one.currency, one.balance]),
    );

  it('moves that currency, and is kept with what it is in the base and the rate that says so', async () => {
    const trader = await trading.trader('100.00');
    const answer = await trader.ask({ type: 'deposit', amount: '250.05', currency: 'EUR' });
    expect([answer.status, answer.body.status]).toEqual([201, 'settled']);
    const { transactionId } = answer.body;
    expect(await trading.postings(transactionId)).toEqual([{ leg: 'cash', asset: 'cash:EUR', amount: '25005' }]);
    // 275.055 is as near to both cents: the even one.
    expect(await trading.stored(transactionId)).toMatchObject({
      amount: '25005',
      base_amount: '27506',
      rate: '11000000000',
      currency: 'EUR',
    });
    expect((await trader.get(transactionId)).body).toMatchObject({
      ...{ amount: '250.05', currency: 'EUR', baseAmount: '275.06', baseCurrency: 'USD' },
      exchangeRate: '1.1000000000',
    });
    expect(await cash(trader)).toEqual({ USD: '100.00', EUR: '250.05' });
    const dollars = await trader.withdraw('40.00');
    expect((await trader.get(dollars.body.transactionId)).body).toMatchObject({
      ...{ baseAmount: '40.00', exchangeRate: null, ratedAt: null },
    });
    const { types } = await readFeatures(stack.db.fork(), trader.accountId);
    expect(types.deposit?.buckets.map(({ sumMinor }) => sumMinor)).toEqual(['27506']);
    expect(types.withdrawal?.buckets.map(({ sumMinor }) => sumMinor)).toEqual(['4000']);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it.each([
    ['9000.00', 'EUR', 'settled'],
    ['9090.91', 'EUR', 'settled'],
    ['9090.92', 'EUR', 'step_up_required'],
    ['1492537', 'JPY', 'settled'],
    ['1492539', 'JPY', 'step_up_required'],
  ])('of %s %s is %s: the step-up amount is one of the base', async (amount, currency, status) => {
    const trader = await trading.trader('0');
    expect((await trader.ask({ type: 'deposit', amount, currency })).body.status).toBe(status);
  });

  it('is held against the average in the base', async () => {
    const trader = await trading.trader('0');
    await trading.fund(trader.accountId, '100.00', 'EUR');
    await trading.past(trader, { count: 3, amount: '10.00', category: 'other' });
    const within = await trader.ask({ type: 'withdrawal', amount: '18.18', currency: 'EUR' });
    expect((await trading.points(within.body.transactionId)).amount_above_average).toBe(0);
    const above = await trader.ask({ type: 'withdrawal', amount: '24.00', currency: 'EUR' });
    expect((await trading.points(above.body.transactionId)).amount_above_average).toBe(30);
  });

  it('spends what is there of that currency and nothing else; a transfer arrives in it', async () => {
    const [trader, friend] = [await trading.trader('1000.00'), await trading.trader('0')];
    const none = await trader.ask({ type: 'withdrawal', amount: '1.00', currency: 'EUR' });
    expect(none.body.code).toBe('insufficient_funds');
    await trading.fund(trader.accountId, '50.00', 'EUR');
    const sent = await trader.ask({
      ...{ type: 'transfer', amount: '20.00', currency: 'EUR', counterparty: friend.accountId },
    });
    expect(sent.body.status).toBe('settled');
    expect([await cash(trader), await cash(friend)]).toEqual([{ USD: '1000.00', EUR: '30.00' }, { EUR: '20.00' }]);
  });

  it('buys what is traded in it, and nothing that is traded in another', async () => {
    const trader = await trading.trader('1000.00');
    await trading.fund(trader.accountId, '1000.00', 'EUR');
    await trading.price('EURO', '100.00', 1_000, 'EUR');
    await trading.price('DLLR', '100.00', 1_000);
    const buy = (instrument: string, currency: string) =>
      trader.ask({ type: 'buy', instrument, quantity: '2', currency });
    expect((await buy('EURO', 'USD')).body.code).toBe('currency_unsupported');
    expect((await buy('DLLR', 'EUR')).body.code).toBe('currency_unsupported');
    const bought = await buy('EURO', 'EUR');
    expect(bought.body).toMatchObject({ status: 'settled', amount: '200.00', currency: 'EUR' });
    expect((await trading.stored(bought.body.transactionId)).base_amount).toBe('22000');
    expect((await trader.portfolio()).positions).toMatchObject([
      { instrument: 'EURO', currency: 'EUR', price: '100.0000', value: '200.00' },
    ]);
    expect(await cash(trader)).toEqual({ USD: '1000.00', EUR: '800.00' });
  });

  it('whose code nobody knows is refused', async () => {
    const trader = await trading.trader('0');
    for (const currency of ['XXX', 'XAU', 'ZZZ']) {
      const answer = await trader.ask({ type: 'deposit', amount: '5', currency });
      expect([answer.status, answer.body.code]).toEqual([422, 'currency_unsupported']);
    }
  });

  it('that is too large in the base to be counted is refused', async () => {
    const trader = await trading.trader('0');
    await trading.rate('KWD', '900000');
    const answer = await trader.ask({ type: 'deposit', amount: '999999999999999.000', currency: 'KWD' });
    expect([answer.status, answer.body.code]).toEqual([422, 'amount_too_large']);
  });
});

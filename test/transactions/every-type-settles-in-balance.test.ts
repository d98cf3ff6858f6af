import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('every type of transaction settles as a balanced double entry', () => {
  let stack: Stack;
  let trading: Trading;
  let trader: Trader;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    trader = await trading.trader('1000.00');
    await trading.price('ACME', '12.3450');
  });
  afterAll(() => stack.close());

  it('deposit: money comes in from the bank', async () => {
    const answer = await trader.ask({ type: 'deposit', amount: '250.5', currency: 'USD' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ type: 'deposit', amount: '250.50', currency: 'USD', status: 'settled' });
    expect(answer.body.transactionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(Object.keys(answer.body).sort()).toEqual(
      ['amount', 'createdAt', 'currency', 'status', 'transactionId', 'type'].sort(),
    );
    expect((await trader.portfolio()).cash).toEqual([
      { currency: 'USD', balance: '1250.50', reserved: '0.00', available: '1250.50' },
    ]);
  });

  it('buy and sell: cash against position at the market price, rounded half-even', async () => {
    const buy = await trader.ask({ type: 'buy', instrument: 'ACME', quantity: '10', currency: 'USD' });
    expect(buy.body).toMatchObject({ status: 'settled', amount: '123.45' });
    expect(await trading.postings(buy.body.transactionId)).toEqual([
      { leg: 'cash', asset: 'cash:USD', amount: '12345' },
      { leg: 'position', asset: 'position:ACME', amount: '10000000' },
    ]);
    // 0.1 x 12.345 = 1.2345; 0.2 x 12.345 = 2.469
    const sell = await trader.ask({
      type: 'sell',
      instrument: 'ACME',
      quantity: '0.2',
      currency: 'USD',
      amount: '2.47',
    });
    expect(sell.body).toMatchObject({ status: 'settled', amount: '2.47' });
    const portfolio = await trader.portfolio();
    expect(portfolio.positions).toEqual([
      {
        instrument: 'ACME',
        currency: 'USD',
        quantity: '9.800000',
        reserved: '0.000000',
        available: '9.800000',
        price: '12.3450',
        value: '120.98',
      },
    ]);
    expect(portfolio.cash[0].balance).toBe('1129.52');
  });

  it('withdrawal and transfer: out to the bank, over to another customer', async () => {
    const other = await trading.trader('0');
    expect((await trader.withdraw('29.52')).status).toBe(201);
    const transfer = await trader.ask({
      type: 'transfer',
      amount: '100',
      currency: 'USD',
      counterparty: (await other.portfolio()).accountId,
    });
    expect(transfer.status).toBe(201);
    expect((await trader.portfolio()).cash[0].balance).toBe('1000.00');
    expect((await other.portfolio()).cash[0].balance).toBe('100.00');
  });

  it('what is not there is rejected, stored and moves nothing', async () => {
    const poor = await trading.trader('10.00');
    const tooMuch = await poor.withdraw('10.01');
    expect(tooMuch.status).toBe(422);
    expect(tooMuch.body).toMatchObject({ code: 'insufficient_funds', status: 422 });
    expect(tooMuch.headers.get('content-type')).toContain('application/problem+json');
    expect((await poor.get(tooMuch.body.transactionId)).body).toMatchObject({
      status: 'rejected',
      code: 'insufficient_funds',
    });
    const noShares = await poor.ask({ type: 'sell', instrument: 'ACME', quantity: '1', currency: 'USD' });
    expect(noShares.body.code).toBe('insufficient_funds');
    const gold = await poor.ask({ type: 'deposit', amount: '5', currency: 'XAU' });
    expect(gold.body.code).toBe('currency_unsupported');
    const nowhere = await poor.ask({ type: 'transfer', amount: '1', currency: 'USD', counterparty: poor.accountId });
    expect(nowhere.body.code).toBe('counterparty_unknown');
    expect((await poor.withdraw('10.00')).status).toBe(201);
  });

  it('the list shows them, newest first, page by page, and nobody else sees them', async () => {
    const first = await stack.api.get('/api/transactions?limit=2', { token: trader.token });
    expect(first.body.items.map((item: { type: string }) => item.type)).toEqual(['transfer', 'withdrawal']);
    const second = await stack.api.get(`/api/transactions?limit=2&cursor=${first.body.nextCursor}`, {
      token: trader.token,
    });
    expect(second.body.items.map((item: { type: string }) => item.type)).toEqual(['sell', 'buy']);
    const other = await trading.trader('0');
    const id = first.body.items[0].transactionId;
    expect((await other.get(id)).status).toBe(404);
    expect((await other.cancel(id)).status).toBe(404);
    expect((await trader.get(id)).body).toMatchObject({ transactionId: id, category: 'other' });
  });

  it('the books agree with themselves', async () => {
    expect(await trading.ledgerFaults()).toEqual([]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('the market sets the price, the client only a limit', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    await trading.price('ACME', '100.00', 60_000);
  });
  afterAll(() => stack.close());

  const buy = { type: 'buy', instrument: 'ACME', quantity: '2', currency: 'USD' };

  it('a buy at 0.01 cannot settle at 0.01; a sell at a million cannot either', async () => {
    const trader = await trading.trader('1000.00');
    const cheap = await trader.ask({ ...buy, price: '0.01' });
    expect([cheap.status, cheap.body.code]).toEqual([422, 'price_limit']);
    expect((await trader.ask({ ...buy, price: '99.9999' })).body.code).toBe('price_limit');
    const fair = await trader.ask({ ...buy, price: '105.00' });
    expect(fair.body).toMatchObject({ status: 'settled', amount: '200.00' });
    const dear = await trader.ask({ ...buy, type: 'sell', price: '1000000' });
    expect(dear.body.code).toBe('price_limit');
    expect((await trader.ask({ ...buy, type: 'sell', price: '100' })).body.amount).toBe('200.00');
    expect((await trading.stored(fair.body.transactionId)).price).toBe('1000000');
  });

  it('a stated amount is quantity times price, or refused', async () => {
    const trader = await trading.trader('1000.00');
    const wrongAmount = await trader.ask({ ...buy, amount: '199.99' });
    expect([wrongAmount.status, wrongAmount.body.code]).toEqual([422, 'amount_mismatch']);
    expect((await trader.ask({ ...buy, price: '101', amount: '201.00' })).body.code).toBe('amount_mismatch');
    expect((await trader.ask({ ...buy, price: '101', amount: '202.00' })).body.amount).toBe('200.00');
    expect((await trader.ask({ ...buy, amount: '200.00' })).body.status).toBe('settled');
  });

  it('unknown and stale prices are refused', async () => {
    const trader = await trading.trader('1000.00');
    const unknown = await trader.ask({ ...buy, instrument: 'NOPE' });
    expect([unknown.status, unknown.body.code]).toEqual([422, 'instrument_unknown']);
    expect((await trader.get(unknown.body.transactionId)).body).toMatchObject({ instrument: 'NOPE', amount: null });
    await trading.price('OLD', '5.00', 15 * 60_000 + 1_000);
    expect((await trader.ask({ ...buy, instrument: 'OLD' })).body.code).toBe('price_stale');
    await trading.price('OLD', '5.00', 14 * 60_000);
    expect((await trader.ask({ ...buy, instrument: 'OLD' })).body.status).toBe('settled');
    // A price dated ahead is none yet.
    await trading.price('SOON', '5.00', -60_000);
    expect((await trader.ask({ ...buy, instrument: 'SOON' })).body.code).toBe('price_stale');
  });

  it('what rounds to nothing or is beyond counting is refused', async () => {
    const trader = await trading.trader('1000.00');
    expect((await trader.ask({ ...buy, quantity: '0.00004' })).body.code).toBe('amount_too_small');
    await trading.price('HUGE', '900000000000000');
    expect((await trader.ask({ ...buy, instrument: 'HUGE', quantity: '999999999999' })).body.code).toBe(
      'amount_too_large',
    );
  });

  it('at the approval the price is asked again', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const approve = (id: string) =>
      stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'ok' }, { token: reviewer.token });
    const heldBuy = async (instrument: string, more: object = {}) => {
      const trader = await trading.trader('1000.00');
      await trading.price(instrument, '100.00', 10_000);
      await trading.past(trader, { count: 10, type: 'buy' });
      const answer = await trader.ask({ ...buy, instrument, category: 'jewellery', ...more });
      expect(answer.body.status).toBe('quarantined');
      return { trader, id: answer.body.transactionId as string };
    };
    const limited = await heldBuy('RISE', { price: '110' });
    await trading.price('RISE', '110.01');
    expect((await approve(limited.id)).body).toMatchObject({ status: 'rejected', code: 'price_limit' });
    const open = await heldBuy('CLMB');
    await trading.price('CLMB', '120.00');
    expect((await approve(open.id)).body).toMatchObject({ status: 'settled', amount: '240.00' });
    expect((await open.trader.portfolio()).cash[0]).toMatchObject({ balance: '760.00', reserved: '0.00' });
    const costly = await heldBuy('MOON');
    await trading.price('MOON', '500.01');
    expect((await approve(costly.id)).body).toMatchObject({ status: 'rejected', code: 'insufficient_funds' });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('a price that outgrows the step-up amount after the decision settles nothing', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const trader = await trading.trader('90000.00');
    await trading.price('LEAP', '4999.00', 10_000);
    await trading.past(trader, { count: 10, type: 'buy' });
    const held = await trader.ask({ ...buy, instrument: 'LEAP', category: 'jewellery' });
    expect(held.body.status).toBe('quarantined');
    await trading.price('LEAP', '5000.01');
    const answer = await stack.api.post(
      `/api/admin/security/transactions/${held.body.transactionId}/approve`,
      { reason: 'ok' },
      { token: reviewer.token },
    );
    expect(answer.body).toMatchObject({ status: 'rejected', code: 'price_limit' });
  });

  it('an admin imports dated prices; a recorded price never changes; others may not', async () => {
    const admin = await stack.people.signedIn('admin');
    const at = new Date().toISOString();
    const send = (prices: object[], token = admin.token) => stack.api.post('/api/admin/prices', { prices }, { token });
    const first = await send([{ instrument: 'NEW', name: 'New one', at, price: '7.5' }]);
    expect(first.body).toEqual({ newInstruments: 1, inserted: 1, unchanged: 0, conflicting: [] });
    expect((await send([{ instrument: 'NEW', at, price: '7.5000' }])).body).toMatchObject({
      inserted: 0,
      unchanged: 1,
    });
    expect((await send([{ instrument: 'NEW', at, price: '8' }])).body.conflicting).toEqual([{ instrument: 'NEW', at }]);
    for (const bad of [
      { instrument: 'new', at, price: '1' },
      { instrument: 'X', at: 'now', price: '1' },
      { instrument: 'X', at, price: '0' },
    ]) {
      expect((await send([bad])).status).toBe(400);
    }
    const customer = await stack.people.signedIn('customer');
    expect((await send([{ instrument: 'NEW', at, price: '1' }], customer.token)).status).toBe(403);
    const listed = await stack.api.get('/api/instruments', { token: customer.token });
    expect(listed.body.items).toContainEqual({
      instrument: 'NEW',
      name: 'New one',
      currency: 'USD',
      price: '7.5000',
      pricedAt: at,
      stale: false,
    });
  });

  it('in development ten instruments have a live price', async () => {
    const customer = await stack.people.signedIn('customer');
    const listed = await stack.api.get('/api/instruments', { token: customer.token });
    const live = listed.body.items.filter(
      (item: { instrument: string; name: string; stale: boolean }) => item.name !== item.instrument && !item.stale,
    );
    expect(live.length).toBeGreaterThanOrEqual(10);
    const trader = await trading.trader('1000.00');
    expect((await trader.ask({ ...buy, instrument: 'ALPN' })).body.status).toBe('settled');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { type StripeFake, startStripe, stripeEvent, stripeSignature } from '../helpers/stripe-fake.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('[C3] a deposit in another currency with Stripe', () => {
  let stripe: StripeFake;
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stripe = await startStripe();
    stack = await createStack({ env: { ...stripe.env, VERDICT_TIMEOUT: '30s', PAYMENT_TIMEOUT: '3s' } });
    trading = createTrading(stack);
    for (const [currency, rate] of Object.entries({
      ...{ EUR: '1.1', JPY: '0.0067', KRW: '0.0007', KWD: '3.25', BHD: '2.65', ISK: '0.0073' },
    })) {
      await trading.rate(currency, rate, 60_000);
    }
  });
  afterAll(async () => {
    await stack?.close();
    await stripe?.close();
  });

  const deliver = (body: string) =>
    stack.api.post('/api/payments/stripe/webhook', body, { headers: { 'Stripe-Signature': stripeSignature(body) } });
  const asked = (transactionId: string) =>
    eventually(() => stripe.of(transactionId), { what: 'the payment that is asked for' });
  const ended = (trader: Trader, id: string) =>
    eventually(
      async () => {
        const { body } = await trader.get(id);
        return ['settled', 'rejected'].includes(body.status) ? body : undefined;
      },
      { what: 'the end of the deposit', timeoutMs: 20_000 },
    );
  const inCurrency = (trader: Trader, currency: string, amount: string) =>
    trader.ask({ type: 'deposit', amount, currency, category: 'salary' });

  it.each([
    ['EUR', '250.00', 25_000],
    ['JPY', '15000', 15_000],
    ['KRW', '150000', 150_000],
    ['KWD', '12.340', 12_340],
    ['BHD', '12.34', 12_340],
    ['ISK', '4500', 450_000],
  ])('is asked for in %s: %s is %i there, and booked as what it was', async (currency, amount, atStripe) => {
    const trader = await trading.trader('0');
    const answer = await inCurrency(trader, currency, amount);
    expect(answer.body).toMatchObject({ status: 'payment_required', currency });
    const id = answer.body.transactionId;
    const intent = await asked(id);
    expect(intent).toMatchObject({ amount: atStripe, currency: currency.toLowerCase() });
    stripe.pay(intent);
    await deliver(stripeEvent('payment_intent.succeeded', intent));
    expect(await ended(trader, id)).toMatchObject({ status: 'settled', currency });
    const { currency: booked, balance } = (await trader.portfolio()).cash[0];
    expect([booked, Number(balance)]).toEqual([currency, Number(amount)]);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('of which a fraction was paid that the currency does not have is not booked', async () => {
    const trader = await trading.trader('0');
    const { transactionId: id } = (await inCurrency(trader, 'ISK', '4500')).body;
    stripe.pay(await asked(id), { amount_received: 449_950 });
    expect(await ended(trader, id)).toMatchObject({ status: 'rejected', code: 'payment_mismatch' });
  });

  it('with a third fraction digit, which no card takes, is refused at once and in words', async () => {
    const trader = await trading.trader('0');
    const answer = await inCurrency(trader, 'KWD', '12.345');
    expect([answer.status, answer.body.code]).toEqual([422, 'amount_not_payable']);
    expect(answer.body.detail).toContain('last digit of zero');
    expect(stripe.of(answer.body.transactionId)).toBeUndefined();
  });

  it('is nothing to pay while there is no rate; approved then, it is asked for once there is one', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const approve = async (id: string) =>
      (await stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'ok' }, reviewer)).body;
    const trader = await trading.trader('0');
    const ids: string[] = [];
    for (const amount of ['100.00', '200.00']) {
      const { body } = await inCurrency(trader, 'GBP', amount);
      expect(body.status).toBe('quarantined');
      ids.push(body.transactionId);
    }
    const [without = '', withRate = ''] = ids;
    await approve(without);
    expect(await ended(trader, without)).toMatchObject({ status: 'rejected', code: 'rate_unavailable' });
    expect(stripe.of(without)).toBeUndefined();
    await trading.rate('GBP', '1.25');
    const approving = approve(withRate);
    stripe.pay(await asked(withRate));
    expect(await approving).toMatchObject({ status: 'settled' });
    expect(await ended(trader, withRate)).toMatchObject({ status: 'settled', baseAmount: '250.00' });
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { loadConfig } from '../../platform/config.ts';
import { taskQueues, workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import { historyTexts } from '../helpers/histories.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import {
  type FakeIntent,
  STRIPE_KEYS,
  type StripeFake,
  startStripe,
  stripeEvent,
  stripeSignature,
} from '../helpers/stripe-fake.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const WEBHOOK = '/api/payments/stripe/webhook';

let stripe: StripeFake;
let stack: Stack;
let trading: Trading;

beforeAll(async () => {
  stripe = await startStripe();
  stack = await createStack({ env: { ...stripe.env, VERDICT_TIMEOUT: '30s', PAYMENT_TIMEOUT: '3s' } });
  trading = createTrading(stack);
});
afterAll(async () => {
  await stack?.close();
  await stripe?.close();
});
beforeEach(() => stripe.fail(0));

const deposit = (trader: Trader, amount = '250.00', more: object = {}) =>
  trader.ask({ type: 'deposit', amount, currency: 'USD', category: 'salary', ...more });
const deliver = (body: string, signature = stripeSignature(body)) =>
  stack.api.post(WEBHOOK, body, { headers: { 'Stripe-Signature': signature } });
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
const historyOf = async (id: string): Promise<string> => {
  const { decisions } = taskQueues(stack.config.taskQueuePrefix);
  return eventually(async () =>
    (await historyTexts(stack.temporal, stack.keyring, [decisions])).get(workflowIds.transaction(id)),
  );
};
const cash = async (trader: Trader): Promise<string> => (await trader.portfolio()).cash[0]?.balance ?? '0.00';

/** A deposit that waits for its payment. */
async function waiting(trader: Trader, amount?: string): Promise<{ id: string; intent: FakeIntent }> {
  const answer = await deposit(trader, amount);
  expect(answer).toMatchObject({ status: 202, body: { status: 'payment_required', payBy: expect.any(String) } });
  const id = answer.body.transactionId as string;
  return { id, intent: await asked(id) };
}

describe('[C3] a deposit with Stripe', () => {
  it('is booked when Stripe tells that it was paid, and not before; the owner alone is handed what pays it', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    expect(intent).toMatchObject({ amount: 25_000, currency: 'usd', metadata: { transactionId: id } });
    const create = stripe.requests.find(({ body }) => body.includes(id));
    expect(create).toMatchObject({ method: 'POST', idempotencyKey: `tradeguard-deposit-${id}` });

    const handle = await eventually(async () => {
      const answer = await stack.api.get(`/api/transactions/${id}/payment`, { token: trader.token });
      return answer.status === 200 ? answer.body : undefined;
    });
    expect(handle).toEqual({
      provider: 'stripe',
      paymentId: intent.id,
      state: 'open',
      clientSecret: intent.client_secret,
    });
    const stranger = await trading.trader('0');
    expect((await stack.api.get(`/api/transactions/${id}/payment`, { token: stranger.token })).status).toBe(404);
    expect(await cash(trader)).toBe('0.00');

    stripe.pay(intent);
    expect(await deliver(stripeEvent('payment_intent.succeeded', intent))).toMatchObject({
      status: 200,
      body: { received: true },
    });
    expect(await ended(trader, id)).toMatchObject({ status: 'settled', amount: '250.00' });
    expect(await cash(trader)).toBe('250.00');
    expect((await trading.audit(id)).map(({ action }) => action)).toEqual([
      'transaction.payment_required',
      'payment.reported',
      'transaction.settled',
    ]);
  });

  it('is booked once, though the event comes 20 times at once, again later, and before an older one', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader, '90.00');
    const failed = stripeEvent('payment_intent.payment_failed', { ...intent });
    stripe.pay(intent);
    const event = stripeEvent('payment_intent.succeeded', intent);
    const answers = await Promise.all(Array.from({ length: 20 }, () => deliver(event)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect((await ended(trader, id)).status).toBe('settled');
    for (const late of [event, failed]) expect((await deliver(late)).status).toBe(200);
    expect(await trading.postings(id)).toHaveLength(1);
    expect(await cash(trader)).toBe('90.00');
    expect((await trading.audit(id)).filter(({ action }) => action === 'payment.reported')).toHaveLength(2);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it.each([
    [
      'a signature of another secret',
      (body: string) => [body, stripeSignature(body, { secret: 'whsec_of_somebody_else' })],
    ],
    [
      'a body of which a byte was altered',
      (body: string) => [body.replace('succeeded', 'Succeeded'), stripeSignature(body)],
    ],
    ['a body with another space', (body: string) => [body.replace(':', ': '), stripeSignature(body)]],
    [
      'a signature of six minutes ago',
      (body: string) => [body, stripeSignature(body, { timestamp: Math.floor(Date.now() / 1000) - 360 })],
    ],
    [
      'a signature of next year',
      (body: string) => [body, stripeSignature(body, { timestamp: Math.floor(Date.now() / 1000) + 31_536_000 })],
    ],
    ['a byte order mark in front', (body: string) => [`\ufeff${body}`, stripeSignature(body)]],
    ['no signature', (body: string) => [body, '']],
  ])('takes no webhook with %s, and counts it', async (_what, tampered) => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    const [body = '', signature = ''] = tampered(
      stripeEvent('payment_intent.succeeded', { ...intent, status: 'succeeded' }),
    );
    expect(await deliver(body, signature)).toMatchObject({ status: 400, body: { code: 'webhook_invalid' } });
    expect(await rows(stack.db.fork(), 'select 1 from payment_event where payment_id = $1', [intent.id])).toEqual([]);
    const counted = await rows<{ cause: string }>(
      stack.db.fork(),
      `select cause from front_door_event where route = $1 and cause = 'webhook_signature'`,
      [`POST ${WEBHOOK}`],
    );
    expect(counted.length).toBeGreaterThan(0);
    const entries = await rows(stack.db.fork(), `select 1 from audit_entry where action = 'payment.webhook_refused'`);
    expect(entries.length).toBeGreaterThan(0);
    // However many are refused: one entry a minute and network.
    expect(entries.length).toBeLessThanOrEqual(counted.length);
    expect((await trader.get(id)).body.status).toBe('payment_required');
  });

  it('believes Stripe itself, not an event: one that says paid while it is not books nothing', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    const lie = { ...intent, status: 'succeeded', amount_received: intent.amount };
    expect((await deliver(stripeEvent('payment_intent.succeeded', lie))).status).toBe(200);
    expect(await ended(trader, id)).toMatchObject({ status: 'rejected', code: 'payment_expired' });
    expect(intent.status).toBe('canceled');
    expect(await cash(trader)).toBe('0.00');
  });

  it.each([
    ['amount', { amount_received: 24_999 }],
    ['currency', { currency: 'eur' }],
  ])('of which another %s was paid is not booked, and a high incident says so', async (_what, paid) => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    stripe.pay(intent, paid);
    await deliver(stripeEvent('payment_intent.succeeded', intent));
    expect(await ended(trader, id)).toMatchObject({ status: 'rejected', code: 'payment_mismatch' });
    expect(await trading.incidents(id)).toEqual([{ cause: 'payment_mismatch', severity: 'high', status: 'open' }]);
    expect(await cash(trader)).toBe('0.00');
  });

  it('whose webhook was lost is booked all the same: Stripe is asked before its time is over', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    stripe.pay(intent);
    expect((await ended(trader, id)).status).toBe('settled');
    expect(await cash(trader)).toBe('250.00');
  });

  it('that nobody pays is rejected after its time and cancelled at Stripe; one taken back by its owner at once', async () => {
    const trader = await trading.trader('0');
    const first = await waiting(trader);
    expect(await ended(trader, first.id)).toMatchObject({ status: 'rejected', code: 'payment_expired' });
    expect(first.intent.status).toBe('canceled');
    const second = await waiting(trader);
    expect((await trader.cancel(second.id)).body).toMatchObject({ status: 'rejected', code: 'cancelled' });
    expect(second.intent.status).toBe('canceled');
    const third = await waiting(trader);
    stripe.pay(third.intent);
    expect((await trader.cancel(third.id)).body.code).toBe('not_cancellable');
    expect((await trader.get(third.id)).body.status).toBe('settled');
  });

  it('outlasts a Stripe that is down, and a worker that dies between the event and the booking', async () => {
    const trader = await trading.trader('0');
    stripe.fail(3);
    const { id, intent } = await waiting(trader);
    await stack.stopWorker();
    stripe.pay(intent);
    expect((await deliver(stripeEvent('payment_intent.succeeded', intent))).status).toBe(200);
    expect((await trader.get(id)).body.status).toBe('payment_required');
    await stack.startWorker();
    expect((await ended(trader, id)).status).toBe('settled');
    expect([...stripe.intents.values()].filter(({ metadata }) => metadata.transactionId === id)).toHaveLength(1);
  });

  it('that Stripe does not take is rejected; one that its owner takes back while Stripe is down ends without it', async () => {
    const trader = await trading.trader('0');
    const tooSmall = (await deposit(trader, '0.10')).body.transactionId;
    expect(await ended(trader, tooSmall)).toMatchObject({ status: 'rejected', code: 'payment_failed' });
    stripe.fail(1_000);
    const answer = await deposit(trader);
    expect(answer.body.status).toBe('payment_required');
    expect((await trader.cancel(answer.body.transactionId)).body).toMatchObject({ code: 'cancelled' });
  });

  it('that is told of as paid after it was rejected is an incident for a person', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    await ended(trader, id);
    stripe.pay(intent);
    expect((await deliver(stripeEvent('payment_intent.succeeded', intent))).status).toBe(200);
    expect(await trading.incidents(id)).toEqual([{ cause: 'payment_mismatch', severity: 'high', status: 'open' }]);
  });

  it('is not given up where Stripe does not find its payment: it may be paid, and a key can be wrong', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    stripe.intents.delete(intent.id);
    const before = stripe.requests.length;
    await deliver(stripeEvent('payment_intent.processing', intent));
    await eventually(() => stripe.requests.slice(before).length > 1, { what: 'Stripe is asked again' });
    expect((await trader.get(id)).body.status).toBe('payment_required');
    stripe.pay(intent);
    stripe.intents.set(intent.id, intent);
    expect((await ended(trader, id)).status).toBe('settled');
  });

  it('is judged first: one above 10,000 asks for a factor before there is anything to pay', async () => {
    const trader = await trading.trader('0');
    const answer = await deposit(trader, '10000.01');
    expect(answer.body.status).toBe('step_up_required');
    const id = answer.body.transactionId;
    const none = await stack.api.get(`/api/transactions/${id}/payment`, { token: trader.token });
    expect([none.status, none.body.code]).toEqual([409, 'no_payment']);
    expect(stripe.of(id)).toBeUndefined();
    const confirmed = await trader.confirm(id, { method: 'totp', code: stack.people.totpCode(trader.totpSecret) });
    expect(confirmed).toMatchObject({ status: 202, body: { status: 'payment_required' } });
    stripe.pay(await asked(id));
    expect((await ended(trader, id)).status).toBe('settled');
  });

  it('is booked for an account that was frozen meanwhile: the money is there, and cannot leave', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    stripe.pay(intent);
    await run(stack.ownerDb.fork(), 'update app_user set restricted_at = clock_timestamp() where id = $1', [
      trader.userId,
    ]);
    await deliver(stripeEvent('payment_intent.succeeded', intent));
    await eventually(async () => (await trading.stored(id)).status === 'settled');
    await run(stack.ownerDb.fork(), 'update app_user set restricted_at = null where id = $1', [trader.userId]);
  });

  it('tells no secret: not in the history, not in the database', async () => {
    const trader = await trading.trader('0');
    const { id, intent } = await waiting(trader);
    stripe.pay(intent);
    await ended(trader, id);
    const found = await historyOf(id);
    const stored = JSON.stringify([
      await rows(stack.ownerDb.fork(), 'select * from payment'),
      await rows(stack.ownerDb.fork(), 'select * from payment_event'),
      await rows(stack.ownerDb.fork(), 'select entry from audit_entry'),
    ]);
    for (const secret of [intent.client_secret, STRIPE_KEYS.STRIPE_SECRET_KEY, STRIPE_KEYS.STRIPE_WEBHOOK_SECRET]) {
      expect(found).not.toContain(secret);
      expect(stored).not.toContain(secret);
    }
  });

  it('answers 200 to what is not about a deposit of ours, and changes nothing', async () => {
    const other = {
      id: 'pi_of_another_program',
      object: 'payment_intent',
      amount: 1,
      amount_received: 1,
      currency: 'usd',
      metadata: {},
      status: 'succeeded',
    };
    expect((await deliver(stripeEvent('payment_intent.succeeded', other))).status).toBe(200);
    expect((await deliver(stripeEvent('customer.created', { id: 'cus_1', object: 'customer' }))).status).toBe(200);
  });
});

describe('[C3] without Stripe', () => {
  const base = {
    DATABASE_URL: 'postgresql://a:b@127.0.0.1/c',
    SESSION_SECRET: randomBytes(32).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
  };

  it.each([
    [
      { STRIPE_SECRET_KEY: STRIPE_KEYS.STRIPE_SECRET_KEY },
      /STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET belong together/,
    ],
    [{ ...STRIPE_KEYS, STRIPE_SECRET_KEY: 'pk_test_12345678' }, /STRIPE_SECRET_KEY: write a secret or restricted key/],
    [{ ...STRIPE_KEYS, STRIPE_WEBHOOK_SECRET: 'secret' }, /STRIPE_WEBHOOK_SECRET: write the signing secret/],
    [{ ...STRIPE_KEYS, NODE_ENV: 'production' }, /STRIPE_SECRET_KEY: production needs a live key/],
  ])('%o is refused at the start', (env, message) => {
    expect(() => loadConfig({ ...base, ...env })).toThrow(message);
  });

  it('a deposit is booked at once in development, and a webhook is refused', async () => {
    const without = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    try {
      const trader = await createTrading(without).trader('0');
      expect((await deposit(trader)).body.status).toBe('settled');
      const body = stripeEvent('payment_intent.succeeded', {});
      const refused = await without.api.post(WEBHOOK, body, { headers: { 'Stripe-Signature': stripeSignature(body) } });
      expect([refused.status, refused.body.code]).toEqual([403, 'deposits_off']);
    } finally {
      await without.close();
    }
  });
});

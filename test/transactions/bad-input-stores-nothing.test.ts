import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const withdrawal = { type: 'withdrawal', amount: '1.00', currency: 'USD' };
const buy = { type: 'buy', instrument: 'ACME', quantity: '1', currency: 'USD' };
const RECIPIENT = '0190a000-0000-7000-8000-000000000000';

describe('input that is not exactly right is refused with the field it is about, and stores nothing', () => {
  let stack: Stack;
  let trading: Trading;
  let trader: Trader;

  beforeAll(async () => {
    // Nothing here may reach a workflow, so no worker runs.
    stack = await createStack({ worker: false, env: { VERDICT_TIMEOUT: '1s' } });
    trading = createTrading(stack);
    trader = await trading.trader();
  });
  afterAll(() => stack.close());

  it.each([
    ['no type', { ...withdrawal, type: undefined }, '/type'],
    ['an unknown type', { ...withdrawal, type: 'gift' }, '/type'],
    ['no amount', { ...withdrawal, amount: undefined }, '/amount'],
    ['a number for an amount', { ...withdrawal, amount: 1 }, '/amount'],
    ['zero', { ...withdrawal, amount: '0' }, '/amount'],
    ['zero in cents', { ...withdrawal, amount: '0.00' }, '/amount'],
    ['a negative amount', { ...withdrawal, amount: '-1.00' }, '/amount'],
    ['three fraction digits of dollars', { ...withdrawal, amount: '1.001' }, '/amount'],
    ['a fraction of yen', { ...withdrawal, amount: '1.0', currency: 'JPY' }, '/amount'],
    ['a leading zero', { ...withdrawal, amount: '01.00' }, '/amount'],
    ['a trailing dot', { ...withdrawal, amount: '1.' }, '/amount'],
    ['an exponent', { ...withdrawal, amount: '1e3' }, '/amount'],
    ['a space', { ...withdrawal, amount: ' 1.00' }, '/amount'],
    ['other digits', { ...withdrawal, amount: '１.00' }, '/amount'],
    ['sixteen integer digits', { ...withdrawal, amount: '1000000000000000' }, '/amount'],
    ['a lower-case currency', { ...withdrawal, currency: 'usd' }, '/currency'],
    ['no currency', { ...withdrawal, currency: undefined }, '/currency'],
    ['null', { ...withdrawal, category: null }, '/category'],
    ['a category with a dash', { ...withdrawal, category: 'a-b' }, '/category'],
    ['a category of 41', { ...withdrawal, category: 'a'.repeat(41) }, '/category'],
    ['an unknown member', { ...withdrawal, note: 'x' }, '/'],
    ['U+0000', { ...withdrawal, counterparty: 'a\u0000b' }, '/counterparty'],
    ['a lone surrogate', { ...withdrawal, counterparty: 'a\ud800b' }, '/counterparty'],
    ['a counterparty of 65', { ...withdrawal, counterparty: 'a'.repeat(65) }, '/counterparty'],
    ['a transfer to nobody', { ...withdrawal, type: 'transfer' }, '/counterparty'],
    ['a transfer to a name', { ...withdrawal, type: 'transfer', counterparty: 'Bob' }, '/counterparty'],
    ['a withdrawal of shares', { ...withdrawal, instrument: 'ACME' }, '/instrument'],
    ['a withdrawal with a price', { ...withdrawal, price: '1' }, '/price'],
    ['a buy of nothing', { ...buy, instrument: undefined }, '/instrument'],
    ['a buy without quantity', { ...buy, quantity: undefined }, '/quantity'],
    ['a quantity of zero', { ...buy, quantity: '0.000000' }, '/quantity'],
    ['seven fraction digits', { ...buy, quantity: '0.0000001' }, '/quantity'],
    ['a price of five fraction digits', { ...buy, price: '1.00001' }, '/price'],
    ['a lower-case instrument', { ...buy, instrument: 'acme' }, '/instrument'],
    ['an instrument with SQL', { ...buy, instrument: "A';--" }, '/instrument'],
  ])('%s', async (_, body, pointer) => {
    const answer = await trader.ask(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'validation_failed']);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  });

  it.each([
    ['no JSON', '{"type":'],
    ['an array', '[]'],
    ['text', '"withdrawal"'],
  ])('%s', async (_, body) => {
    const answer = await stack.api.post('/api/transactions', body, {
      token: trader.token,
      signWith: trader.signingKey,
      headers: { 'Idempotency-Key': 'k1' },
    });
    expect(answer.status).toBe(400);
  });

  it('import headers are for the importer alone, who has to be switched on', async () => {
    for (const name of ['X-Virtual-Time', 'X-On-Behalf-Of', 'X-Outside-Features']) {
      const answer = await stack.api.post('/api/transactions', withdrawal, {
        token: trader.token,
        signWith: trader.signingKey,
        headers: { 'Idempotency-Key': 'k2', [name]: '2020-01-01T00:00:00Z' },
      });
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
    }
    const importer = await stack.people.signedIn('importer');
    const answer = await stack.api.post('/api/transactions', withdrawal, {
      token: importer.token,
      signWith: await issueSigningKey(stack.api, importer.token),
      headers: {
        'Idempotency-Key': 'k3',
        'X-Virtual-Time': '2020-01-01T00:00:00Z',
        'X-On-Behalf-Of': trader.userId,
      },
    });
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
  });

  it('factors and cancellation are as strict', async () => {
    const post = (path: string, body: unknown) =>
      stack.api.post(`/api/transactions/${path}`, body, { token: trader.token, signWith: trader.signingKey });
    expect((await post('not-an-id/cancel', {})).status).toBe(400);
    expect((await post(`${RECIPIENT}/cancel`, {})).status).toBe(404);
    expect((await post(`${RECIPIENT}/factors`, { method: 'totp', code: '12345' })).status).toBe(400);
    expect((await post(`${RECIPIENT}/factors`, { method: 'magic', code: '123456' })).status).toBe(400);
    expect((await post(`${RECIPIENT}/factors`, { method: 'totp', code: '123456' })).status).toBe(404);
    expect((await stack.api.get('/api/transactions?cursor=nonsense', { token: trader.token })).body.code).toBe(
      'invalid_cursor',
    );
    expect((await stack.api.get('/api/transactions?limit=0', { token: trader.token })).status).toBe(400);
  });

  it('nothing was stored, and nobody without a session gets in', async () => {
    expect(await trading.count(trader.accountId)).toBe(0);
    expect((await stack.api.post('/api/transactions', withdrawal)).status).toBe(401);
    expect((await stack.api.get('/api/portfolio')).status).toBe(401);
  });

  it('without a worker: 503 with Retry-After, and the same key gets the verdict once one runs', async () => {
    const answer = await trader.withdraw('1.00', {}, 'later');
    expect([answer.status, answer.body.code]).toEqual([503, 'verdict_pending']);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    await stack.startWorker();
    await expect.poll(async () => (await trader.withdraw('1.00', {}, 'later')).status, { timeout: 20_000 }).toBe(201);
    expect(await trading.count(trader.accountId)).toBe(1);
  });
});

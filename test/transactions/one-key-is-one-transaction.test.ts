import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyHash, transactionBody } from '../../api/transaction-body.ts';
import { transactionIdFor } from '../../security/tokens.ts';
import { taskQueues, workflowIds } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';
import { transactionInput } from '../helpers/transaction-activities.ts';

describe('an Idempotency-Key names one transaction', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('50 requests at once under one key are one transaction and one answer', async () => {
    const trader = await trading.trader();
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 50 }, () => trader.withdraw('5.00', {}, key)));
    expect(new Set(answers.map((answer) => JSON.stringify([answer.status, answer.body]))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true')).toHaveLength(49);
    expect(await trading.count(trader.accountId)).toBe(1);
    expect((await trader.portfolio()).cash[0].balance).toBe('99995.00');
  });

  it('the first answer is given again after the state moved on; GET tells the present one', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 10 });
    const key = randomUUID();
    const ask = () => trader.withdraw('500.00', { category: 'jewellery' }, key);
    const first = await ask();
    expect(first.body.status).toBe('quarantined');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const id = first.body.transactionId;
    expect((await ask()).body).toEqual(first.body);
    expect((await trader.cancel(id)).status).toBe(200);
    const after = await ask();
    expect([after.status, after.body]).toEqual([202, first.body]);
    expect(after.headers.get('idempotency-replayed')).toBe('true');
    expect((await trader.get(id)).body).toMatchObject({ status: 'rejected', code: 'cancelled' });
  });

  it('a rejection is repeated to the letter', async () => {
    const trader = await trading.trader('1.00');
    const key = randomUUID();
    const first = await trader.withdraw('2.00', {}, key);
    await trading.fund(trader.accountId, '10.00');
    const again = await trader.withdraw('2.00', {}, key);
    expect(again.body).toEqual(first.body);
    expect([first.status, again.status]).toEqual([422, 422]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  it('another body under the key is a conflict, another spelling of the same one is not', async () => {
    const trader = await trading.trader();
    const key = randomUUID();
    const first = await trader.ask({ type: 'withdrawal', amount: '5.00', currency: 'USD' }, key);
    const other = await trader.ask({ type: 'withdrawal', amount: '5.01', currency: 'USD' }, key);
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused']);
    const same = await stack.api.post(
      '/api/transactions',
      '{ "currency":"USD", "category":"other",\n"amount":"5.00","type":"withdrawal" }',
      { token: trader.token, signWith: trader.signingKey, headers: { 'Idempotency-Key': key } },
    );
    expect([same.status, same.body]).toEqual([201, first.body]);
    expect(await trading.count(trader.accountId)).toBe(1);
  });

  it('two bodies at once under one key: one is decided, the other is a conflict', async () => {
    const trader = await trading.trader();
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => trader.withdraw(n % 2 === 0 ? '1.00' : '2.00', {}, key)),
    );
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(5);
    expect(answers.filter((answer) => answer.status === 409)).toHaveLength(5);
    expect(await trading.count(trader.accountId)).toBe(1);
  });

  it('the same key of another person is another transaction', async () => {
    const [a, b] = [await trading.trader(), await trading.trader()];
    const key = randomUUID();
    const [first, second] = [await a.withdraw('1.00', {}, key), await b.withdraw('1.00', {}, key)];
    expect(first.body.transactionId).not.toBe(second.body.transactionId);
  });

  it('a frozen account is refused, the refusal is kept apart from other bodies, and nothing is stored', async () => {
    const trader = await trading.trader();
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(`update app_user set restricted_at = now() where id = '${trader.userId}'`);
    const key = randomUUID();
    const first = await trader.withdraw('1.00', {}, key);
    expect([first.status, first.body.code]).toEqual([403, 'account_restricted']);
    const again = await trader.withdraw('1.00', {}, key);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([403, 'true']);
    expect((await trader.withdraw('2.00', {}, key)).status).toBe(409);
    expect(await trading.count(trader.accountId)).toBe(0);
  });

  /** Starts the workflow as the API does, but without the update that waits for its verdict. */
  async function startUnheard(trader: Trader, key: string) {
    const body = transactionBody.parse({ type: 'withdrawal', amount: '1.00', currency: 'USD' });
    const transactionId = transactionIdFor(stack.keyring, trader.userId, 'POST /api/transactions', key);
    const queues = taskQueues(stack.config.taskQueuePrefix);
    return stack.temporal.workflow.start('transaction', {
      workflowId: workflowIds.transaction(transactionId),
      taskQueue: queues.decisions,
      args: [transactionInput(trader, { transactionId, bodyHash: bodyHash(body) }, queues)],
    });
  }

  it('a workflow that ended without having heard of the request still gives its verdict', async () => {
    const trader = await trading.trader();
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(`update app_user set restricted_at = now() where id = '${trader.userId}'`);
    const key = randomUUID();
    await (await startUnheard(trader, key)).result();
    const answer = await trader.withdraw('1.00', {}, key);
    expect([answer.status, answer.body.code]).toEqual([403, 'account_restricted']);
    expect((await trader.withdraw('2.00', {}, key)).status).toBe(409);
  });

  it('a workflow that an operator ended before it decided says so', async () => {
    const trader = await trading.trader();
    const key = randomUUID();
    await stack.stopWorker();
    const handle = await startUnheard(trader, key);
    await handle.terminate('test');
    await stack.startWorker();
    const answer = await trader.withdraw('1.00', {}, key);
    expect([answer.status, answer.body.code]).toEqual([422, 'cancelled']);
    expect(await trading.count(trader.accountId)).toBe(0);
  });

  it('without a key, or with one that is none, nothing happens', async () => {
    const trader = await trading.trader();
    const body = { type: 'withdrawal', amount: '1.00', currency: 'USD' };
    const none = await stack.api.post('/api/transactions', body, {
      token: trader.token,
      signWith: trader.signingKey,
    });
    expect([none.status, none.body.code]).toEqual([400, 'idempotency_key_required']);
    const long = await trader.ask(body, 'x'.repeat(201));
    expect(long.body.code).toBe('idempotency_key_required');
    expect(await trading.count(trader.accountId)).toBe(0);
  });
});

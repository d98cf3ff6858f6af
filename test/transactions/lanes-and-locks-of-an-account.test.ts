import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOrm, type Database } from '../../db/orm.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { transactionActivities, transactionInput } from '../helpers/transaction-activities.ts';

describe('decisions of one account, in one process and in two', () => {
  let stack: Stack;
  let trading: Trading;
  let narrow: Database;

  beforeAll(async () => {
    stack = await createStack({ worker: false });
    trading = createTrading(stack);
    const { databaseUrl } = stack.config;
    narrow = await createOrm({ databaseUrl, poolMax: 3, applicationName: 'narrow' });
  });
  afterAll(async () => {
    await narrow.close();
    await stack.close();
  });

  it('200 decisions of one account hold one of three connections; another account is decided among the first', async () => {
    const activities = transactionActivities(stack, narrow);
    const [busy, quiet] = [await trading.trader(), await trading.trader()];
    let done = 0;
    const flood = Array.from({ length: 200 }, async () => {
      await activities.assessTransaction(transactionInput(busy));
      done += 1;
    });
    const { verdict } = await activities.assessTransaction(transactionInput(quiet));
    expect(verdict).toMatchObject({ kind: 'decided', httpStatus: 201 });
    expect(done).toBeLessThan(10);
    await Promise.all(flood);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('processes that transfer in opposite directions lock in one order: no deadlock', async () => {
    const [a, b] = [await trading.trader('1000.00'), await trading.trader('1000.00')];
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const [from, to] = n % 2 === 0 ? [a, b] : [b, a];
        // Each has queues of its own, so only the order of the locks in the database keeps them apart.
        return transactionActivities(stack, stack.db).assessTransaction(
          transactionInput(from, { type: 'transfer', counterparty: to.accountId }),
        );
      }),
    );
    expect(results.map((result) => result.state?.view.status)).toEqual(Array(24).fill('settled'));
    expect((await a.portfolio()).cash[0].balance).toBe('1000.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('twenty processes at once still flag exactly 15 of 20', async () => {
    const trader = await trading.trader();
    const results = await Promise.all(
      Array.from({ length: 20 }, () =>
        transactionActivities(stack, stack.db).assessTransaction(transactionInput(trader)),
      ),
    );
    const points = await Promise.all(results.map((result) => trading.points(result.state?.view.transactionId ?? '')));
    expect(points.filter((one) => one.velocity === 40)).toHaveLength(15);
  });

  it('the same decision taken up by ten processes, and once more later, is one decision', async () => {
    const trader = await trading.trader('1000.00');
    const input = transactionInput(trader);
    const results = await Promise.all(
      Array.from({ length: 10 }, () => transactionActivities(stack, stack.db).assessTransaction(input)),
    );
    const later = await transactionActivities(stack, stack.db).assessTransaction(input);
    expect(new Set([...results, later].map((result) => JSON.stringify(result.verdict))).size).toBe(1);
    expect(await trading.postings(input.request.transactionId)).toHaveLength(1);
    expect((await trader.portfolio()).cash[0].balance).toBe('999.00');
    const steps = await trading.audit(input.request.transactionId);
    expect(steps.map((entry) => entry.action)).toEqual(['transaction.settled']);
  });

  it('a review signal taken up twice uses the code once and is one verdict', async () => {
    const trader = await trading.trader('1000.00');
    await trading.past(trader, { count: 10 });
    const input = transactionInput(trader, { category: 'jewellery', amount: '50000' });
    const activities = transactionActivities(stack, stack.db);
    await activities.assessTransaction(input);
    const reviewer = await stack.people.signedIn('reviewer');
    const totp = stack.people.totpCode(reviewer.totpSecret);
    const signal = { reviewer: reviewer.userId, verdict: 'reject', reason: 'not theirs', totp };
    const { transactionId } = input.request;
    const taken = await Promise.all(
      Array.from({ length: 5 }, () => transactionActivities(stack, stack.db).applyReview(transactionId, '0.1', signal)),
    );
    expect(taken.map(({ refused, state }) => [refused, state.view.code])).toEqual(
      Array(5).fill([null, 'review_rejected']),
    );
    const second = await activities.applyReview(transactionId, '0.2', signal);
    expect(second.refused).toBe('totp_invalid');
    expect((await trading.audit(transactionId)).map((entry) => entry.action)).toEqual([
      'transaction.held',
      'review.recorded',
      'transaction.rejected',
      'review.refused',
    ]);
  });
});

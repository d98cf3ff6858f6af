import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('requests at the same moment', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '60s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('[T2] 20 of one account: velocity flags exactly 15, and every time is its own', async () => {
    const trader = await trading.trader();
    const answers = await Promise.all(Array.from({ length: 20 }, () => trader.withdraw('1.00')));
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(201));
    const stored = await Promise.all(answers.map((answer) => trading.stored(answer.body.transactionId)));
    const flagged = stored.filter((row) =>
      row.reasons.some((reason) => reason.ruleId === 'velocity' && reason.points > 0),
    );
    expect(flagged).toHaveLength(15);
    expect(new Set(stored.map((row) => row.t_micros)).size).toBe(20);
    expect((await trader.portfolio()).cash[0].balance).toBe('99980.00');
  });

  it('20 that each want everything: one gets it, and the books agree', async () => {
    const trader = await trading.trader('50.00');
    const answers = await Promise.all(Array.from({ length: 20 }, () => trader.withdraw('50.00')));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.body.code === 'insufficient_funds')).toHaveLength(19);
    expect((await trader.portfolio()).cash).toEqual([]);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('reserved funds cannot be spent a second time', async () => {
    const trader = await trading.trader('600.00');
    await trading.held(trader, '500.00');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => trader.withdraw('100.00', { category: 'groceries' })),
    );
    const statuses = answers.map((answer) => answer.body.status ?? answer.body.code);
    expect(statuses.filter((status) => status !== 422 && status !== 'insufficient_funds')).toHaveLength(1);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '600.00', available: '0.00' });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('transfers from A to B and from B to A at once do not block each other', async () => {
    const [a, b] = [await trading.trader('1000.00'), await trading.trader('1000.00')];
    const transfer = (from: typeof a, to: typeof a) =>
      from.ask({ type: 'transfer', amount: '1.00', currency: 'USD', counterparty: to.accountId });
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? transfer(a, b) : transfer(b, a))),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(40).fill(201));
    // A deadlock costs at least a second each until PostgreSQL breaks it.
    expect(performance.now() - started).toBeLessThan(8_000);
    expect((await a.portfolio()).cash[0].balance).toBe('1000.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('200 of one account all settle, and another account is served meanwhile', { timeout: 180_000 }, async () => {
    const [busy, quiet] = [await trading.trader(), await trading.trader()];
    let done = 0;
    // As clients are told: a 503 means to ask again with the same key.
    const insist = async (trader: Trader) => {
      const key = randomUUID();
      for (;;) {
        const answer = await trader.withdraw('1.00', {}, key);
        if (answer.status !== 503) return answer.body.status ?? answer.body.code;
      }
    };
    const flood = Array.from({ length: 200 }, async () => {
      const status = await insist(busy);
      done += 1;
      return status;
    });
    expect(await insist(quiet)).toBe('settled');
    expect(done).toBeLessThan(200);
    expect(await Promise.all(flood)).toEqual(Array(200).fill('settled'));
    expect((await busy.portfolio()).cash[0].balance).toBe('99800.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });
});

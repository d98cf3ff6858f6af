import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('the three rules weigh exactly what the specification says, over HTTP', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('[T1] more than twice the average of its type weighs 0.30; exactly twice weighs nothing', async () => {
    const trader = await trading.trader();
    const first = await trader.withdraw('100.00');
    expect(await trading.points(first.body.transactionId)).toMatchObject({ amount_above_average: 0 });
    expect((await trading.stored(first.body.transactionId)).reasons[0]).toMatchObject({ note: 'no_history' });
    const twice = await trader.withdraw('200.00');
    expect(await trading.points(twice.body.transactionId)).toMatchObject({ amount_above_average: 0 });
    // The average is now 150.00: 300.00 is exactly twice, a cent more is above.
    const above = await trader.withdraw('300.01');
    expect(await trading.points(above.body.transactionId)).toMatchObject({ amount_above_average: 30 });
    const stored = await trading.stored(above.body.transactionId);
    expect(stored).toMatchObject({ score: 30, rule_set_version: 'v1', status: 'settled' });
    expect(stored.reasons.find((reason) => reason.ruleId === 'amount_above_average')).toMatchObject({
      value: 300.01,
      baseline: 150,
      threshold: 300,
    });
  });

  it('[T1] another type has an average of its own, and what did not settle is not in it', async () => {
    const trader = await trading.trader('50.00');
    expect((await trader.withdraw('10.00')).status).toBe(201);
    expect((await trader.withdraw('1000.00')).body.code).toBe('insufficient_funds');
    const deposit = await trader.ask({ type: 'deposit', amount: '9000.00', currency: 'USD' });
    expect(await trading.points(deposit.body.transactionId)).toMatchObject({ amount_above_average: 0 });
    const above = await trader.withdraw('20.01');
    expect(await trading.points(above.body.transactionId)).toMatchObject({ amount_above_average: 30 });
  });

  it('[T2] the sixth within an hour weighs 0.40, the fifth nothing; rejected ones are counted', async () => {
    const trader = await trading.trader();
    const points: (number | undefined)[] = [];
    for (const amount of ['1.00', '1.00', '999999.00', '1.00', '1.00', '1.00']) {
      const answer = await trader.withdraw(amount);
      points.push((await trading.points(answer.body.transactionId)).velocity);
    }
    expect(points).toEqual([0, 0, 0, 0, 0, 40]);
  });

  it('[T2] what happened exactly an hour ago has left the window', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 5, secondsApart: 719 });
    const sixth = await trader.withdraw('10.00', { category: 'groceries' });
    expect(await trading.points(sixth.body.transactionId)).toMatchObject({ velocity: 40 });
    const other = await trading.trader();
    await trading.past(other, { count: 5, secondsApart: 720 });
    const fifth = await other.withdraw('10.00', { category: 'groceries' });
    expect(await trading.points(fifth.body.transactionId)).toMatchObject({ velocity: 0 });
  });

  it('[T3] a category below 2 % of at least ten prior transactions weighs 0.20', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 9, secondsApart: 4000 });
    const ninePrior = await trader.withdraw('10.00', { category: 'jewellery' });
    expect(await trading.points(ninePrior.body.transactionId)).toMatchObject({ unusual_category: 0 });
    const tenPrior = await trader.withdraw('10.00', { category: 'travel' });
    expect(await trading.points(tenPrior.body.transactionId)).toMatchObject({ unusual_category: 20 });
    const known = await trader.withdraw('10.00', { category: 'groceries' });
    expect(await trading.points(known.body.transactionId)).toMatchObject({ unusual_category: 0 });
  });

  it('[T6] exactly 0.50 settles, 0.60 asks for a factor, exactly 0.70 is not held, 0.90 is held and escalated', async () => {
    // amount 30 + category 20
    const half = await trading.trader();
    await trading.past(half, { count: 10, secondsApart: 4000 });
    const settled = await half.withdraw('20.01', { category: 'jewellery' });
    expect([settled.status, (await trading.stored(settled.body.transactionId)).score]).toEqual([201, 50]);
    // velocity 40 + category 20
    const sixty = await trading.trader();
    await trading.past(sixty, { count: 10 });
    const stepUp = await sixty.withdraw('10.00', { category: 'jewellery' });
    expect([stepUp.body.status, (await trading.stored(stepUp.body.transactionId)).score]).toEqual([
      'step_up_required',
      60,
    ]);
    // amount 30 + velocity 40
    const seventy = await trading.trader();
    await trading.past(seventy, { count: 10 });
    const notHeld = await seventy.withdraw('20.01', { category: 'groceries' });
    expect([notHeld.body.status, (await trading.stored(notHeld.body.transactionId)).score]).toEqual([
      'step_up_required',
      70,
    ]);
    expect(await trading.incidents(notHeld.body.transactionId)).toEqual([]);
    // all three
    const ninety = await trading.trader();
    await trading.past(ninety, { count: 10 });
    const held = await ninety.withdraw('20.01', { category: 'jewellery' });
    expect([held.body.status, (await trading.stored(held.body.transactionId)).score]).toEqual(['quarantined', 90]);
    expect(await trading.incidents(held.body.transactionId)).toEqual([
      { cause: 'quarantine', severity: 'medium', status: 'open' },
      { cause: 'transaction_escalated', severity: 'high', status: 'open' },
    ]);
  });

  it('[T4] the owner learns neither score nor reasons, reviewers learn both', async () => {
    const trader = await trading.trader();
    const id = await trading.held(trader);
    const own = JSON.stringify((await trader.get(id)).body);
    expect(own).not.toMatch(/score|reason|risk|velocity|average/i);
    const reviewer = await stack.people.signedIn('reviewer');
    const queue = await stack.api.get('/api/admin/security/reviews?limit=200', { token: reviewer.token });
    const item = queue.body.items.find((one: { transactionId: string }) => one.transactionId === id);
    expect(item).toMatchObject({ score: 0.9, ruleSetVersion: 'v1', requiredApprovals: 1, approvals: [] });
    expect(item.secondsLeft).toBeGreaterThan(86_000);
    expect(item.explanation).toHaveLength(3);
    expect(item.explanation[0]).toContain('500.00 USD (usual: 10.00 USD, threshold: 20.00 USD), +0.30');
  });
});

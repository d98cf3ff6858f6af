import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const QUEUE = '/api/admin/security/reviews';

interface Item {
  transactionId: string;
  accountId: string;
  amount: string;
  score: number;
  reviewBy: string;
  heldAt: string;
  timeUsed: number;
  status: string;
  claim: { reviewerId: string } | null;
}

describe('the queue of held transactions', () => {
  let stack: Stack;
  let trading: Trading;
  let reviewer: SignedIn;
  let other: SignedIn;
  let traders: Trader[];
  let recipient: Trader;
  /** Held withdrawals of 500, 400 and 300, and a transfer of 450, in this order. */
  let ids: string[];
  let decided: string[];

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    [reviewer, other] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
    recipient = await trading.trader('1.00');
    traders = await Promise.all(Array.from({ length: 4 }, () => trading.trader('2000.00')));
    ids = [];
    for (const [n, amount] of ['500.00', '400.00', '300.00'].entries()) {
      ids.push(await trading.held(traders[n] as Trader, amount));
    }
    const sender = traders[3] as Trader;
    await trading.past(sender, { count: 10, type: 'transfer' });
    const counterparty = recipient.accountId;
    const asked = await sender.ask({
      type: 'transfer',
      amount: '450.00',
      currency: 'USD',
      counterparty,
      category: 'x',
    });
    expect(asked.body.status).toBe('quarantined');
    ids.push(asked.body.transactionId);
    decided = await Promise.all(['100.00', '200.00'].map((amount) => heldAndDecided(amount)));
    // Four hours, one hour and so on of their time are left; scores of their own.
    for (const [n, [hours, score]] of [
      [4, 90],
      [1, 75],
      [20, 95],
      [10, 90],
    ].entries()) {
      await run(
        stack.ownerDb.fork(),
        `update transaction set review_by = clock_timestamp() + $2 * interval '1 hour', score = $3,
                held_at = clock_timestamp() + $2 * interval '1 hour' - interval '24 hours' where id = $1`,
        [ids[n], hours, score],
      );
    }
  });
  afterAll(() => stack?.close());

  async function heldAndDecided(amount: string): Promise<string> {
    const id = await trading.held(await trading.trader('2000.00'), amount);
    await stack.api.post(
      `/api/admin/security/transactions/${id}/reject`,
      { reason: 'seen' },
      { token: reviewer.token },
    );
    return id;
  }

  const get = (query: string, by = reviewer) => stack.api.get(`${QUEUE}?${query}`, { token: by.token });
  /** Positions in `ids` of what a query finds, in its order. */
  async function found(query: string, by = reviewer): Promise<number[]> {
    const { status, body } = await get(query, by);
    expect(status, JSON.stringify(body)).toBe(200);
    return body.items.map((item: Item) => ids.indexOf(item.transactionId));
  }

  it('shows how much of its time is over, the most urgent first', async () => {
    expect(await found('')).toEqual([1, 0, 3, 2]);
    const { items } = (await get('')).body as { items: Item[] };
    expect(items.map(({ timeUsed }) => Math.round(timeUsed * 24))).toEqual([23, 20, 14, 4]);
    expect(items[0]).toMatchObject({ status: 'quarantined', claim: null, amount: '400.00', score: 0.75 });
  });

  it('is ordered by score and by amount, too', async () => {
    const byScore = await found('sort=score');
    expect([byScore[0], byScore[3]]).toEqual([2, 1]);
    expect(byScore.slice(1, 3).toSorted()).toEqual([0, 3]);
    expect(await found('sort=amount')).toEqual([0, 3, 1, 2]);
  });

  it.each([
    ['type=transfer', [3]],
    ['minScore=0.9', [0, 3, 2]],
    ['minScore=0.91', [2]],
    ['minAmount=400', [1, 0, 3]],
    ['minAmount=400.01', [0, 3]],
    ['currency=USD', [1, 0, 3, 2]],
    ['currency=EUR', []],
    ['ruleId=velocity', [1, 0, 3, 2]],
    ['ruleId=no_such_rule', []],
    ['dueWithin=90m', [1]],
    ['dueWithin=4h', [1, 0]],
    ['slaAbove=50', [1, 0, 3]],
    ['slaAbove=90', [1]],
    ['type=withdrawal&minAmount=400&slaAbove=50&sort=amount', [0, 1]],
  ])('finds with %s', async (query, expected) => {
    expect(await found(query)).toEqual(expected);
  });

  it('finds by account, by counterparty and by who looks after it', async () => {
    expect(await found(`account=${traders[2]?.accountId}`)).toEqual([2]);
    expect(await found(`counterparty=${recipient.accountId}`)).toEqual([3]);
    await stack.api.post(`${QUEUE}/${ids[0]}/claim`, {}, { token: reviewer.token });
    await stack.api.post(`${QUEUE}/${ids[2]}/claim`, {}, { token: other.token });
    expect(await found('assignee=me')).toEqual([0]);
    expect(await found('assignee=me', other)).toEqual([2]);
    expect(await found(`assignee=${other.userId}`)).toEqual([2]);
    expect(await found('assignee=none')).toEqual([1, 3]);
    await run(stack.ownerDb.fork(), 'update review_claim set expires_at = clock_timestamp()');
    expect(await found('assignee=none')).toEqual([1, 0, 3, 2]);
    expect(await found('assignee=me')).toEqual([]);
  });

  it('lists what was decided apart', async () => {
    const { items } = (await get('status=decided')).body as { items: Item[] };
    expect(items.map(({ transactionId }) => transactionId).toSorted()).toEqual(decided.toSorted());
    expect(items.every(({ status }) => status === 'rejected')).toBe(true);
    const { body } = await get('status=decided&sort=amount');
    expect(body.items.map(({ amount }: Item) => amount)).toEqual(['200.00', '100.00']);
  });

  it.each(['deadline', 'score', 'amount'])(
    'by %s its pages hold every one once, also while the queue changes',
    async (sort) => {
      const whole = await found(`sort=${sort}`);
      const seen: number[] = [];
      let cursor = '';
      for (let page = 0; page < 10; page += 1) {
        const { body } = await get(`sort=${sort}&limit=1${cursor}`);
        seen.push(...body.items.map((item: Item) => ids.indexOf(item.transactionId)));
        // Claims and notes come and go between two pages.
        await stack.api.post(`${QUEUE}/${ids[page % 4]}/claim`, {}, { token: reviewer.token });
        if (body.nextCursor === null) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      expect(seen).toEqual(whole);
    },
  );

  it('takes a cursor of its own order alone, and no filter that means nothing', async () => {
    const { nextCursor } = (await get('limit=1')).body;
    for (const query of [`sort=score&cursor=${nextCursor}`, `status=decided&cursor=${nextCursor}`, 'cursor=e30']) {
      expect((await get(query)).body.code).toBe('invalid_cursor');
    }
    for (const query of [
      'minScore=2',
      'minAmount=-1',
      'minAmount=1.001',
      'assignee=somebody',
      'account=1',
      'dueWithin=soon',
      'slaAbove=75',
      'sort=owner',
      'status=open',
      'unknown=1',
    ]) {
      const { status, body } = await get(query);
      expect([query, status, body.code]).toEqual([query, 400, 'validation_failed']);
    }
  });
});

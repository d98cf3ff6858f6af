import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { currentLabel } from '../../db/transaction-labels.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('what a transaction turned out to be', () => {
  let stack: Stack;
  let trading: Trading;
  let reviewer: SignedIn;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', REVIEW_TWO_PERSON_ABOVE: '550' } });
    trading = createTrading(stack);
    reviewer = await stack.people.signedIn('reviewer');
  });
  afterAll(() => stack?.close());

  const held = async (amount?: string) => trading.held(await trading.trader('1000.00'), amount);
  const decide = (id: string, verdict: 'approve' | 'reject', label?: string, by: SignedIn = reviewer) =>
    stack.api.post(
      `/api/admin/security/transactions/${id}/${verdict}`,
      { reason: 'seen', ...(label === undefined ? {} : { label }) },
      { token: by.token },
    );
  const say = (id: string, body: object, by: SignedIn = reviewer) =>
    stack.api.post(`/api/admin/security/transactions/${id}/label`, body, { token: by.token });
  const labels = async (id: string) =>
    (await stack.api.get(`/api/admin/security/reviews/${id}`, { token: reviewer.token })).body.labels.map(
      ({ label, source }: { label: string; source: string }) => [label, source],
    );

  it('is said with the verdict; said by nobody, it is inconclusive', async () => {
    const [fraud, harmless, silent, unproven] = [await held(), await held(), await held(), await held()];
    expect((await decide(fraud, 'reject', 'confirmed_fraud')).status).toBe(200);
    expect((await decide(harmless, 'approve', 'false_positive')).status).toBe(200);
    expect((await decide(silent, 'approve')).status).toBe(200);
    expect((await decide(unproven, 'reject')).status).toBe(200);
    expect(await labels(fraud)).toEqual([['confirmed_fraud', 'review']]);
    expect(await labels(harmless)).toEqual([['false_positive', 'review']]);
    expect(await labels(silent)).toEqual([['inconclusive', 'review']]);
    expect(await labels(unproven)).toEqual([['inconclusive', 'review']]);
  });

  it('never contradicts its verdict', async () => {
    const id = await held();
    for (const [verdict, label] of [
      ['approve', 'confirmed_fraud'],
      ['reject', 'false_positive'],
      ['approve', 'maybe'],
    ] as const) {
      const answer = await decide(id, verdict, label);
      expect([answer.status, answer.body.code, answer.body.errors[0].pointer]).toEqual([
        400,
        'validation_failed',
        '/label',
      ]);
    }
    expect((await trading.stored(id)).status).toBe('quarantined');
    expect(await labels(id)).toEqual([]);
  });

  it('of two who approve, one may say it: silence of the other does not unsay it', async () => {
    const other = await stack.people.signedIn('reviewer');
    const id = await held('600.00');
    expect((await decide(id, 'approve', 'false_positive')).status).toBe(202);
    expect((await decide(id, 'approve', undefined, other)).body.status).toBe('settled');
    expect(await labels(id)).toEqual([['false_positive', 'review']]);
  });

  it('is corrected later, by a chargeback for instance; the correction counts, what was said before stays', async () => {
    const id = await held();
    await decide(id, 'approve', 'false_positive');
    const answer = await say(id, { label: 'confirmed_fraud', reason: 'Chargeback 10.4', source: 'chargeback' });
    expect([answer.status, answer.body]).toEqual([
      201,
      expect.objectContaining({ label: 'confirmed_fraud', source: 'chargeback', labelledBy: reviewer.userId }),
    ]);
    expect(await labels(id)).toEqual([
      ['confirmed_fraud', 'chargeback'],
      ['false_positive', 'review'],
    ]);
    expect((await trading.audit(id)).at(-2)?.action).toBe('transaction.labelled');
    await expect(run(stack.db.fork(), 'delete from transaction_label where transaction_id = $1', [id])).rejects.toThrow(
      /permission denied/,
    );
    await expect(run(stack.db.fork(), `update transaction_label set label = 'inconclusive'`)).rejects.toThrow(
      /permission denied/,
    );
  });

  it('ten who say it at once are ten rows with one that counts', async () => {
    const trader = await trading.trader('1000.00');
    const id = (await trader.withdraw('5.00')).body.transactionId;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        say(id, { label: n % 2 === 0 ? 'confirmed_fraud' : 'false_positive', reason: `call ${n}` }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 201));
    const stored = await rows<{ label: string; reason: string }>(
      stack.db.fork(),
      'select label, reason from transaction_label where transaction_id = $1 order by id',
      [id],
    );
    expect(stored).toHaveLength(10);
    expect(await stack.db.transaction((tx) => currentLabel(tx, id))).toEqual({ label: stored.at(-1)?.label });
  });

  it('is nothing that its owner says, nor anybody about an open one', async () => {
    const owner = await stack.people.signedIn('admin');
    const trader = await trading.trader('1000.00', owner);
    const settled = (await trader.withdraw('5.00')).body.transactionId;
    const refused = await say(settled, { label: 'false_positive', reason: 'It was me' }, owner);
    expect([refused.status, refused.body.code]).toEqual([403, 'own_transaction']);
    expect((await trading.audit(settled)).at(-1)).toEqual({
      action: 'transaction.label_refused',
      reason: 'own_transaction',
    });
    const open = await say(await held(), { label: 'false_positive', reason: 'early' });
    expect([open.status, open.body.code]).toEqual([409, 'illegal_transition']);
    const customer = await stack.people.signedIn('customer');
    expect((await say(settled, { label: 'false_positive', reason: 'x' }, customer)).status).toBe(403);
  });
});

describe('how often a rule was right', () => {
  let stack: Stack;
  let trading: Trading;
  let reviewer: SignedIn;
  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    reviewer = await stack.people.signedIn('reviewer');
  });
  afterAll(() => stack?.close());

  interface Line {
    ruleId: string;
    ruleSetVersion: string;
    fired: number;
    held: number;
    labels: Record<string, number>;
    precision: { value: number; low: number; high: number } | null;
  }
  const board = async (query = ''): Promise<Line[]> =>
    (await stack.api.get(`/api/admin/security/rules/precision${query}`, { token: reviewer.token })).body.items;
  const decide = async (trader: Trader, verdict: 'approve' | 'reject', label?: string) =>
    stack.api.post(
      `/api/admin/security/transactions/${await trading.held(trader)}/${verdict}`,
      { reason: 'seen', ...(label === undefined ? {} : { label }) },
      { token: reviewer.token },
    );

  it('is counted by rule and version, by the label that counts, with its interval', async () => {
    expect(await board()).toEqual([]);
    for (const [verdict, label] of [
      ['reject', 'confirmed_fraud'],
      ['reject', 'confirmed_fraud'],
      ['reject', 'confirmed_fraud'],
      ['approve', 'false_positive'],
      ['approve', undefined],
    ] as const) {
      await decide(await trading.trader('1000.00'), verdict, label);
    }
    // Fires one rule, is not held, and nobody said what it was.
    const everyday = await trading.trader('1000.00');
    await trading.past(everyday, { count: 5, secondsApart: 7_200 });
    expect((await everyday.withdraw('50.00', { category: 'groceries' })).status).toBe(201);

    const lines = await board();
    expect(lines.map(({ ruleId, fired, held }) => [ruleId, fired, held])).toEqual([
      ['amount_above_average', 6, 5],
      ['unusual_category', 5, 5],
      ['velocity', 5, 5],
    ]);
    const [amount] = lines;
    expect(amount).toMatchObject({
      ruleSetVersion: 'v1',
      labels: { confirmed_fraud: 3, false_positive: 1, inconclusive: 1, unknown: 1 },
      // Wilson, 3 of 4 at 95 %.
      precision: { value: 0.75, low: 0.3006, high: 0.9544 },
    });
  });

  it('changes with a correction, and knows only the time that is asked for', async () => {
    const before = (await board()).find(({ ruleId }) => ruleId === 'velocity');
    const { body } = await stack.api.get('/api/admin/security/reviews?status=decided', { token: reviewer.token });
    const falseAlarm = body.items.find((item: { label: string }) => item.label === 'false_positive');
    await stack.api.post(
      `/api/admin/security/transactions/${falseAlarm.transactionId}/label`,
      { label: 'confirmed_fraud', reason: 'Chargeback' },
      { token: reviewer.token },
    );
    const after = (await board()).find(({ ruleId }) => ruleId === 'velocity');
    expect([before?.precision?.value, after?.precision?.value]).toEqual([0.75, 1]);
    expect(await board('?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z')).toEqual([]);
    const tooLong = await stack.api.get(
      '/api/admin/security/rules/precision?from=2020-01-01T00:00:00Z&to=2021-02-01T00:00:00Z',
      { token: reviewer.token },
    );
    expect([tooLong.status, tooLong.body.code]).toEqual([400, 'validation_failed']);
  });
});

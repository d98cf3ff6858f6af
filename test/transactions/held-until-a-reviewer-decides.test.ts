import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('a held transaction ends by a reviewer, its owner or the clock', () => {
  let stack: Stack;
  let trading: Trading;
  let reviewer: SignedIn;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    reviewer = await stack.people.signedIn('reviewer');
  });
  afterAll(() => stack.close());

  const decide = (
    id: string,
    verdict: 'approve' | 'reject',
    by: SignedIn = reviewer,
    reason: unknown = 'Looked at it',
  ) => stack.api.post(`/api/admin/security/transactions/${id}/${verdict}`, { reason }, { token: by.token });

  it('[T4] [T5] [P5] held: 202 with reviewBy in 24 h, funds reserved, the owner told, an incident opened', async () => {
    const trader = await trading.trader('600.00');
    await trading.past(trader, { count: 10 });
    const answer = await trader.withdraw('500.00', { category: 'jewellery' });
    expect(answer.status).toBe(202);
    expect(Date.parse(answer.body.reviewBy) - Date.parse(answer.body.createdAt)).toBe(86_400_000);
    expect((await trader.portfolio()).cash[0]).toEqual({
      currency: 'USD',
      balance: '600.00',
      reserved: '500.00',
      available: '100.00',
    });
    const letter = await stack.mail.waitFor(trader.email, { subject: /held/ });
    expect(letter.text).toContain('withdrawal of 500.00 USD');
    expect(letter.text).not.toMatch(/\d{6}/);
  });

  it('[P5] approved: settled once, the reservation used up, the owner told, its incident resolved', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const answer = await decide(id, 'approve');
    expect([answer.status, answer.body.status]).toEqual([200, 'settled']);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '100.00', reserved: '0.00' });
    expect(await trading.postings(id)).toHaveLength(1);
    expect(await trading.incidents(id)).toContainEqual({ cause: 'quarantine', severity: 'medium', status: 'resolved' });
    await stack.mail.waitFor(trader.email, { subject: /approved/ });
    expect((await trading.audit(id)).map((entry) => entry.action)).toEqual([
      'transaction.held',
      'review.recorded',
      'transaction.approved',
      'transaction.settled',
    ]);
    const again = await decide(id, 'reject');
    expect([again.status, again.body.code]).toEqual([409, 'already_decided']);
    expect((await trading.audit(id)).at(-1)).toEqual({ action: 'review.refused', reason: 'already_decided' });
    expect((await trader.cancel(id)).body.code).toBe('not_cancellable');
  });

  it('rejected: nothing moves, funds are free again, the owner told', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const answer = await decide(id, 'reject');
    expect(answer.body).toMatchObject({ status: 'rejected', code: 'review_rejected' });
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '600.00', reserved: '0.00' });
    expect(await trading.postings(id)).toEqual([]);
    await stack.mail.waitFor(trader.email, { subject: /rejected/ });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('cancelled by its owner: nothing moves; a verdict afterwards is refused', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const answer = await trader.cancel(id);
    expect([answer.status, answer.body.code]).toEqual([200, 'cancelled']);
    expect((await trader.cancel(id)).status).toBe(200);
    expect((await decide(id, 'approve')).body.code).toBe('already_decided');
    expect((await trader.portfolio()).cash[0]).toMatchObject({ reserved: '0.00' });
  });

  it('a bare cancel signal cancels nothing: it proves no owner', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    await stack.temporal.workflow.getHandle(`transaction:${id}`).signal('cancel');
    await eventually(async () => (await trading.audit(id)).at(-1)?.action === 'transaction.cancel_refused');
    expect((await trader.get(id)).body.status).toBe('quarantined');
    expect((await trader.cancel(id)).status).toBe(200);
  });

  it('cancelled as a workflow by an operator: rejected and released', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const handle = stack.temporal.workflow.getHandle(`transaction:${id}`);
    await handle.cancel();
    await handle.result();
    expect((await trader.get(id)).body).toMatchObject({ status: 'rejected', code: 'cancelled' });
    expect((await trader.portfolio()).cash[0]).toMatchObject({ reserved: '0.00' });
    expect((await decide(id, 'approve')).body.code).toBe('already_decided');
  });

  it('nobody decides on their own, whatever their role; customers decide on nothing', async () => {
    const admin = await stack.people.signedIn('admin');
    const trader = await trading.trader('600.00', admin);
    const id = await trading.held(trader);
    const own = await decide(id, 'approve', admin);
    expect([own.status, own.body.code]).toEqual([403, 'own_transaction']);
    expect((await decide(id, 'reject', admin)).status).toBe(403);
    expect((await trading.audit(id)).at(-1)).toEqual({ action: 'review.refused', reason: 'own_transaction' });
    const customer = await stack.people.signedIn('customer');
    expect((await decide(id, 'approve', customer)).status).toBe(403);
    const auditor = await stack.people.signedIn('auditor');
    expect((await decide(id, 'approve', auditor)).status).toBe(403);
    expect((await trader.get(id)).body.status).toBe('quarantined');
    expect((await decide(id, 'approve')).status).toBe(200);
  });

  it('a reason is required, and a transaction that is not held takes no verdict', async () => {
    const trader = await trading.trader('600.00');
    const settled = await trader.withdraw('1.00');
    expect((await decide(settled.body.transactionId, 'approve')).body.code).toBe('already_decided');
    const id = await trading.held(await trading.trader('600.00'));
    for (const reason of ['', '   ', null, 'x'.repeat(1001), 'a\u0000b', '\ud800']) {
      expect((await decide(id, 'approve', reviewer, reason)).status).toBe(400);
    }
    expect((await decide('00000000-0000-4000-8000-000000000000', 'approve')).status).toBe(404);
    expect((await trading.stored(id)).status).toBe('quarantined');
  });

  it('ten verdicts of different reviewers at once: one decides, all others are told', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const reviewers = await Promise.all(Array.from({ length: 10 }, () => stack.people.signedIn('reviewer')));
    const answers = await Promise.all(reviewers.map((one, n) => decide(id, n % 2 === 0 ? 'approve' : 'reject', one)));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.body.code === 'already_decided')).toHaveLength(9);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('what no longer holds at the approval rejects: balance and restriction are asked again', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(`update app_user set restricted_at = now() where id = '${trader.userId}'`);
    const answer = await decide(id, 'approve');
    expect([answer.status, answer.body.code]).toEqual([200, 'account_restricted']);
    expect(await trading.postings(id)).toEqual([]);
    expect(await trading.ledgerFaults()).toEqual([]);
  });
});

describe('above REVIEW_TWO_PERSON_ABOVE two different reviewers approve', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', REVIEW_TWO_PERSON_ABOVE: '500' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('202 after the first, who cannot be the second; settled after another one', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader, '500.01');
    const [first, second] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('admin')];
    const approve = (by: SignedIn) =>
      stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'fine' }, { token: by.token });
    const one = await approve(first);
    expect([one.status, one.body]).toEqual([202, { transactionId: id, approvals: 1, required: 2 }]);
    const repeat = await approve(first);
    expect([repeat.status, repeat.body.code]).toEqual([409, 'already_voted']);
    expect((await trader.get(id)).body.status).toBe('quarantined');
    expect((await approve(second)).body.status).toBe('settled');
  });

  it('exactly the amount needs one; one rejection is enough at any amount', async () => {
    const trader = await trading.trader('5000.00');
    const reviewer = await stack.people.signedIn('reviewer');
    const verdict = (id: string, what: string) =>
      stack.api.post(`/api/admin/security/transactions/${id}/${what}`, { reason: 'seen' }, { token: reviewer.token });
    expect((await verdict(await trading.held(trader, '500.00'), 'approve')).body.status).toBe('settled');
    const other = await trading.trader('5000.00');
    expect((await verdict(await trading.held(other, '900.00'), 'reject')).body.code).toBe('review_rejected');
  });
});

describe('a hold that nobody decides', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', QUARANTINE_REVIEW_WINDOW: '2s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('[P5] ends rejected when its time is over, funds free, the owner told; a late verdict is refused', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    await eventually(async () => (await trader.get(id)).body.code === 'review_expired');
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '600.00', reserved: '0.00' });
    const reviewer = await stack.people.signedIn('reviewer');
    const late = await stack.api.post(
      `/api/admin/security/transactions/${id}/approve`,
      { reason: 'too late' },
      { token: reviewer.token },
    );
    expect([late.status, late.body.code]).toEqual([409, 'review_expired']);
    await stack.mail.waitFor(trader.email, { subject: /rejected/ });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('a verdict recorded in time counts though no worker ran until after the deadline; a late one is refused', async () => {
    const [early, late] = [await trading.trader('600.00'), await trading.trader('600.00')];
    const ids = [await trading.held(early), await trading.held(late)] as const;
    const reviewer = await stack.people.signedIn('reviewer');
    const approve = (id: string) =>
      stack.api.post(
        `/api/admin/security/transactions/${id}/approve`,
        { reason: 'in time?' },
        { token: reviewer.token },
      );
    await stack.stopWorker();
    const inTime = approve(ids[0]);
    await eventually(async () => (await trading.audit(ids[0])).some((entry) => entry.action === 'review.recorded'));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const tooLate = await approve(ids[1]);
    expect([tooLate.status, tooLate.body.code]).toEqual([409, 'review_expired']);
    await stack.startWorker();
    expect((await inTime).body).toMatchObject({ status: 'settled' });
    await eventually(async () => (await late.get(ids[1])).body.code === 'review_expired');
  });
});

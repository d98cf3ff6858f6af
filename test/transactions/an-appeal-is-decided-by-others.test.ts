import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

interface Given {
  stack: Stack;
  trading: Trading;
  first: SignedIn;
  second: SignedIn;
}

async function given(env: Record<string, string> = {}): Promise<Given> {
  const stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', ...env } });
  return {
    stack,
    trading: createTrading(stack),
    first: await stack.people.signedIn('reviewer'),
    second: await stack.people.signedIn('reviewer'),
  };
}

const callsOf = ({ stack, trading }: Given) => ({
  appeal: (trader: Trader, id: string, reason: unknown = 'It was me: a ring for my wedding') =>
    stack.api.post(`/api/transactions/${id}/appeal`, { reason }, { token: trader.token, signWith: trader.signingKey }),
  decide: (id: string, verdict: 'approve' | 'reject', by: SignedIn) =>
    stack.api.post(`/api/admin/security/transactions/${id}/${verdict}`, { reason: 'seen' }, { token: by.token }),
  incidents: (id: string) =>
    rows<{ title: string; status: string }>(
      stack.db.fork(),
      `select title, status from incident where subject_id = $1 and cause = 'quarantine' order by opened_at`,
      [id],
    ),
  sql: (text: string, params: unknown[] = []) => run(stack.ownerDb.fork(), text, params),
  runsOf: async (id: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { runId } of stack.temporal.workflow.list({
      query: `WorkflowId = '${workflowIds.transaction(id)}'`,
    })) {
      found.push(runId);
    }
    return found;
  },
  cash: async (trader: Trader) => {
    const { balance, reserved } = (await trader.portfolio()).cash[0];
    return { balance, reserved };
  },
  rejected: async (trader: Trader, by: SignedIn): Promise<string> => {
    const id = await trading.held(trader);
    await stack.api.post(`/api/admin/security/transactions/${id}/reject`, { reason: 'odd' }, { token: by.token });
    return id;
  },
});

describe('an appeal against a rejection by review', () => {
  let all: Given;
  let calls: ReturnType<typeof callsOf>;
  let { stack, trading, first, second } = {} as Given;
  beforeAll(async () => {
    all = await given();
    ({ stack, trading, first, second } = all);
    calls = callsOf(all);
  });
  afterAll(() => stack?.close());

  it('holds it again for 24 hours, its funds reserved, and somebody else decides', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    const rejected = await stack.mail.waitFor(trader.email, { subject: /rejected/ });
    expect(rejected.text).toContain('appeal once within 7 days');
    expect(Date.parse((await trader.get(id)).body.appealBy)).toBeGreaterThan(Date.now());

    const answer = await calls.appeal(trader, id);
    expect([answer.status, answer.body.status]).toEqual([202, 'quarantined']);
    const row = await trading.stored(id);
    expect(Date.parse(answer.body.reviewBy) - Date.parse(row.held_at ?? '')).toBe(86_400_000);
    expect(await calls.cash(trader)).toEqual({ balance: '600.00', reserved: '500.00' });
    expect(await calls.incidents(id)).toEqual([
      { title: 'Transaction held for review', status: 'resolved' },
      { title: 'Transaction held for review, on appeal', status: 'open' },
    ]);
    await stack.mail.waitFor(trader.email, { subject: /appeal was received/ });
    await stack.mail.waitFor(second.email, { subject: /on appeal/ });

    const { body: open } = await stack.api.get(`/api/admin/security/reviews/${id}`, { token: second.token });
    expect(open).toMatchObject({
      hold: 2,
      status: 'quarantined',
      approvals: [],
      appeal: { rejectedCode: 'review_rejected' },
    });
    expect(open.appeal.reason).toBe('It was me: a ring for my wedding');

    for (const verdict of ['approve', 'reject'] as const) {
      const refused = await calls.decide(id, verdict, first);
      expect([refused.status, refused.body.code]).toEqual([403, 'decided_before']);
    }
    const claim = await stack.api.post(`/api/admin/security/reviews/${id}/claim`, {}, { token: first.token });
    expect(claim.body.code).toBe('decided_before');
    expect((await calls.decide(id, 'approve', second)).body.status).toBe('settled');
    expect(await calls.cash(trader)).toEqual({ balance: '100.00', reserved: '0.00' });
    expect(await trading.postings(id)).toHaveLength(1);
    expect(await trading.ledgerFaults()).toEqual([]);
    await stack.mail.waitFor(trader.email, { subject: /approved/ });
    expect((await trading.audit(id)).map(({ action }) => action)).toEqual([
      'transaction.held',
      'review.recorded',
      'transaction.rejected',
      'transaction.appealed',
      'review.read',
      'review.refused',
      'review.refused',
      'review.claimed',
      'review.recorded',
      'transaction.approved',
      'transaction.settled',
    ]);
    expect((await calls.incidents(id)).map(({ status }) => status)).toEqual(['resolved', 'resolved']);
  });

  it('rejected again, it stays rejected: there is one appeal, and the owner is told anew', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    expect((await calls.appeal(trader, id)).status).toBe(202);
    expect((await calls.decide(id, 'reject', second)).body).toMatchObject({
      status: 'rejected',
      code: 'review_rejected',
    });
    const letter = await stack.mail.waitFor(trader.email, { subject: /rejected/, count: 2 });
    expect(letter.text).not.toContain('appeal');
    const again = await calls.appeal(trader, id);
    expect([again.status, again.body.code]).toEqual([409, 'already_appealed']);
    expect((await trader.get(id)).body.appealBy).toBeUndefined();
    expect(await calls.cash(trader)).toEqual({ balance: '600.00', reserved: '0.00' });
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('ten at once are one', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => calls.appeal(trader, id, `reason ${n}`)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'already_appealed')).toHaveLength(9);
    expect(await calls.cash(trader)).toEqual({ balance: '600.00', reserved: '500.00' });
    expect(await calls.incidents(id)).toHaveLength(2);
    expect((await calls.decide(id, 'approve', second)).body.status).toBe('settled');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('without the funds it is refused, and not used up', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    for (let n = 0; n < 10; n += 1) {
      expect((await trader.withdraw('15.00', { category: 'groceries' })).status).toBe(201);
    }
    const refused = await calls.appeal(trader, id);
    expect([refused.status, refused.body.code]).toEqual([422, 'insufficient_funds']);
    expect((await trader.get(id)).body.status).toBe('rejected');
    await trading.fund(trader.accountId, '200.00');
    expect((await calls.appeal(trader, id)).status).toBe(202);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('spends no money that ten withdrawals at the same time spend', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await Promise.all([
      calls.appeal(trader, id),
      ...Array.from({ length: 10 }, () => trader.withdraw('60.00', { category: 'groceries' })),
    ]);
    expect(await trading.ledgerFaults()).toEqual([]);
    const { balance, reserved } = await calls.cash(trader);
    expect(Number(reserved)).toBeLessThanOrEqual(Number(balance));
  });

  it('is for what a review rejected, for its owner, with a reason and a signature', async () => {
    const trader = await trading.trader('5000.00');
    const cancelled = await trading.held(trader);
    await trader.cancel(cancelled);
    const settled = (await trader.withdraw('1.00', { category: 'groceries' })).body.transactionId;
    for (const id of [settled, cancelled]) {
      const { status, body } = await calls.appeal(trader, id);
      expect([status, body.code]).toEqual([409, 'not_appealable']);
    }
    const other = await trading.trader('600.00');
    const id = await calls.rejected(other, first);
    expect((await calls.appeal(trader, id)).status).toBe(404);
    for (const reason of ['', ' ', null, 'x'.repeat(1001)]) {
      expect((await calls.appeal(other, id, reason)).status).toBe(400);
    }
    const unsigned = await stack.api.post(`/api/transactions/${id}/appeal`, { reason: 'x' }, { token: other.token });
    expect([unsigned.status, unsigned.body.code]).toEqual([401, 'signature_invalid']);
    await calls.sql('update app_user set restricted_at = now() where id = $1', [other.userId]);
    // A restriction ends sessions; one that is decided while the call is under way is seen under the locks.
    expect([401, 403]).toContain((await calls.appeal(other, id)).status);
    expect((await trading.stored(id)).status).toBe('rejected');
  });

  it('is over after its time', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await calls.sql(`update transaction set finished_at = finished_at - interval '7 days' where id = $1`, [id]);
    const late = await calls.appeal(trader, id);
    expect([late.status, late.body.code]).toEqual([410, 'appeal_expired']);
  });

  it('can be taken back by its owner like any held transaction', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await calls.appeal(trader, id);
    expect((await trader.cancel(id)).body).toMatchObject({ status: 'rejected', code: 'cancelled' });
    expect((await calls.appeal(trader, id)).body.code).toBe('already_appealed');
    expect(await calls.cash(trader)).toEqual({ balance: '600.00', reserved: '0.00' });
  });

  it('a wish to cancel that lost against the rejection does not end the appeal', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await calls.sql('update transaction set cancel_requested_at = now() where id = $1', [id]);
    expect((await calls.appeal(trader, id)).status).toBe(202);
    await eventually(async () => (await calls.runsOf(id)).length === 2);
    expect((await calls.decide(id, 'approve', second)).body.status).toBe('settled');
  });

  it('whose workflow could not be started is taken up by reconcile', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await calls.appeal(trader, id);
    await stack.temporal.workflow.getHandle(workflowIds.transaction(id)).terminate('as if it had never been started');
    await calls.sql(`update transaction set held_at = held_at - interval '1 minute' where id = $1`, [id]);
    const report = await stack.temporal.workflow.execute('reconcile', {
      workflowId: `reconcile-${uuidV7()}`,
      taskQueue: `${stack.config.taskQueuePrefix}-background`,
    });
    expect(report).toMatchObject({ restarted: 1, failed: 0 });
    expect((await calls.decide(id, 'approve', second)).body.status).toBe('settled');
    expect(await calls.cash(trader)).toEqual({ balance: '100.00', reserved: '0.00' });
  });

  it('the day’s figures count it as what it became', async () => {
    const trader = await trading.trader('600.00');
    const id = await calls.rejected(trader, first);
    await calls.appeal(trader, id);
    await calls.decide(id, 'approve', second);
    const [tally] = await rows<{ rejected: string; rows: string }>(
      stack.db.fork(),
      `select (select sum(value::numeric) from transaction_tally t cross join lateral jsonb_each_text(t.counts)
                where key = 'rejected:review_rejected') as rejected,
              (select count(*) from transaction where status = 'rejected' and code = 'review_rejected') as rows`,
    );
    expect(tally?.rejected).toBe(tally?.rows);
  });
});

describe('an appeal that nobody decides', () => {
  let all: Given;
  let calls: ReturnType<typeof callsOf>;
  beforeAll(async () => {
    all = await given({ QUARANTINE_REVIEW_WINDOW: '2s' });
    calls = callsOf(all);
  });
  afterAll(() => all?.stack.close());

  it('ends as the first hold did: the expiry of the one does not swallow that of the other', async () => {
    const { trading, stack } = all;
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    await eventually(async () => (await trader.get(id)).body.code === 'review_expired');
    expect((await calls.appeal(trader, id)).status).toBe(202);
    expect((await trader.get(id)).body.status).toBe('quarantined');
    await eventually(async () => (await trader.get(id)).body.code === 'review_expired');
    expect(await calls.cash(trader)).toEqual({ balance: '600.00', reserved: '0.00' });
    expect((await trading.audit(id)).filter(({ action }) => action === 'transaction.rejected')).toHaveLength(2);
    await stack.mail.waitFor(trader.email, { subject: /rejected/, count: 2 });
    expect(await trading.ledgerFaults()).toEqual([]);
  });
});

describe('where two have to approve', () => {
  let all: Given;
  let calls: ReturnType<typeof callsOf>;
  beforeAll(async () => {
    all = await given({ REVIEW_TWO_PERSON_ABOVE: '400' });
    calls = callsOf(all);
  });
  afterAll(() => all?.stack.close());

  it('an approval before the appeal is none after it', async () => {
    const { trading, stack, first, second } = all;
    const third = await stack.people.signedIn('reviewer');
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    expect((await calls.decide(id, 'approve', second)).status).toBe(202);
    expect((await calls.decide(id, 'reject', first)).status).toBe(200);
    expect((await calls.appeal(trader, id)).status).toBe(202);
    expect((await calls.decide(id, 'approve', third)).body).toMatchObject({ approvals: 1, required: 2 });
    expect((await calls.decide(id, 'approve', first)).body.code).toBe('decided_before');
    // Who approved before may do so again.
    expect((await calls.decide(id, 'approve', second)).body.status).toBe('settled');
  });
});

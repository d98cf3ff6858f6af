import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findTemporalCli } from '../../platform/temporal-cli.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const run = promisify(execFile);

describe('an operator reviews with the Temporal CLI, and proves who they are', () => {
  let stack: Stack;
  let trading: Trading;
  let cli: string;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
    cli = (await findTemporalCli()).path;
  });
  afterAll(() => stack.close());

  /** `temporal workflow signal`, as an operator types it. */
  async function signal(id: string, input: unknown): Promise<void> {
    const where = ['--address', inject('servers').temporalAddress, '--workflow-id', `transaction:${id}`];
    await run(cli, ['workflow', 'signal', ...where, '--name', 'review', '--input', JSON.stringify(input)]);
  }

  /** Sends, and waits until the audit log says why it was refused. */
  async function refusalOf(id: string, input: unknown): Promise<string | null> {
    const before = (await trading.audit(id)).length;
    await signal(id, input);
    const entry = await eventually(async () => (await trading.audit(id))[before], { what: 'the audit entry' });
    expect(entry.action).toBe('review.refused');
    return entry.reason;
  }

  const signed = (who: string, totp: string, verdict = 'approve', reason = 'Called the customer') => ({
    reviewer: who,
    verdict,
    reason,
    totp,
  });

  it('approves with a code of their authenticator, named by id or by e-mail address', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    await signal(id, signed(reviewer.userId, stack.people.totpCode(reviewer.totpSecret)));
    await eventually(async () => (await trader.get(id)).body.status === 'settled');
    expect((await trading.audit(id)).map((entry) => entry.action)).toEqual([
      'transaction.held',
      'review.recorded',
      'transaction.approved',
      'transaction.settled',
    ]);
    const other = await trading.trader('600.00');
    const second = await trading.held(other);
    await signal(second, signed(reviewer.email, stack.people.totpCode(reviewer.totpSecret), 'reject'));
    await eventually(async () => (await other.get(second)).body.code === 'review_rejected');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('says what it turned out to be, and decides nothing that somebody else has claimed', async () => {
    const [reviewer, holder] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const code = () => stack.people.totpCode(reviewer.totpSecret);
    const path = `/api/admin/security/reviews/${id}`;
    await stack.api.post(`${path}/claim`, {}, { token: holder.token });
    expect(await refusalOf(id, signed(reviewer.userId, code()))).toBe('claimed_by_other');
    await stack.api.post(`${path}/release`, {}, { token: holder.token });
    const fraud = { ...signed(reviewer.userId, code(), 'reject'), label: 'confirmed_fraud' };
    await signal(id, fraud);
    await eventually(async () => (await trader.get(id)).body.code === 'review_rejected');
    const { labels } = (await stack.api.get(path, { token: holder.token })).body;
    expect(labels).toEqual([
      expect.objectContaining({ label: 'confirmed_fraud', source: 'review', labelledBy: reviewer.userId }),
    ]);
  });

  it('everything that is not a verdict of a proven reviewer is refused and recorded', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const reviewer = await stack.people.signedIn('reviewer');
    const code = stack.people.totpCode(reviewer.totpSecret);
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
    const nobody = '0190a000-0000-7000-8000-000000000000';

    expect(await refusalOf(id, 'approve')).toBe('signal_malformed');
    expect(await refusalOf(id, { verdict: 'approve' })).toBe('signal_malformed');
    expect(await refusalOf(id, { ...signed(reviewer.userId, code), extra: 1 })).toBe('signal_malformed');
    expect(await refusalOf(id, signed(reviewer.userId, code, 'maybe'))).toBe('signal_malformed');
    expect(await refusalOf(id, signed(reviewer.userId, code, 'approve', ' '))).toBe('signal_malformed');
    expect(await refusalOf(id, { verdictId: nobody })).toBe('verdict_unknown');
    expect(await refusalOf(id, signed(nobody, code))).toBe('reviewer_unknown');
    expect(await refusalOf(id, signed(reviewer.userId, wrong))).toBe('totp_invalid');

    const customer = await stack.people.signedIn('customer');
    expect(await refusalOf(id, signed(customer.userId, stack.people.totpCode(customer.totpSecret)))).toBe(
      'not_a_reviewer',
    );
    expect((await trader.get(id)).body.status).toBe('quarantined');

    const other = await stack.people.signedIn('reviewer');
    await signal(id, signed(other.userId, stack.people.totpCode(other.totpSecret)));
    await eventually(async () => (await trader.get(id)).body.status === 'settled');
  });

  it('a used code is refused, here and for another transaction', async () => {
    const [a, b] = [await trading.trader('600.00'), await trading.trader('600.00')];
    const [first, second] = [await trading.held(a), await trading.held(b)];
    const reviewer = await stack.people.signedIn('admin');
    const code = stack.people.totpCode(reviewer.totpSecret);
    await signal(first, signed(reviewer.userId, code));
    await eventually(async () => (await a.get(first)).body.status === 'settled');
    expect(await refusalOf(second, signed(reviewer.userId, code))).toBe('totp_invalid');
    expect((await b.get(second)).body.status).toBe('quarantined');
  });

  it('the owner is refused, whatever their role; so is a verdict that was recorded for another transaction', async () => {
    const admin = await stack.people.signedIn('admin');
    const owner = await trading.trader('600.00', admin);
    const id = await trading.held(owner);
    const own = signed(admin.userId, stack.people.totpCode(admin.totpSecret));
    expect(await refusalOf(id, own)).toBe('own_transaction');

    const reviewer = await stack.people.signedIn('reviewer');
    const other = await trading.trader('600.00');
    const elsewhere = await trading.held(other);
    await stack.api.post(
      `/api/admin/security/transactions/${elsewhere}/approve`,
      { reason: 'fine' },
      { token: reviewer.token },
    );
    const [verdict] = await stack.ownerDb.orm.em
      .fork()
      .getConnection()
      .execute(`select id from review_verdict where transaction_id = '${elsewhere}'`);
    expect(await refusalOf(id, { verdictId: verdict?.id })).toBe('verdict_unknown');
    expect((await owner.get(id)).body.status).toBe('quarantined');
  });

  it('ten wrong codes in an hour, and no further one is looked at', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const reviewer = await stack.people.signedIn('reviewer');
    const code = stack.people.totpCode(reviewer.totpSecret);
    for (let n = 1; n <= 10; n++) {
      const wrong = String((Number(code) + n) % 1_000_000).padStart(6, '0');
      expect(await refusalOf(id, signed(reviewer.userId, wrong))).toBe('totp_invalid');
    }
    expect(await refusalOf(id, signed(reviewer.userId, code))).toBe('too_many_codes');
    expect((await trader.get(id)).body.status).toBe('quarantined');
  });
});

describe('above the amount for two reviewers, signals count like sessions', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', REVIEW_TWO_PERSON_ABOVE: '100' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('the same reviewer a second time is refused, another one decides', async () => {
    const trader = await trading.trader('600.00');
    const id = await trading.held(trader);
    const handle = stack.temporal.workflow.getHandle(`transaction:${id}`);
    const [first, second] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
    const approve = (who: typeof first) =>
      handle.signal('review', {
        reviewer: who.userId,
        verdict: 'approve',
        reason: 'fine',
        totp: stack.people.totpCode(who.totpSecret),
      });
    await approve(first);
    await eventually(async () => (await trading.audit(id)).at(-1)?.action === 'review.recorded');
    await approve(first);
    await eventually(async () => (await trading.audit(id)).at(-1)?.reason === 'already_voted');
    expect((await trader.get(id)).body.status).toBe('quarantined');
    await approve(second);
    await eventually(async () => (await trader.get(id)).body.status === 'settled');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.ts';
import { decodeHistory } from '../helpers/histories.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

/** Takes the authenticator away: codes come by e-mail then. */
async function withoutTotp(stack: Stack): Promise<SignedIn> {
  const person = await stack.people.signedIn('customer');
  await stack.ownerDb.orm.em
    .fork()
    .getConnection()
    .execute(`delete from totp_factor where user_id = '${person.userId}'`);
  return person;
}

const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

describe('a step-up stands before money that is large or risky', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  const totp = (trader: Trader) => ({ method: 'totp', code: stack.people.totpCode(trader.totpSecret) });

  it('[P4] 10,000.00 settles, 10,000.01 asks for the authenticator and settles with its code, which works once', async () => {
    const trader = await trading.trader();
    expect((await trader.withdraw('10000.00')).status).toBe(201);
    const answer = await trader.withdraw('10000.01');
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ status: 'step_up_required', methods: ['totp'] });
    expect(Date.parse(answer.body.expiresAt) - Date.parse(answer.body.createdAt)).toBe(900_000);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ reserved: '10000.01' });
    const id = answer.body.transactionId;
    const code = totp(trader);
    const confirmed = await trader.confirm(id, code);
    expect([confirmed.status, confirmed.body.status]).toEqual([200, 'settled']);
    expect((await trader.confirm(id, code)).body.code).toBe('not_awaiting_factor');
    const other = await trader.withdraw('20000.00');
    const reused = await trader.confirm(other.body.transactionId, code);
    expect([reused.status, reused.body.code, reused.body.triesLeft]).toEqual([401, 'factor_invalid', 4]);
    expect((await trading.audit(id)).map((entry) => entry.action)).toEqual([
      'transaction.step_up_required',
      'transaction.factor_passed',
      'transaction.settled',
    ]);
  });

  it('without an authenticator the code comes by e-mail, is there before the answer, and is its only six-digit number', async () => {
    const trader = await trading.trader('900000.00', await withoutTotp(stack));
    const answer = await trader.withdraw('123456.00');
    expect(answer.body).toMatchObject({ status: 'step_up_required', methods: ['email_code'] });
    const letters = stack.mail.to(trader.email);
    expect(letters).toHaveLength(1);
    expect(letters[0]?.text.match(/\d{6,}/g)).toHaveLength(1);
    const id = answer.body.transactionId;
    const code = stack.mail.codesFor(trader.email)[0] ?? '';
    expect((await trader.confirm(id, { method: 'totp', code })).status).toBe(401);
    expect((await trader.confirm(id, { method: 'email_code', code: wrong(code) })).body.triesLeft).toBe(4);
    expect((await trader.confirm(id, { method: 'email_code', code })).body.status).toBe('settled');
  });

  it('a code sent again replaces the one before; at most three mails an hour', async () => {
    const trader = await trading.trader('900000.00', await withoutTotp(stack));
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    const resend = () => stack.api.post(`/api/transactions/${id}/factors/resend`, {}, { token: trader.token });
    expect([(await resend()).status, (await resend()).status]).toEqual([202, 202]);
    const refused = await resend();
    expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    const codes = stack.mail.codesFor(trader.email);
    expect(codes).toHaveLength(3);
    if (codes[0] !== codes[2]) {
      expect((await trader.confirm(id, { method: 'email_code', code: codes[0] ?? '' })).status).toBe(401);
    }
    expect((await trader.confirm(id, { method: 'email_code', code: codes[2] ?? '' })).body.status).toBe('settled');
    expect((await resend()).body.code).toBe('not_awaiting_factor');
  });

  it('the fifth wrong code rejects, frees the funds, tells the owner and opens an incident', async () => {
    const trader = await trading.trader('900000.00', await withoutTotp(stack));
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    const code = stack.mail.codesFor(trader.email)[0] ?? '';
    let guess = code;
    const answers: [number, unknown][] = [];
    for (let n = 0; n < 5; n++) {
      guess = wrong(guess);
      const answer = await trader.confirm(id, { method: 'email_code', code: guess });
      answers.push([answer.status, answer.body.triesLeft ?? answer.body.code]);
    }
    expect(answers).toEqual([
      [401, 4],
      [401, 3],
      [401, 2],
      [401, 1],
      [422, 'step_up_failed'],
    ]);
    expect((await trader.confirm(id, { method: 'email_code', code })).status).toBe(409);
    expect((await trader.portfolio()).cash[0]).toMatchObject({ balance: '900000.00', reserved: '0.00' });
    expect(await trading.incidents(id)).toEqual([{ cause: 'step_up_failed', severity: 'medium', status: 'open' }]);
    await stack.mail.waitFor(trader.email, { subject: /rejected/ });
  });

  it('30 guesses at once are at most five tries', async () => {
    const trader = await trading.trader('900000.00', await withoutTotp(stack));
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    const code = stack.mail.codesFor(trader.email)[0] ?? '';
    const guesses = Array.from({ length: 30 }, (_, n) => String((Number(code) + n + 1) % 1_000_000).padStart(6, '0'));
    await Promise.all(guesses.map((guess) => trader.confirm(id, { method: 'email_code', code: guess })));
    expect((await trader.get(id)).body).toMatchObject({ status: 'rejected', code: 'step_up_failed' });
    expect((await trading.audit(id)).filter((entry) => entry.action === 'transaction.factor_failed')).toHaveLength(5);
  });

  it('above 10,000 and above 0.70: first the step-up, then the hold, then the reviewer', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 10 });
    const answer = await trader.withdraw('10000.01', { category: 'jewellery' });
    expect(answer.body.status).toBe('step_up_required');
    const id = answer.body.transactionId;
    expect(await trading.incidents(id)).toEqual([{ cause: 'transaction_escalated', severity: 'high', status: 'open' }]);
    const reviewer = await stack.people.signedIn('reviewer');
    const approve = () =>
      stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'known' }, { token: reviewer.token });
    expect((await approve()).body.code).toBe('illegal_transition');
    const confirmed = await trader.confirm(id, totp(trader));
    expect([confirmed.status, confirmed.body.status]).toEqual([202, 'quarantined']);
    const hold = await trading.stored(id);
    expect(Date.parse(confirmed.body.reviewBy) - Date.parse(hold.held_at ?? '')).toBe(86_400_000);
    await stack.mail.waitFor(trader.email, { subject: /held/ });
    expect((await approve()).body.status).toBe('settled');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('the owner takes it back while it waits', async () => {
    const trader = await trading.trader();
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    expect((await trader.cancel(id)).body).toMatchObject({ status: 'rejected', code: 'cancelled' });
    expect((await trader.confirm(id, totp(trader))).status).toBe(409);
  });

  it('the letter is a step before the verdict, and no code lies in the workflow history', async () => {
    const trader = await trading.trader('900000.00', await withoutTotp(stack));
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    const code = stack.mail.codesFor(trader.email)[0] ?? '';
    await trader.confirm(id, { method: 'email_code', code: wrong(code) });
    await trader.confirm(id, { method: 'email_code', code });
    const history = await decodeHistory(
      stack.keyring,
      await stack.temporal.workflow.getHandle(`transaction:${id}`).fetchHistory(),
    );
    const payloads: string[] = [];
    const collect = (value: unknown): void => {
      if (value instanceof Uint8Array) payloads.push(Buffer.from(value).toString('utf8'));
      else if (typeof value === 'string') payloads.push(value);
      else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
    };
    collect(history);
    const everything = payloads.join('\n');
    expect(everything).toContain(id);
    // The letter went out as a step of the workflow, before the verdict, and not whenever the dispatcher came round.
    expect(everything).toMatch(/activity_type.{1,10}deliverMail/);
    expect(everything).not.toContain(`"${code}"`);
    expect(everything).not.toContain(trader.email);
    expect(everything).not.toContain(trader.token);
  });
});

describe('a step-up that nobody answers', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', STEP_UP_TIMEOUT: '2s' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack.close());

  it('is rejected and released; a code afterwards is too late', async () => {
    const trader = await trading.trader();
    const id = (await trader.withdraw('20000.00')).body.transactionId;
    await eventually(async () => (await trader.get(id)).body.code === 'step_up_expired');
    expect((await trader.portfolio()).cash[0]).toMatchObject({ reserved: '0.00' });
    const late = await trader.confirm(id, { method: 'totp', code: stack.people.totpCode(trader.totpSecret) });
    expect([late.status, late.body.code]).toEqual([410, 'factor_expired']);
    expect(await trading.incidents(id)).toEqual([]);
  });

  it('opens an incident where a hold would have followed', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 10 });
    const id = (await trader.withdraw('20000.00', { category: 'jewellery' })).body.transactionId;
    await eventually(async () => (await trader.get(id)).body.code === 'step_up_expired');
    expect((await trading.incidents(id)).map((incident) => incident.cause)).toEqual([
      'step_up_failed',
      'transaction_escalated',
    ]);
  });
});

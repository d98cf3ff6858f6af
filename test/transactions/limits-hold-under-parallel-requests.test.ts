import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import type { Tier } from '../../domain/limits.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';
import { transactionActivities, transactionInput } from '../helpers/transaction-activities.ts';

const LIMITS = {
  basic: {
    money_out: { per_transaction: '500', rolling_24h: '700', rolling_30d: '1500' },
    deposit: { per_transaction: '400', rolling_24h: '1000', rolling_30d: null },
    trade: { per_transaction: '300', rolling_24h: '400', rolling_30d: null },
  },
};

describe('what a customer may move', () => {
  let stack: Stack;
  let trading: Trading;
  let admin: SignedIn;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '60s', LIMITS: JSON.stringify(LIMITS) } });
    trading = createTrading(stack);
    admin = await stack.people.signedIn('admin');
  });
  afterAll(() => stack.close());

  const setTier = (userId: string, tier: Tier, token = admin.token) =>
    stack.api.patch(`/api/admin/users/${userId}`, { tier }, { token });
  async function basic(balance = '10000.00'): Promise<Trader> {
    const trader = await trading.trader(balance);
    expect((await setTier(trader.userId, 'basic')).status).toBe(200);
    return trader;
  }
  /** Withdrawals that are held, one after the other, each of a category of its own. */
  async function holds(trader: Trader, amounts: string[]): Promise<string[]> {
    await trading.past(trader, { count: 10 });
    const ids: string[] = [];
    for (const [n, amount] of amounts.entries()) {
      const { body } = await trader.withdraw(amount, { category: `rarity_${n}` });
      expect(body.status).toBe('quarantined');
      ids.push(body.transactionId);
    }
    return ids;
  }
  // biome-ignore lint/suspicious/noExplicitAny: one answer, read member by member
  const limitsOf = async (trader: Trader): Promise<any> =>
    (await stack.api.get('/api/profile/limits', { token: trader.token })).body;
  const limitOf = async (trader: Trader, group: string, window: string) =>
    (await limitsOf(trader)).limits.find(
      (one: { group: string; window: string }) => one.group === group && one.window === window,
    );

  it('20 withdrawals at once at a limit that allows 7: exactly 7 pass', async () => {
    const trader = await basic();
    const answers = await Promise.all(Array.from({ length: 20 }, () => trader.withdraw('100.00')));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(7);
    const refused = answers.filter(({ status }) => status === 422);
    expect(refused).toHaveLength(13);
    for (const { body } of refused) {
      expect(body).toMatchObject({
        code: 'limit_exceeded',
        limit: { group: 'money_out', window: 'rolling_24h', limit: '700.00', left: '0.00', currency: 'USD' },
      });
    }
    expect((await trader.portfolio()).cash[0].balance).toBe('9300.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('the problem says which limit and what is left, is stored, and is the same when asked again', async () => {
    const trader = await basic();
    expect((await trader.withdraw('450.00')).status).toBe(201);
    const key = randomUUID();
    const answer = await trader.withdraw('250.01', {}, key);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({
      detail: 'Your limit on withdrawals and transfers is 700.00 USD within 24 hours; 250.00 USD are left.',
      limit: { window: 'rolling_24h', left: '250.00' },
    });
    expect((await trader.withdraw('250.01', {}, key)).body).toEqual(answer.body);
    const { transactionId } = answer.body;
    expect((await trader.get(transactionId)).body).toMatchObject({
      ...{ status: 'rejected', code: 'limit_exceeded', limit: { left: '250.00' } },
    });
    expect((await trading.audit(transactionId)).map(({ action }) => action)).toEqual(['transaction.rejected']);
    // What was refused does not count: exactly the rest passes.
    expect((await trader.withdraw('250.00')).status).toBe(201);
    expect((await trader.withdraw('500.01')).body.limit).toMatchObject({ window: 'per_transaction', left: '500.00' });
  });

  it('withdrawals and transfers count together, deposits and trades apart, buys and sells together', async () => {
    const [trader, friend] = [await basic(), await trading.trader('0')];
    await trading.price('ACME', '100.00', 1_000);
    expect((await trader.withdraw('400.00')).status).toBe(201);
    const send = (amount: string) =>
      trader.ask({ type: 'transfer', amount, currency: 'USD', counterparty: friend.accountId });
    expect((await send('300.01')).body.code).toBe('limit_exceeded');
    expect((await send('300.00')).status).toBe(201);
    const deposit = (amount: string) => trader.ask({ type: 'deposit', amount, currency: 'USD' });
    expect((await deposit('400.01')).body.limit).toMatchObject({ group: 'deposit', window: 'per_transaction' });
    expect((await deposit('400.00')).status).toBe(201);
    const trade = (type: string, quantity: string) =>
      trader.ask({ type, instrument: 'ACME', quantity, currency: 'USD' });
    expect((await trade('buy', '2')).status).toBe(201);
    expect((await trade('sell', '2')).status).toBe(201);
    expect((await trade('buy', '0.0001')).body.limit).toMatchObject({ group: 'trade', left: '0.00' });
    expect(await limitsOf(trader)).toMatchObject({ tier: 'basic', currency: 'USD' });
    expect((await limitsOf(trader)).limits).toHaveLength(9);
    expect(await limitOf(trader, 'money_out', 'rolling_24h')).toMatchObject({ used: '700.00', left: '0.00' });
    expect(await limitOf(trader, 'deposit', 'rolling_30d')).toMatchObject({ limit: null, used: '400.00', left: null });
    expect(await limitOf(trader, 'trade', 'per_transaction')).toMatchObject({ used: null, left: '300.00' });
  });

  it('what is held counts until it is taken back, rejected or settled', async () => {
    const trader = await basic();
    const reviewer = await stack.people.signedIn('reviewer');
    const decide = (id: string, verdict: string) =>
      stack.api.post(
        `/api/admin/security/transactions/${id}/${verdict}`,
        { reason: 'looked at it' },
        { token: reviewer.token },
      );
    const left = async () => (await limitOf(trader, 'money_out', 'rolling_24h')).left;
    const [cancelled = '', approved = '', rejected = ''] = await holds(trader, ['300.00', '200.00', '150.00']);
    expect(await left()).toBe('50.00');
    expect((await trader.withdraw('50.01', { category: 'groceries' })).body.code).toBe('limit_exceeded');
    await trader.cancel(cancelled);
    expect(await left()).toBe('350.00');
    expect((await decide(rejected, 'reject')).body.status).toBe('rejected');
    expect(await left()).toBe('500.00');
    expect((await decide(approved, 'approve')).body.status).toBe('settled');
    expect(await left()).toBe('500.00');
  });

  it('what is rejected and appealed against counts again, and once when it settles', async () => {
    const trader = await basic();
    const reviewers = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
    const decide = async (id: string, verdict: string, n: number) =>
      (
        await stack.api.post(
          `/api/admin/security/transactions/${id}/${verdict}`,
          { reason: 'looked at it' },
          { token: reviewers[n]?.token ?? '' },
        )
      ).body;
    const appeal = (id: string) =>
      stack.api.post(
        `/api/transactions/${id}/appeal`,
        { reason: 'It was me' },
        { token: trader.token, signWith: trader.signingKey },
      );
    const left = async () => (await limitOf(trader, 'money_out', 'rolling_24h')).left;
    const [first = '', second = ''] = await holds(trader, ['300.00', '300.00']);
    await decide(first, 'reject', 0);
    expect(await left()).toBe('400.00');
    expect((await appeal(first)).status).toBe(202);
    expect(await left()).toBe('100.00');
    expect(await decide(first, 'approve', 1)).toMatchObject({ status: 'settled' });
    expect(await left()).toBe('100.00');
    // Held again beside what was let in meanwhile, it is more than the limit: the approval says so.
    await decide(second, 'reject', 0);
    expect((await trader.withdraw('400.00', { category: 'groceries' })).body.status).toBe('step_up_required');
    expect((await appeal(second)).status).toBe(202);
    expect(await decide(second, 'approve', 1)).toMatchObject({ status: 'rejected', code: 'limit_exceeded' });
    expect(await left()).toBe('0.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('limits are asked again at the approval: of the tier of that day, without the hold counting twice', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const approve = async (id: string) =>
      (await stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'ok' }, reviewer)).body;
    const trader = await trading.trader('10000.00');
    const [fits = '', beyond = ''] = await holds(trader, ['500.00', '500.01']);
    expect((await setTier(trader.userId, 'basic')).body.tier).toBe('basic');
    expect(await approve(beyond)).toMatchObject({
      ...{ status: 'rejected', code: 'limit_exceeded', limit: { window: 'per_transaction', limit: '500.00' } },
    });
    expect(await approve(fits)).toMatchObject({ status: 'settled' });
    expect(await limitOf(trader, 'money_out', 'rolling_24h')).toMatchObject({ used: '500.00', left: '200.00' });
    expect((await trader.portfolio()).cash).toMatchObject([{ balance: '9500.00', reserved: '0.00' }]);
  });

  it('another currency counts by what it is in the base; unknown, it is asked about once a rate is there', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const trader = await basic();
    await trading.rate('EUR', '1.1');
    const deposit = (amount: string, currency: string) => trader.ask({ type: 'deposit', amount, currency });
    expect((await deposit('363.65', 'EUR')).body.limit).toMatchObject({ window: 'per_transaction', limit: '400.00' });
    expect((await deposit('363.64', 'EUR')).status).toBe(201);
    expect(await limitOf(trader, 'deposit', 'rolling_24h')).toMatchObject({ used: '400.00', left: '600.00' });
    const [small, large] = [await deposit('200.00', 'GBP'), await deposit('400.00', 'GBP')];
    expect([small.body.status, large.body.status]).toEqual(['quarantined', 'quarantined']);
    expect(await limitOf(trader, 'deposit', 'rolling_24h')).toMatchObject({ used: '400.00' });
    await trading.rate('GBP', '1.25');
    const approve = async (id: string) =>
      (await stack.api.post(`/api/admin/security/transactions/${id}/approve`, { reason: 'ok' }, reviewer)).body;
    expect(await approve(large.body.transactionId)).toMatchObject({ code: 'limit_exceeded' });
    expect(await approve(small.body.transactionId)).toMatchObject({ status: 'settled' });
    expect(await limitOf(trader, 'deposit', 'rolling_24h')).toMatchObject({ used: '650.00' });
  });

  it('an older day counts within 30 days', async () => {
    const trader = await basic();
    const day = Math.floor(Date.now() / 86_400_000) - 20;
    const usage = { version: 1, groups: { money_out: { hours: [[day * 24, '140000']], days: [[day, '140000']] } } };
    await run(stack.db.fork(), 'update account_state set limit_usage = $2::jsonb where account_id = $1', [
      trader.accountId,
      JSON.stringify(usage),
    ]);
    expect(await limitOf(trader, 'money_out', 'rolling_24h')).toMatchObject({ left: '700.00' });
    expect((await trader.withdraw('100.01')).body.limit).toMatchObject({ window: 'rolling_30d', left: '100.00' });
    expect((await trader.withdraw('100.00')).status).toBe(201);
  });

  it('imported rows have no limits and count for none', async () => {
    const trader = await basic();
    const { assessTransaction } = transactionActivities(stack, stack.db);
    const input = transactionInput(trader, { type: 'deposit', amount: '100000000000', counterparty: null });
    const virtual = { at: '2026-01-05T12:00:00Z', outsideFeatures: true };
    const { state } = await assessTransaction({ ...input, virtual });
    expect(state?.view.status).toBe('settled');
    expect(await limitOf(trader, 'deposit', 'rolling_30d')).toMatchObject({ used: '0.00' });
  });

  it('an administrator changes the tier of others, on record; nobody their own', async () => {
    const trader = await trading.trader('10.00');
    expect(await limitsOf(trader)).toMatchObject({ tier: 'standard' });
    const premium = await setTier(trader.userId, 'premium');
    expect(premium.body).toMatchObject({ userId: trader.userId, tier: 'premium' });
    expect(await limitsOf(trader)).toMatchObject({ tier: 'premium' });
    // The session goes on: a tier opens nothing.
    expect((await trader.withdraw('1.00')).status).toBe(201);
    const entries = await rows<{ details: object }>(
      stack.db.fork(),
      `select entry::jsonb -> 'details' as details from audit_entry where action = 'user.tier_changed' and subject = $1`,
      [trader.userId],
    );
    expect(entries.map(({ details }) => details)).toEqual([{ from: 'standard', to: 'premium' }]);
    const own = await setTier(admin.userId, 'premium');
    expect([own.status, own.body.code]).toEqual([403, 'own_account']);
    expect((await setTier(trader.userId, 'basic', trader.token)).status).toBe(403);
    expect((await stack.api.patch(`/api/admin/users/${trader.userId}`, { tier: 'gold' }, admin)).status).toBe(400);
    expect((await stack.api.patch(`/api/admin/users/${trader.userId}`, {}, admin)).status).toBe(400);
  });
});

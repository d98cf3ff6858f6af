import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('a held transaction is looked after by one reviewer at a time', () => {
  let stack: Stack;
  let trading: Trading;
  let ann: SignedIn;
  let bob: SignedIn;
  let admin: SignedIn;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', REVIEW_TWO_PERSON_ABOVE: '550' } });
    trading = createTrading(stack);
    [ann, bob, admin] = await Promise.all([
      stack.people.signedIn('reviewer'),
      stack.people.signedIn('reviewer'),
      stack.people.signedIn('admin'),
    ]);
  });
  afterAll(() => stack?.close());

  const held = async (amount?: string) => trading.held(await trading.trader('1000.00'), amount);
  const post = (id: string, what: string, by: SignedIn, body: object = {}) =>
    stack.api.post(`/api/admin/security/reviews/${id}/${what}`, body, { token: by.token });
  const decide = (id: string, verdict: 'approve' | 'reject', by: SignedIn) =>
    stack.api.post(`/api/admin/security/transactions/${id}/${verdict}`, { reason: 'seen' }, { token: by.token });
  const claimOf = async (id: string, by = ann) =>
    (await stack.api.get(`/api/admin/security/reviews/${id}`, { token: by.token })).body.claim;
  const lapse = (id: string) =>
    run(stack.ownerDb.fork(), `update review_claim set expires_at = clock_timestamp() where transaction_id = $1`, [id]);
  const denied = async (id: string) => (await trading.audit(id)).filter(({ reason }) => reason !== null);

  it('twenty claim it at once: one has it, the others are told who', async () => {
    const id = await held();
    const reviewers = await Promise.all(Array.from({ length: 20 }, () => stack.people.signedIn('reviewer')));
    const answers = await Promise.all(reviewers.map((one) => post(id, 'claim', one)));
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const { reviewerId } = winners[0]?.body.claim ?? {};
    const others = answers.filter(({ status }) => status === 409);
    expect(others).toHaveLength(19);
    for (const { body } of others) expect(body).toMatchObject({ code: 'already_claimed', claimedBy: reviewerId });
    expect((await claimOf(id)).reviewerId).toBe(reviewerId);
    const claims = (await trading.audit(id)).filter(({ action }) => action === 'review.claimed');
    expect(claims.filter(({ reason }) => reason === null)).toHaveLength(1);
    expect(claims.filter(({ reason }) => reason === 'already_claimed')).toHaveLength(19);
  });

  it('a verdict of somebody else is refused while it is claimed, an administrator’s is not, and is on record', async () => {
    const id = await held();
    expect((await post(id, 'claim', ann)).status).toBe(200);
    const refused = await decide(id, 'approve', bob);
    expect([refused.status, refused.body.code, refused.body.claimedBy]).toEqual([409, 'claimed_by_other', ann.userId]);
    expect(await denied(id)).toContainEqual({ action: 'review.refused', reason: 'claimed_by_other' });
    expect((await trading.stored(id)).status).toBe('quarantined');
    expect((await decide(id, 'approve', admin)).body.status).toBe('settled');
    const { body } = await stack.api.get(`/api/admin/security/audit-logs?subject=${id}&action=review.recorded`, {
      token: admin.token,
    });
    expect(body.items[0].details).toMatchObject({ verdict: 'approve', overrode: ann.userId });
  });

  it('its holder decides, and the claim is over', async () => {
    const id = await held();
    await post(id, 'claim', ann);
    expect((await decide(id, 'reject', ann)).body.code).toBe('review_rejected');
    expect(await claimOf(id)).toBeNull();
    expect((await post(id, 'claim', bob)).body.code).toBe('already_decided');
  });

  it('a claim lapses, and what its holder does renews it', async () => {
    const id = await held();
    const first = (await post(id, 'claim', ann)).body.claim;
    const left = Date.parse(first.expiresAt) - Date.parse(first.claimedAt);
    expect(left).toBe(30 * 60_000);
    await post(id, 'notes', ann, { text: 'Called the customer' });
    const renewed = await claimOf(id);
    expect(Date.parse(renewed.expiresAt)).toBeGreaterThan(Date.parse(first.expiresAt));
    expect(renewed.claimedAt).toBe(first.claimedAt);
    // Somebody else's note renews nothing.
    await post(id, 'notes', bob, { text: 'Looks odd' });
    expect(await claimOf(id)).toEqual(renewed);
    await lapse(id);
    expect(await claimOf(id)).toBeNull();
    expect((await post(id, 'claim', bob)).body.claim.reviewerId).toBe(bob.userId);
    expect((await decide(id, 'approve', ann)).body.code).toBe('claimed_by_other');
    await lapse(id);
    expect((await decide(id, 'approve', ann)).body.status).toBe('settled');
  });

  it('it is given back by who has it, or by an administrator', async () => {
    const id = await held();
    expect((await post(id, 'release', ann)).body.code).toBe('not_claimed');
    await post(id, 'claim', ann);
    expect((await post(id, 'release', bob)).body).toMatchObject({ code: 'claimed_by_other', claimedBy: ann.userId });
    expect((await post(id, 'release', ann)).body.claim).toBeNull();
    await post(id, 'claim', bob);
    expect((await post(id, 'release', admin)).status).toBe(200);
    expect(await claimOf(id)).toBeNull();
  });

  it('an administrator gives it to whoever may decide on it, and to nobody else', async () => {
    const trader = await trading.trader('1000.00', await stack.people.signedIn('admin'));
    const id = await trading.held(trader);
    const [customer, auditor] = [await stack.people.signedIn('customer'), await stack.people.signedIn('auditor')];
    expect((await post(id, 'assign', ann, { reviewerId: bob.userId })).status).toBe(403);
    await post(id, 'claim', ann);
    const given = await post(id, 'assign', admin, { reviewerId: bob.userId });
    expect(given.body.claim).toMatchObject({ reviewerId: bob.userId, assignedBy: admin.userId });
    for (const someone of [customer, auditor]) {
      const refused = await post(id, 'assign', admin, { reviewerId: someone.userId });
      expect([refused.status, refused.body.code]).toEqual([403, 'not_a_reviewer']);
    }
    const own = await post(id, 'assign', admin, { reviewerId: trader.userId });
    expect([own.status, own.body.code]).toEqual([403, 'own_transaction']);
    expect((await claimOf(id)).reviewerId).toBe(bob.userId);
    expect((await decide(id, 'approve', ann)).body.code).toBe('claimed_by_other');
    expect((await decide(id, 'approve', bob)).body.status).toBe('settled');
  });

  it('its owner can neither claim it nor read what is written about it', async () => {
    const owner = await stack.people.signedIn('admin');
    const id = await trading.held(await trading.trader('1000.00', owner));
    for (const answer of [
      await post(id, 'claim', owner),
      await post(id, 'notes', owner, { text: 'Mine' }),
      await stack.api.get(`/api/admin/security/reviews/${id}`, { token: owner.token }),
      await decide(id, 'approve', owner),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([403, 'own_transaction']);
    }
    expect(await claimOf(id)).toBeNull();
  });

  it('where two have to approve, the first approval gives it back', async () => {
    const id = await held('600.00');
    await post(id, 'claim', ann);
    expect((await decide(id, 'approve', ann)).status).toBe(202);
    expect(await claimOf(id)).toBeNull();
    expect((await post(id, 'claim', ann)).body.code).toBe('already_voted');
    expect((await post(id, 'claim', bob)).status).toBe(200);
    expect((await decide(id, 'approve', bob)).body.status).toBe('settled');
  });

  it('what waits for its owner cannot be claimed', async () => {
    const trader = await trading.trader('90000.00');
    const { transactionId } = (await trader.withdraw('20000.00')).body;
    expect((await post(transactionId, 'claim', ann)).body.code).toBe('illegal_transition');
    expect((await post('00000000-0000-4000-8000-000000000000', 'claim', ann)).status).toBe(404);
  });
});

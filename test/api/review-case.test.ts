import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('the case of a held transaction', () => {
  let stack: Stack;
  let trading: Trading;
  let ann: SignedIn;
  let bob: SignedIn;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', REVIEW_TWO_PERSON_ABOVE: '450' } });
    trading = createTrading(stack);
    [ann, bob] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
  });
  afterAll(() => stack?.close());

  const read = (id: string, by = ann) => stack.api.get(`/api/admin/security/reviews/${id}`, { token: by.token });
  const note = (id: string, text: unknown, by = ann) =>
    stack.api.post(`/api/admin/security/reviews/${id}/notes`, { text }, { token: by.token });
  const decide = (id: string, verdict: string, reason: string, by = ann) =>
    stack.api.post(`/api/admin/security/transactions/${id}/${verdict}`, { reason }, { token: by.token });

  it('tells reasons, notes, verdicts, the account’s past and what happened, while it is held and afterwards', async () => {
    const trader = await trading.trader('5000.00');
    const id = await trading.held(trader);
    const others: string[] = [];
    for (let n = 0; n < 22; n += 1) {
      const { status, body } = await trader.withdraw('1.00', { category: 'groceries' });
      expect(status).toBe(201);
      others.push(body.transactionId);
    }
    expect((await note(id, 'Called, nobody there')).status).toBe(201);
    expect((await note(id, 'Customer rang back', bob)).status).toBe(201);
    await decide(id, 'approve', 'Known to me');
    const { status, body } = await read(id, bob);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      transactionId: id,
      status: 'quarantined',
      score: 0.9,
      requiredApprovals: 2,
      appeal: null,
    });
    expect(body.explanation).toHaveLength(3);
    expect(body.notes.map((one: { text: string; authorId: string }) => [one.text, one.authorId])).toEqual([
      ['Called, nobody there', ann.userId],
      ['Customer rang back', bob.userId],
    ]);
    expect(Date.parse(body.notes[0].at)).toBeLessThanOrEqual(Date.parse(body.notes[1].at));
    expect(body.verdicts).toEqual([
      expect.objectContaining({ hold: 1, reviewerId: ann.userId, verdict: 'approve', reason: 'Known to me' }),
    ]);
    expect(body.history).toHaveLength(20);
    expect(body.history.map((one: { transactionId: string }) => one.transactionId)).toEqual(
      others.toReversed().slice(0, 20),
    );
    expect(body.timeline.map((event: { cause: string; kind: string }) => [event.cause, event.kind])).toContainEqual([
      'quarantine',
      'opened',
    ]);
    await decide(id, 'reject', 'On second thoughts', bob);
    const after = (await read(id)).body;
    expect(after).toMatchObject({ status: 'rejected', code: 'review_rejected', label: 'inconclusive' });
    expect(after.verdicts).toHaveLength(2);
    expect(after.timeline.at(-1).kind).toBe('resolved');
    // It is closed, and still something is learned of it.
    expect((await note(id, 'Police report 4711')).status).toBe(201);
  });

  it('notes are only added, and nobody else reads them', async () => {
    const trader = await trading.trader('5000.00');
    const id = await trading.held(trader);
    for (const text of ['', '  ', 'x'.repeat(4001), 'a\u0000b', '\ud800', 7]) {
      expect((await note(id, text)).status).toBe(400);
    }
    await note(id, 'Once written');
    await expect(run(stack.db.fork(), `update review_note set text = 'Never'`)).rejects.toThrow(/permission denied/);
    await expect(run(stack.db.fork(), 'delete from review_note')).rejects.toThrow(/permission denied/);
    const [customer, auditor] = [await stack.people.signedIn('customer'), await stack.people.signedIn('auditor')];
    expect((await read(id, customer)).status).toBe(403);
    expect((await read(id, trader)).status).toBe(403);
    expect((await read(id, auditor)).body.notes).toHaveLength(1);
    expect((await note(id, 'From the auditor', auditor)).status).toBe(403);
  });

  it('who reads it is on record', async () => {
    const id = await trading.held(await trading.trader('5000.00'));
    await read(id);
    expect((await trading.audit(id)).filter(({ action }) => action === 'review.read')).toHaveLength(1);
  });

  it('there is none of a transaction that was never held', async () => {
    const trader = await trading.trader('5000.00');
    const settled = (await trader.withdraw('1.00')).body.transactionId;
    for (const id of [settled, '00000000-0000-4000-8000-000000000000']) {
      expect((await read(id)).status).toBe(404);
      expect((await note(id, 'Nothing')).status).toBe(404);
    }
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFeatures } from '../../db/account-state.ts';
import { ensureAccount } from '../../db/ledger.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

describe('the importer acts for imported accounts, at the times of its rows', () => {
  let stack: Stack;
  let trading: Trading;
  let importer: SignedIn;
  let signWith: IssuedSigningKey;
  let owner: SignedIn;
  let accountId: string;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', IMPORTER: '1' } });
    trading = createTrading(stack);
    importer = await stack.people.signedIn('importer');
    signWith = await issueSigningKey(stack.api, importer.token);
    owner = await stack.people.signedIn('customer');
    accountId = await stack.db.transaction((tx) =>
      ensureAccount(tx, { id: uuidV7(), userId: owner.userId, imported: true }),
    );
  });
  afterAll(() => stack.close());

  const send = (at: string, body: object, headers: Record<string, string> = {}, onBehalfOf = owner.userId) =>
    stack.api.post(
      '/api/transactions',
      { currency: 'USD', ...body },
      {
        token: importer.token,
        signWith,
        headers: { 'Idempotency-Key': randomUUID(), 'X-Virtual-Time': at, 'X-On-Behalf-Of': onBehalfOf, ...headers },
      },
    );

  it('funds an account without a trace in its features', async () => {
    const answer = await send(
      '2018-04-01T00:00:00Z',
      { type: 'deposit', amount: '1000000.00' },
      { 'X-Outside-Features': '1' },
    );
    expect([answer.status, answer.body.status]).toEqual([201, 'settled']);
    expect((await readFeatures(stack.db.fork(), accountId)).priorCount).toBe(0);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it("features use the rows' own times: six in an hour of 2018 are fast, one a day later is not", async () => {
    const velocity: unknown[] = [];
    for (const at of ['10:00', '10:10', '10:20', '10:30', '10:40', '10:59']) {
      const answer = await send(`2018-04-02T${at}:00.000001Z`, { type: 'withdrawal', amount: '10.00' });
      velocity.push((await trading.points(answer.body.transactionId)).velocity);
    }
    expect(velocity).toEqual([0, 0, 0, 0, 0, 40]);
    const later = await send('2018-04-03T10:00:00Z', { type: 'withdrawal', amount: '10.00' });
    expect(await trading.points(later.body.transactionId)).toMatchObject({ velocity: 0, amount_above_average: 0 });
    expect(new Date((await trading.stored(later.body.transactionId)).t).toISOString()).toBe('2018-04-03T10:00:00.000Z');
  });

  it('a step-up can be let lapse at once, as virtual time does', async () => {
    const answer = await send('2018-04-04T10:00:00Z', { type: 'withdrawal', amount: '20000.00' });
    expect(answer.body.status).toBe('step_up_required');
    const id = answer.body.transactionId;
    await stack.temporal.workflow.getHandle(`transaction:${id}`).signal('lapse');
    await eventually(async () => (await trading.stored(id)).code === 'step_up_expired');
    expect(stack.mail.to(owner.email)).toEqual([]);
  });

  it('live accounts are out of its reach, and their step-ups do not lapse by a signal', async () => {
    const live = await trading.trader();
    const answer = await send('2018-04-05T10:00:00Z', { type: 'withdrawal', amount: '1.00' }, {}, live.userId);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    const id = (await live.withdraw('20000.00')).body.transactionId;
    const handle = stack.temporal.workflow.getHandle(`transaction:${id}`);
    await handle.signal('lapse');
    await handle.signal('review', {});
    await eventually(async () => (await trading.audit(id)).at(-1)?.action === 'review.refused');
    expect((await live.get(id)).body.status).toBe('step_up_required');
  });

  it('a row without its time or its account is refused', async () => {
    for (const headers of [
      { 'X-Virtual-Time': 'yesterday' },
      { 'X-On-Behalf-Of': 'somebody' },
      { 'X-Virtual-Time': '2018-13-01T00:00:00Z' },
    ]) {
      const answer = await send('2018-04-06T10:00:00Z', { type: 'withdrawal', amount: '1.00' }, headers);
      expect([answer.status, answer.body.code]).toEqual([400, 'validation_failed']);
    }
  });
});

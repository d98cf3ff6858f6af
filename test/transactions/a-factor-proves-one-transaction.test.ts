import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { challengeHash } from '../../security/challenge-hash.ts';
import { createAuthenticator } from '../helpers/authenticator.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('what confirms a transaction confirms these terms of this one', () => {
  let stack: Stack;
  let trading: Trading;

  beforeAll(async () => {
    stack = await createStack({ env: { VERDICT_TIMEOUT: '30s', PUBLIC_ORIGIN: 'http://localhost:3000' } });
    trading = createTrading(stack);
  });
  afterAll(() => stack?.close());

  const sql = (text: string, params: unknown[]) => run(stack.ownerDb.fork(), text, params);

  /** Proves by letters: has no authenticator. */
  async function byLetter(): Promise<Trader> {
    const person = await stack.people.signedIn('customer');
    await sql('delete from totp_factor where user_id = $1', [person.userId]);
    return trading.trader('900000.00', person);
  }

  /** Proves by a passkey alone. */
  async function byPasskey() {
    const person = await stack.people.signedIn('customer');
    const device = createAuthenticator();
    const origin = stack.config.publicOrigin;
    const stepUp = { method: 'totp', code: stack.people.totpCode(person.totpSecret) };
    expect((await stack.api.post('/api/auth/step-up', stepUp, { token: person.token })).status).toBe(200);
    const { body } = await stack.api.post('/api/auth/mfa/webauthn/options', {}, { token: person.token });
    const credential = device.register({ origin, challenge: body.publicKey.challenge });
    const registered = await stack.api.post(
      '/api/auth/mfa/webauthn/confirm',
      { name: 'Key', credential },
      { token: person.token },
    );
    expect(registered.status, JSON.stringify(registered.body)).toBe(201);
    const trader = await trading.trader('900000.00', person);
    const challengeOf = async (id: string): Promise<string> =>
      (await stack.api.post(`/api/transactions/${id}/factors/options`, {}, { token: person.token })).body.webauthn
        .publicKey.challenge;
    const confirm = (id: string, signed: object) =>
      stack.api.post(
        `/api/transactions/${id}/factors`,
        { method: 'webauthn', credential: signed },
        { token: person.token, signWith: trader.signingKey },
      );
    return { trader, challengeOf, confirm, sign: (challenge: string) => device.assert({ origin, challenge }) };
  }

  const asked = async (trader: Trader, amount = '20000.00') => (await trader.withdraw(amount)).body.transactionId;
  const code = (trader: Trader) => stack.mail.codesFor(trader.email).at(-1) ?? '';
  const byMail = (trader: Trader, id: string, six: string) => trader.confirm(id, { method: 'email_code', code: six });

  it('the letter says what is confirmed: type, amount, currency and who gets it', async () => {
    const [sender, recipient] = [await byLetter(), await trading.trader('1.00')];
    const counterparty = recipient.accountId;
    const answer = await sender.ask({ type: 'transfer', amount: '123456.78', currency: 'USD', counterparty });
    expect(answer.body.status).toBe('step_up_required');
    const { text } = await stack.mail.waitFor(sender.email, { subject: /confirmation code/ });
    expect(text).toMatch(/Type: +transfer/);
    expect(text).toMatch(/Amount: +123,456\.78 USD/);
    const shown = /To: +account ([0-9a-f ]+)/.exec(text)?.[1]?.replaceAll(' ', '');
    expect(shown).toBe(counterparty.replaceAll('-', ''));
    expect(text.match(/\d{6,}/g)).toHaveLength(1);
    expect((await byMail(sender, answer.body.transactionId, code(sender))).body.status).toBe('settled');
  });

  it('a code for one is none for another, though both are for the same amount', async () => {
    const trader = await byLetter();
    const [a, b] = [await asked(trader), await asked(trader)];
    const [forA, forB] = stack.mail.codesFor(trader.email);
    if (forA !== forB) {
      const wrong = await byMail(trader, b, forA ?? '');
      expect([wrong.status, wrong.body.code]).toEqual([401, 'factor_invalid']);
    }
    expect((await byMail(trader, a, forA ?? '')).body.status).toBe('settled');
    expect((await byMail(trader, b, forB ?? '')).body.status).toBe('settled');
    expect((await byMail(trader, b, forB ?? '')).body.code).toBe('not_awaiting_factor');
  });

  it('a passkey’s signature for one is none for another, and is used up by its use', async () => {
    const { trader, challengeOf, confirm, sign } = await byPasskey();
    const [a, b] = [await asked(trader), await asked(trader)];
    const [challengeA, challengeB] = [await challengeOf(a), await challengeOf(b)];
    expect(challengeA).not.toBe(challengeB);
    const signed = sign(challengeA);
    expect((await confirm(b, signed)).body.code).toBe('factor_invalid');
    expect((await confirm(a, signed)).body.status).toBe('settled');
    expect((await confirm(a, signed)).body.code).toBe('not_awaiting_factor');
    expect((await confirm(b, sign(challengeB))).body.status).toBe('settled');
  });

  /** Changes the row and its hash together, as somebody would who knows how the hash is made. */
  async function rewrite(id: string, change: string): Promise<void> {
    await sql(`update transaction set ${change} where id = $1`, [id]);
    const hash = challengeHash(await trading.stored(id)).toString('hex');
    await sql(`update transaction set challenge_hash = decode($2, 'hex') where id = $1`, [id, hash]);
  }

  it('a row that is changed with its hash takes nothing that was drawn before: codes and challenges are made of the terms', async () => {
    const { trader: owner, challengeOf, confirm, sign } = await byPasskey();
    const signedFor = await asked(owner);
    const challenge = await challengeOf(signedFor);
    await rewrite(signedFor, 'amount = amount + 1');
    expect((await confirm(signedFor, sign(challenge))).body.code).toBe('factor_invalid');

    const trader = await byLetter();
    const mailedFor = await asked(trader);
    await rewrite(mailedFor, `amount = amount + 1`);
    expect((await byMail(trader, mailedFor, code(trader))).body.code).toBe('factor_invalid');
  });

  it.each([
    ['amount', 'amount = amount + 1'],
    ['account that gets it', `counterparty = 'somebody else'`],
    ['currency', `currency = 'EUR'`],
    ['type', `type = 'deposit'`],
  ])('a row with another %s is refused before the code is looked at; an incident tells', async (_, change) => {
    const trader = await byLetter();
    const id = await asked(trader);
    await sql(`update transaction set ${change} where id = $1`, [id]);
    const refused = await byMail(trader, id, code(trader));
    expect([refused.status, refused.body.code]).toEqual([409, 'terms_changed']);
    const options = await stack.api.post(`/api/transactions/${id}/factors/options`, {}, { token: trader.token });
    expect(options.body.code).toBe('terms_changed');
    expect(await trading.postings(id)).toEqual([]);
    expect(await trading.incidents(id)).toEqual([
      { cause: 'transaction_altered', severity: 'critical', status: 'open' },
    ]);
    expect((await trading.audit(id)).map(({ action }) => action)).toContain('transaction.terms_altered');
  });

  it.each([
    ['the row', (id: string) => sql('update transaction set amount = 1999999 where id = $1', [id])],
    ['the row and its hash', (id: string) => rewrite(id, 'amount = 1999999')],
  ])('a proof that was recorded before somebody changed %s moves nothing when its turn comes', async (_, change) => {
    const trader = await byLetter();
    const id = await asked(trader);
    const balance = await trader.portfolio();
    await stack.stopWorker();
    const answered = byMail(trader, id, code(trader));
    await eventually(
      async () =>
        (await rows(stack.db.fork(), 'select from factor_attempt where challenge_id = $1 and passed', [id])).length > 0,
    );
    await change(id);
    await stack.startWorker();
    expect((await answered).body.code).toBe('step_up_failed');
    expect(await trading.postings(id)).toEqual([]);
    expect((await trading.incidents(id)).map(({ cause }) => cause)).toContain('transaction_altered');
    expect((await trader.portfolio()).cash[0].balance).toBe(balance.cash[0].balance);
    expect((await trader.portfolio()).cash[0].reserved).toBe('0.00');
  });

  it('one that is altered while it is held is not settled by its approval', async () => {
    const trader = await trading.trader('90000.00');
    await trading.past(trader, { count: 10 });
    const id = (await trader.withdraw('20000.00', { category: 'jewellery' })).body.transactionId;
    const totp = { method: 'totp', code: stack.people.totpCode(trader.totpSecret) };
    expect((await trader.confirm(id, totp)).body.status).toBe('quarantined');
    await sql('update transaction set amount = amount - 100 where id = $1', [id]);
    const reviewer = await stack.people.signedIn('reviewer');
    const answer = await stack.api.post(
      `/api/admin/security/transactions/${id}/approve`,
      { reason: 'fine' },
      { token: reviewer.token },
    );
    expect(answer.body.code).toBe('step_up_failed');
    expect(await trading.postings(id)).toEqual([]);
  });

  it('a buy settles at no more than was confirmed, unless its own limit allows it', async () => {
    const buy = async (more: object) => {
      await trading.price('ACME', '200.00');
      const trader = await trading.trader('90000.00');
      const { body } = await trader.ask({ type: 'buy', instrument: 'ACME', quantity: '60', currency: 'USD', ...more });
      expect(body).toMatchObject({ status: 'step_up_required', amount: '12000.00' });
      return { trader, id: body.transactionId };
    };
    const totp = ({ totpSecret }: Trader) => ({ method: 'totp', code: stack.people.totpCode(totpSecret) });

    const free = await buy({});
    const limited = await buy({ price: '201.00' });
    await trading.price('ACME', '200.01');
    expect((await free.trader.confirm(free.id, totp(free.trader))).body.code).toBe('price_limit');
    expect((await free.trader.portfolio()).cash[0]).toMatchObject({ balance: '90000.00', reserved: '0.00' });
    const settled = await limited.trader.confirm(limited.id, totp(limited.trader));
    expect(settled.body).toMatchObject({ status: 'settled', amount: '12000.60' });

    const cheaper = await buy({});
    await trading.price('ACME', '199.00');
    const less = await cheaper.trader.confirm(cheaper.id, totp(cheaper.trader));
    expect(less.body).toMatchObject({ status: 'settled', amount: '11940.00' });
    expect(await trading.ledgerFaults()).toEqual([]);
  });
});

import { randomUUID } from 'node:crypto';
import { readFeatures, storeFeatures } from '../../db/account-state.ts';
import { recordRates } from '../../db/exchange-rates.ts';
import { checkLedger, ensureAccount, postSettlement } from '../../db/ledger.ts';
import { recordPrices } from '../../db/prices.ts';
import { oneRow, rows } from '../../db/sql.ts';
import { findTransaction } from '../../db/transactions.ts';
import { parseRate } from '../../domain/exchange.ts';
import { currencyExponent, parseAmount, parsePrice } from '../../domain/money.ts';
import { settleOnAccount } from '../../domain/risk/account-state.ts';
import { fold, NO_ACCESS } from '../../domain/risk/features.ts';
import { emptyPopulation, preparePopulation } from '../../domain/risk/population.ts';
import type { Reason } from '../../domain/risk/reasons.ts';
import { MICROS_PER_SECOND } from '../../domain/time.ts';
import type { TransactionType } from '../../domain/transaction.ts';
import { uuidV7 } from '../../security/uuid.ts';
import type { Answer } from './http.ts';
import type { SignedIn } from './people.ts';
import { type IssuedSigningKey, issueSigningKey } from './signing.ts';
import type { Stack } from './stack.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, asserted field by field
type Body = any;

export interface Trader extends SignedIn {
  accountId: string;
  signingKey: IssuedSigningKey;
  /** Signed `POST /api/transactions`; a key of its own where none is given. */
  ask(body: object, key?: string): Promise<Answer<Body>>;
  /** A withdrawal in dollars. */
  withdraw(amount: string, more?: object, key?: string): Promise<Answer<Body>>;
  get(transactionId: string): Promise<Answer<Body>>;
  confirm(transactionId: string, factor: { method: string; code: string }): Promise<Answer<Body>>;
  cancel(transactionId: string): Promise<Answer<Body>>;
  portfolio(): Promise<Body>;
}

/** Customers with money, and what tests about money look at. */
export function createTrading(stack: Pick<Stack, 'api' | 'db' | 'people'>) {
  const { api, db } = stack;

  /** Money from the bank, booked beside the API: it leaves no trace in the features, as an opening balance does. */
  async function fund(accountId: string, amount: string, currency = 'USD'): Promise<void> {
    await db.transaction((tx) =>
      postSettlement(tx, randomUUID(), {
        type: 'deposit',
        accountId,
        counterpartyAccountId: null,
        currency,
        amount: parseAmount(amount, currencyExponent(currency)),
        instrument: null,
        quantity: null,
      }),
    );
  }

  async function trader(balance = '100000.00', person?: SignedIn): Promise<Trader> {
    const someone = person ?? (await stack.people.signedIn('customer'));
    const { token, userId } = someone;
    const accountId = await db.transaction((tx) => ensureAccount(tx, { id: uuidV7(), userId }));
    if (balance !== '0') await fund(accountId, balance);
    const signingKey = await issueSigningKey(api, token);
    const signed = { token, signWith: signingKey };
    const ask = (body: object, key: string = randomUUID()) =>
      api.post('/api/transactions', body, { ...signed, headers: { 'Idempotency-Key': key } });
    return {
      ...someone,
      accountId,
      signingKey,
      ask,
      withdraw: (amount, more = {}, key) => ask({ type: 'withdrawal', amount, currency: 'USD', ...more }, key),
      get: (id) => api.get(`/api/transactions/${id}`, { token }),
      confirm: (id, factor) => api.post(`/api/transactions/${id}/factors`, factor, signed),
      cancel: (id) => api.post(`/api/transactions/${id}/cancel`, {}, signed),
      portfolio: async () => (await api.get('/api/portfolio', { token })).body,
    };
  }

  /** Gives an account a past: settled transactions of one category, a minute apart, the last one a minute ago. */
  async function past(
    trader: Trader,
    given: { count: number; amount?: string; category?: string; type?: TransactionType; secondsApart?: number },
  ): Promise<void> {
    const { count, amount = '10.00', category = 'groceries', type = 'withdrawal', secondsApart = 60 } = given;
    await db.transaction(async (tx) => {
      const { now } = await oneRow<{ now: string }>(
        tx,
        'select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now',
      );
      let state = await readFeatures(tx, trader.accountId);
      for (let n = count; n > 0; n--) {
        const one = {
          at: Number(now) - n * secondsApart * MICROS_PER_SECOND,
          type,
          amountMinor: parseAmount(amount, 2),
        };
        const states = { account: state, counterparty: null, population: preparePopulation(emptyPopulation()) };
        const seen = { exponent: 2, account: trader.accountId, counterparty: null, instrument: null, ip: null };
        state = settleOnAccount(fold(states, { ...one, ...seen, category, access: NO_ACCESS }).account, one);
      }
      await storeFeatures(tx, trader.accountId, state);
    });
  }

  /** A transaction that meets all three rules (0.90) and is held; below the step-up amount. */
  async function held(trader: Trader, amount = '500.00'): Promise<string> {
    await past(trader, { count: 10 });
    const answer = await trader.withdraw(amount, { category: 'jewellery' });
    if (answer.status !== 202 || answer.body.status !== 'quarantined') {
      throw new Error(`expected a hold, got ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body.transactionId;
  }

  return {
    fund,
    trader,
    past,
    held,
    /** Records a rate to the dollar, dated `ageMs` ago. */
    rate: (currency: string, rate: string, ageMs = 0) =>
      db.transaction((tx) =>
        recordRates(
          tx,
          'USD',
          [{ currency, at: new Date(Date.now() - ageMs).toISOString(), rate: parseRate(rate) }],
          'test',
        ),
      ),
    /** Records a price, dated `ageMs` ago. */
    price: (instrument: string, price: string, ageMs = 0, currency = 'USD') =>
      db.transaction((tx) =>
        recordPrices(
          tx,
          [{ instrument, at: new Date(Date.now() - ageMs).toISOString(), price: parsePrice(price), currency }],
          'test',
        ),
      ),
    stored: async (id: string) => {
      const found = await findTransaction(db.fork(), id);
      if (found === undefined) throw new Error(`no transaction ${id}`);
      return found;
    },
    /** Points by rule of a stored decision. */
    points: async (id: string): Promise<Record<string, number>> => {
      const found = await findTransaction(db.fork(), id);
      return Object.fromEntries((found?.reasons ?? []).map((reason: Reason) => [reason.ruleId, reason.points]));
    },
    count: async (accountId: string): Promise<number> =>
      Number(
        (
          await oneRow<{ n: string }>(db.fork(), 'select count(*) as n from transaction where account_id = $1', [
            accountId,
          ])
        ).n,
      ),
    ledgerFaults: () => checkLedger(db.fork()),
    postings: (id: string) =>
      rows<{ leg: string; asset: string; amount: string }>(
        db.fork(),
        'select leg, asset, amount from posting where transaction_id = $1 order by leg',
        [id],
      ),
    /** Audit actions about a transaction, oldest first, with their reasons. */
    audit: async (id: string): Promise<{ action: string; reason: string | null }[]> =>
      rows(
        db.fork(),
        `select action, entry::jsonb #>> '{details,reason}' as reason from audit_entry where subject = $1 order by at, id`,
        [id],
      ),
    incidents: (id: string) =>
      rows<{ cause: string; severity: string; status: string }>(
        db.fork(),
        'select cause, severity, status from incident where subject_id = $1 order by cause',
        [id],
      ),
  };
}

export type Trading = ReturnType<typeof createTrading>;

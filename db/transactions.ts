import { formatRate } from '../domain/exchange.ts';
import type { SettlementTerms } from '../domain/ledger.ts';
import type { FactorMethod } from '../domain/login.ts';
import { CURRENCY_EXPONENTS, formatAmount, formatPrice, formatQuantity, isCurrency } from '../domain/money.ts';
import type { Counterfactual } from '../domain/risk/counterfactual.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { ShadowDecision } from '../domain/risk/shadow.ts';
import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import { isAppealable, type TransactionStatus, type TransactionType } from '../domain/transaction.ts';
import { type ExceededLimit, nextStepOf, type TransactionView } from '../domain/transaction-view.ts';
import { lockAccounts } from './ledger.ts';
import { iso, isoOrNull, row, rows, run, type Tx } from './sql.ts';

/** A row of `transaction`. Numbers are decimal digits of integers, times PostgreSQL's text. */
export interface TransactionRow {
  id: string;
  user_id: string;
  account_id: string;
  type: TransactionType;
  instrument_id: string | null;
  quantity: string | null;
  price_limit: string | null;
  price: string | null;
  amount: string | null;
  /** Minor units of the base currency at `rate`; null while no rate is known. */
  base_amount: string | null;
  /** The exchange rate that was used and its date; null for the base currency. */
  rate: string | null;
  rate_at: string | null;
  /** With the code `limit_exceeded`. */
  limit_hit: ExceededLimit | null;
  currency: string;
  category: string;
  counterparty: string | null;
  counterparty_account_id: string | null;
  body_hash: string;
  status: TransactionStatus;
  code: string | null;
  score: number;
  /** What the rules asked for; null of decisions from before it was kept, and of what nobody judged. */
  action: TransactionAction | null;
  rule_set_version: string;
  reasons: readonly Reason[];
  features: object;
  hold_after_step_up: boolean;
  methods: FactorMethod[];
  first_status: number;
  first_body: TransactionView;
  t: string;
  created_at: string;
  step_up_expires_at: string | null;
  held_at: string | null;
  review_by: string | null;
  payment_expires_at: string | null;
  required_approvals: number;
  /** Which hold it is, or was the last: 2 once its owner has appealed. */
  hold: number;
  /** Hash (hex) of the terms that its owner had to confirm; null where no factor was asked for. */
  challenge_hash: string | null;
  cancel_requested_at: string | null;
  finished_at: string | null;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
  settings: object;
  virtual: { at: string; outsideFeatures: boolean } | null;
  shadows: readonly ShadowDecision[] | null;
  counterfactual: Counterfactual | null;
  /** `t` and `review_by` in microseconds since the epoch. */
  t_micros: string;
  review_by_micros: string | null;
}

const COLUMNS = `id, user_id, account_id, type, instrument_id, quantity, price_limit, price, amount, base_amount, rate, rate_at, limit_hit, currency, category,
  counterparty, counterparty_account_id, encode(body_hash, 'hex') as body_hash, status, code, score, action, rule_set_version,
  reasons, features, hold_after_step_up, methods, first_status, first_body, t, created_at, step_up_expires_at, held_at,
  review_by, payment_expires_at, required_approvals, hold,
  encode(challenge_hash, 'hex') as challenge_hash, cancel_requested_at, finished_at, session_id, host(ip) as ip, user_agent, request_id, settings, virtual,
  shadows, counterfactual,
  (extract(epoch from t) * 1000000)::bigint as t_micros,
  (extract(epoch from review_by) * 1000000)::bigint as review_by_micros`;

/** The row, or undefined. Never locks. */
export function findTransaction(tx: Tx, id: string): Promise<TransactionRow | undefined> {
  return row<TransactionRow>(tx, `select ${COLUMNS} from transaction where id = $1`, [id]);
}

/** The row under a lock of its own, read after the lock was had. */
export function lockTransaction(tx: Tx, id: string): Promise<TransactionRow | undefined> {
  return row<TransactionRow>(tx, `select ${COLUMNS} from transaction where id = $1 for update`, [id]);
}

/**
 * The row under its lock, after the locks of its accounts: the order in which decisions take them, for whoever changes
 * what is known of the account along with the row.
 */
export async function lockWithAccounts(tx: Tx, id: string): Promise<TransactionRow | undefined> {
  // Which accounts it touches never changes.
  const known = await findTransaction(tx, id);
  if (known === undefined) return undefined;
  await lockAccounts(tx, [known.account_id, ...(known.counterparty_account_id ? [known.counterparty_account_id] : [])]);
  return lockTransaction(tx, id);
}

/** What a new row starts with; everything else has its default. */
export type NewTransaction = Omit<TransactionRow, 'cancel_requested_at' | 't_micros' | 'review_by_micros'>;

/** Inserts a decided transaction. */
export async function insertTransaction(tx: Tx, value: NewTransaction): Promise<void> {
  await run(
    tx,
    `insert into transaction (id, user_id, account_id, type, instrument_id, quantity, price_limit, price, amount, currency,
       category, counterparty, counterparty_account_id, body_hash, status, code, score, rule_set_version, reasons, features,
       hold_after_step_up, methods, first_status, first_body, t, created_at, step_up_expires_at, held_at, review_by,
       required_approvals, finished_at, session_id, ip, request_id, settings, virtual, device_id,
       user_agent, payment_expires_at, shadows, counterfactual, base_amount, rate, rate_at, limit_hit, challenge_hash, action)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, decode($14, 'hex'), $15, $16, $17, $18, $19::jsonb,
       $20::jsonb, $21, $22::jsonb, $23, $24::json, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35::jsonb, $36::jsonb,
       (select device_id from session where id = $32), $37, $38, $39::jsonb, $40::jsonb, $41, $42, $43, $44::jsonb,
       decode($45, 'hex'), $46)`,
    [
      value.id,
      value.user_id,
      value.account_id,
      value.type,
      value.instrument_id,
      value.quantity,
      value.price_limit,
      value.price,
      value.amount,
      value.currency,
      value.category,
      value.counterparty,
      value.counterparty_account_id,
      value.body_hash,
      value.status,
      value.code,
      value.score,
      value.rule_set_version,
      JSON.stringify(value.reasons),
      JSON.stringify(value.features),
      value.hold_after_step_up,
      JSON.stringify(value.methods),
      value.first_status,
      JSON.stringify(value.first_body),
      value.t,
      value.created_at,
      value.step_up_expires_at,
      value.held_at,
      value.review_by,
      value.required_approvals,
      value.finished_at,
      value.session_id,
      value.ip,
      value.request_id,
      JSON.stringify(value.settings),
      value.virtual === null ? null : JSON.stringify(value.virtual),
      value.user_agent,
      value.payment_expires_at,
      value.shadows === null ? null : JSON.stringify(value.shadows),
      value.counterfactual === null ? null : JSON.stringify(value.counterfactual),
      value.base_amount,
      value.rate,
      value.rate_at,
      value.limit_hit === null ? null : JSON.stringify(value.limit_hit),
      value.challenge_hash,
      value.action,
    ],
  );
}

/** What a transaction came to in the base currency, and the rate that said so. */
export type BaseValue = Pick<TransactionRow, 'base_amount' | 'rate' | 'rate_at'>;

/** Ends a transaction as settled, at the price, amount and rate it was settled at. */
export async function markSettled(
  tx: Tx,
  id: string,
  final: { price: string | null; amount: string } & BaseValue,
): Promise<void> {
  await run(
    tx,
    `update transaction set status = 'settled', price = $2, amount = $3, base_amount = $4, rate = $5, rate_at = $6,
            finished_at = clock_timestamp() where id = $1`,
    [id, final.price, final.amount, final.base_amount, final.rate, final.rate_at],
  );
}

/** Ends a transaction as rejected. */
export async function markRejected(
  tx: Tx,
  id: string,
  code: string,
  limit: ExceededLimit | null = null,
): Promise<void> {
  await run(
    tx,
    `update transaction set status = 'rejected', code = $2, limit_hit = $3::jsonb, finished_at = clock_timestamp()
      where id = $1`,
    [id, code, limit === null ? null : JSON.stringify(limit)],
  );
}

/** Lets a deposit wait for its payment. `timeoutMs` counts from now (database time). */
export async function markPaymentRequired(
  tx: Tx,
  id: string,
  { timeoutMs, base_amount, rate, rate_at }: { timeoutMs: number } & BaseValue,
): Promise<void> {
  await run(
    tx,
    `update transaction set status = 'payment_required', base_amount = $3, rate = $4, rate_at = $5,
            payment_expires_at = clock_timestamp() + make_interval(secs => $2::double precision / 1000) where id = $1`,
    [id, timeoutMs, base_amount, rate, rate_at],
  );
}

/** Begins the hold after a step-up. `reviewWindowMs` counts from now (database time). */
export async function markHeld(
  tx: Tx,
  id: string,
  hold: { reviewWindowMs: number; requiredApprovals: number },
): Promise<void> {
  await run(
    tx,
    `update transaction set status = 'quarantined', held_at = now.at, required_approvals = $3,
            review_by = now.at + make_interval(secs => $2::double precision / 1000)
       from (select clock_timestamp() as at) as now where id = $1`,
    [id, hold.reviewWindowMs, hold.requiredApprovals],
  );
}

/** What settling the transaction moves, at its stored amount. */
export function storedTerms(value: NewTransaction): SettlementTerms {
  return {
    type: value.type,
    accountId: value.account_id,
    counterpartyAccountId: value.counterparty_account_id,
    currency: value.currency,
    amount: BigInt(value.amount ?? 0),
    instrument: value.instrument_id,
    quantity: value.quantity === null ? null : BigInt(value.quantity),
  };
}

/** What a client sees of the present state. */
export function transactionView(
  value: Pick<
    TransactionRow,
    | 'id'
    | 'type'
    | 'amount'
    | 'currency'
    | 'status'
    | 'code'
    | 'methods'
    | 'step_up_expires_at'
    | 'review_by'
    | 'payment_expires_at'
    | 'limit_hit'
    | 'created_at'
  >,
): TransactionView {
  return {
    transactionId: value.id,
    type: value.type,
    amount: value.amount === null ? null : formatAmount(BigInt(value.amount), displayExponent(value.currency)),
    currency: value.currency,
    status: value.status,
    ...(value.code === null ? {} : { code: value.code }),
    ...(value.status === 'step_up_required' && value.step_up_expires_at !== null
      ? { methods: [...value.methods], expiresAt: iso(value.step_up_expires_at) }
      : {}),
    ...(value.status === 'quarantined' && value.review_by !== null ? { reviewBy: iso(value.review_by) } : {}),
    ...(value.status === 'payment_required' && value.payment_expires_at !== null
      ? { payBy: iso(value.payment_expires_at) }
      : {}),
    ...(value.limit_hit === null ? {} : { limit: value.limit_hit }),
    createdAt: iso(value.created_at),
  };
}

/** Everything the owner may see of a transaction: the view and what was asked for. */
export function transactionDetails(value: TransactionRow) {
  const view = transactionView(value);
  return {
    ...view,
    nextStep: nextStepOf(view),
    instrument: value.instrument_id,
    quantity: value.quantity === null ? null : formatQuantity(BigInt(value.quantity)),
    priceLimit: value.price_limit === null ? null : formatPrice(BigInt(value.price_limit)),
    price: value.price === null ? null : formatPrice(BigInt(value.price)),
    ...baseDetails(value),
    category: value.category,
    counterparty: value.counterparty,
    finishedAt: isoOrNull(value.finished_at),
    ...appealOption(value),
  };
}

/** What it came to in the base currency, and by which rate. */
function baseDetails({ base_amount, rate, rate_at, settings }: TransactionRow) {
  const { baseCurrency } = settings as { baseCurrency: string };
  return {
    baseAmount: base_amount === null ? null : formatAmount(BigInt(base_amount), displayExponent(baseCurrency)),
    baseCurrency,
    exchangeRate: rate === null ? null : formatRate(BigInt(rate)),
    ratedAt: isoOrNull(rate_at),
  };
}

/** Until when its owner may appeal, where they may. */
function appealOption({ status, code, hold, finished_at, settings }: TransactionRow): { appealBy?: string } {
  const { appealWindowMs } = settings as { appealWindowMs?: number };
  if (!isAppealable(status, code) || hold !== 1 || finished_at === null || appealWindowMs === undefined) return {};
  return { appealBy: new Date(Date.parse(iso(finished_at)) + appealWindowMs).toISOString() };
}

/** Fraction digits of a currency; two for one we do not know, whose transactions are stored only as rejected. */
export function displayExponent(currency: string): number {
  return isCurrency(currency) ? CURRENCY_EXPONENTS[currency] : 2;
}

/** A user's transactions, newest first, after the given position. */
export function listTransactions(
  tx: Tx,
  query: { userId: string; after: { at: string; id: string } | null; limit: number },
): Promise<TransactionRow[]> {
  return rows<TransactionRow>(
    tx,
    `select ${COLUMNS} from transaction
      where user_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2::timestamptz, $3::uuid))
      order by created_at desc, id desc limit $4`,
    [query.userId, query.after?.at ?? null, query.after?.id ?? null, query.limit],
  );
}

import type { BacktestResult, BacktestRow } from '../domain/risk/backtest-tally.ts';
import type { TransactionFeatures } from '../domain/risk/features.ts';
import { type HistoryRow, LABEL_DELAY } from '../domain/risk/history.ts';
import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import type { TransactionStatus, TransactionType } from '../domain/transaction.ts';
import { row, rows, run, type Tx } from './sql.ts';

export const BACKTEST_STATUSES = ['requested', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type BacktestStatus = (typeof BACKTEST_STATUSES)[number];

/** A back-test as it stands. Counts are rows; times PostgreSQL text. */
export interface StoredBacktest {
  id: string;
  version: string;
  sha256: string;
  period_from: string;
  period_to: string;
  status: BacktestStatus;
  rows_total: string | null;
  rows_done: string;
  result: BacktestResult | null;
  reason: string | null;
  made_by: string | null;
  requested_at: string;
  made_at: string | null;
}

const COLUMNS = `id, version, encode(sha256, 'hex') as sha256, period_from, period_to, status, rows_total, rows_done, result, reason,
  made_by, requested_at, made_at`;

/** Writes the row that everybody follows. @returns false when there is no such version */
export async function requestBacktest(
  tx: Tx,
  request: { id: string; version: string; from: string; to: string; madeBy: string | null },
): Promise<boolean> {
  const inserted = await run(
    tx,
    `insert into backtest_report (id, version, sha256, period_from, period_to, status, made_by)
     select $1, version, sha256, $3, $4, 'requested', $5 from rule_set where version = $2`,
    [request.id, request.version, request.from, request.to, request.madeBy],
  );
  return inserted > 0;
}

/** Marks it as under way; one that is final stays so. @returns the row while there is work to do */
export function beginBacktest(tx: Tx, id: string): Promise<StoredBacktest | undefined> {
  return row<StoredBacktest>(
    tx,
    `update backtest_report set status = 'running' where id = $1 and made_at is null returning ${COLUMNS}`,
    [id],
  );
}

/** Shows how far it is. @returns false when it is final: somebody cancelled it */
export async function recordBacktestProgress(
  tx: Tx,
  id: string,
  progress: { done: number; total: number },
): Promise<boolean> {
  const touched = await run(
    tx,
    'update backtest_report set rows_done = $2, rows_total = $3 where id = $1 and made_at is null',
    [id, progress.done, progress.total],
  );
  return touched > 0;
}

export type BacktestEnd =
  | { status: 'succeeded'; result: BacktestResult }
  | { status: 'failed'; reason: string }
  | { status: 'cancelled' };

/** Ends it; one that is final stays as it is. @returns the row when this call ended it */
export function finishBacktest(tx: Tx, id: string, end: BacktestEnd): Promise<StoredBacktest | undefined> {
  return row<StoredBacktest>(
    tx,
    `update backtest_report set status = $2, made_at = clock_timestamp(), result = $3::jsonb, reason = $4
      where id = $1 and made_at is null returning ${COLUMNS}`,
    [
      id,
      end.status,
      end.status === 'succeeded' ? JSON.stringify(end.result) : null,
      end.status === 'failed' ? end.reason : null,
    ],
  );
}

export function readBacktest(tx: Tx, version: string, id: string): Promise<StoredBacktest | undefined> {
  return row<StoredBacktest>(tx, `select ${COLUMNS} from backtest_report where id = $1 and version = $2`, [
    id,
    version,
  ]);
}

/** Back-tests of a version, newest first, after the given position. */
export function listBacktests(
  tx: Tx,
  query: { version: string; before: { at: string; id: string } | null; limit: number },
): Promise<StoredBacktest[]> {
  return rows<StoredBacktest>(
    tx,
    `select ${COLUMNS} from backtest_report
      where version = $1 and ($2::timestamptz is null or (requested_at, id) < ($2::timestamptz, $3::uuid))
      order by requested_at desc, id desc limit $4`,
    [query.version, query.before?.at ?? null, query.before?.id ?? null, query.limit],
  );
}

/** One recorded transaction, with what is known of it by now. */
export interface RecordedDecision {
  readonly id: string;
  readonly imported: boolean;
  readonly history: HistoryRow;
  /** As the decision had them; null where it was made by an earlier version of the program. */
  readonly features: TransactionFeatures | null;
  /** False for what funds, price or counterparty rejected at once: nothing was there to hold. */
  readonly isJudged: boolean;
  readonly judged: Pick<BacktestRow, 'amountMinor' | 'exponent' | 'stepUpAmountMinor' | 'isFraud'>;
}

/** Where a page ended. */
export interface RecordedPosition {
  readonly t: string;
  readonly id: string;
}

interface RecordedRow {
  id: string;
  t: string;
  t_micros: string;
  type: TransactionType;
  amount: string | null;
  account_id: string;
  category: string;
  counterparty: string | null;
  instrument_id: string | null;
  ip: string | null;
  status: TransactionStatus;
  first_status: number;
  action: TransactionAction | null;
  first_decision: string;
  features: TransactionFeatures | Record<string, unknown>;
  step_up_minor: string;
  currency: string;
  finished_micros: string | null;
  virtual_at: string | null;
  is_fraud: boolean | null;
  known_micros: string | null;
  is_old: boolean;
}

/** How many transactions there are up to an instant. */
export async function countRecorded(tx: Tx, to: string): Promise<number> {
  const found = await row<{ n: string }>(tx, 'select count(*) as n from transaction where t < $1::timestamptz', [to]);
  return Number(found?.n ?? 0);
}

/**
 * A page of recorded transactions in the order of their times, each with its label as far as it is known: confirmed ones
 * as they were confirmed; settled ones that nobody complained of within `labelDelayDays` count as clean.
 *
 * @param exponentOf fraction digits of a base currency
 */
export async function recordedPage(
  tx: Tx,
  query: { after: RecordedPosition | null; to: string; limit: number; labelDelayDays: number },
  exponentOf: (currency: string) => number,
): Promise<{ decisions: RecordedDecision[]; next: RecordedPosition | null }> {
  const found = await rows<RecordedRow>(
    tx,
    `select x.id, x.t::text as t, (extract(epoch from x.t) * 1000000)::bigint as t_micros, x.type, coalesce(x.base_amount, x.amount) as amount, x.account_id,
            x.category, x.counterparty, x.instrument_id, host(x.ip) as ip, x.status, x.first_status, x.action,
            x.first_body ->> 'status' as first_decision, x.features, x.settings ->> 'stepUpAmountMinor' as step_up_minor,
            x.settings ->> 'baseCurrency' as currency,
            (extract(epoch from x.finished_at) * 1000000)::bigint as finished_micros, x.virtual ->> 'at' as virtual_at,
            m.is_fraud, (extract(epoch from m.known_at) * 1000000)::bigint as known_micros,
            x.t < clock_timestamp() - make_interval(days => $5) as is_old
       from transaction x left join fraud_mark m on m.transaction_id = x.id
      where x.t < $1::timestamptz and ($2::timestamptz is null or (x.t, x.id) > ($2::timestamptz, $3::uuid))
        and x.rule_set_version <> 'none'
      order by x.t, x.id limit $4`,
    [query.to, query.after?.t ?? null, query.after?.id ?? null, query.limit, query.labelDelayDays],
  );
  const last = found.at(-1);
  return {
    decisions: found.map((one) => recordedOf(one, exponentOf)),
    next: found.length === query.limit && last !== undefined ? { t: last.t, id: last.id } : null,
  };
}

function recordedOf(one: RecordedRow, exponentOf: (currency: string) => number): RecordedDecision {
  const at = Number(one.t_micros);
  const imported = one.virtual_at !== null;
  const isSettled = one.status === 'settled';
  const atOnce = one.first_decision === 'settled';
  // The clock of imported data is its own: what settled later did so at a time that it does not tell.
  const settledAt = atOnce || imported ? at : Math.max(at, Number(one.finished_micros ?? at));
  const features = 'kind' in one.features ? (one.features as unknown as TransactionFeatures) : null;
  const exponent = exponentOf(one.currency);
  const amountMinor =
    features === null ? BigInt(one.amount ?? 0) : BigInt(Math.round(features.amount * 10 ** exponent));
  const asked = one.action === null ? one.first_decision === 'step_up_required' : one.action.startsWith('step_up');
  return {
    id: one.id,
    imported,
    features,
    isJudged: one.first_status !== 422,
    history: {
      at,
      type: one.type,
      amountMinor,
      exponent,
      account: one.account_id,
      category: one.category,
      counterparty: one.counterparty,
      instrument: one.instrument_id,
      ip: one.ip,
      access: { loginRisk: 0, loginAt: null, changedAt: null },
      settledAt: isSettled ? settledAt : null,
      fraudKnownAt: one.is_fraud === true ? fraudKnownAt(at, imported, one.known_micros) : null,
      isConfirmed: asked,
    },
    judged: {
      amountMinor,
      exponent,
      stepUpAmountMinor: BigInt(one.step_up_minor),
      isFraud: one.is_fraud ?? (isSettled && one.is_old ? false : null),
    },
  };
}

/** A label of imported data says nothing of when it became known there: the delay of recorded data is taken. */
function fraudKnownAt(at: number, imported: boolean, knownMicros: string | null): number {
  return imported ? at + LABEL_DELAY : Math.max(at, Number(knownMicros ?? at));
}

import type { Reason } from '../domain/risk/reasons.ts';
import type { TransactionStatus, TransactionType } from '../domain/transaction.ts';
import { oneRow, rows, type Tx } from './sql.ts';

/** A suspicious transaction as the dashboard lists it. */
export interface RiskyRow {
  id: string;
  user_id: string;
  account_id: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  /** What the amounts in its reasons are in. */
  base_currency: string;
  category: string;
  status: TransactionStatus;
  code: string | null;
  score: number;
  rule_set_version: string;
  reasons: readonly Reason[];
  created_at: string;
  held_at: string | null;
  review_by: string | null;
}

/** Literals, not parameters: the partial indexes serve exactly these two questions. */
const ABOVE = { high_risk: 'score > 60', flagged: 'score > 70' } as const;

/** The latest transactions above a threshold, newest first: `high_risk` above 0.6, `flagged` for review above 0.7. */
export function riskyTransactions(tx: Tx, which: keyof typeof ABOVE, limit: number): Promise<RiskyRow[]> {
  return rows<RiskyRow>(
    tx,
    `select id, user_id, account_id, type, amount, currency,
            coalesce(settings ->> 'baseCurrency', currency) as base_currency, category, status, code, score, rule_set_version, reasons,
            created_at, held_at, review_by
       from transaction where ${ABOVE[which]} order by created_at desc, id desc limit $1`,
    [limit],
  );
}

export interface Tally {
  /** Where the counted time begins: ten minutes' border before 24 hours ago. */
  from: string;
  to: string;
  /** Numbers by measure, for instance `decided:settled` or `rule:velocity`. */
  counts: ReadonlyMap<string, bigint>;
}

/** What was counted in the last 24 hours. */
export async function transactionTally(tx: Tx): Promise<Tally> {
  const { since, now } = await oneRow<{ since: string; now: string }>(
    tx,
    `select date_bin('10 minutes', t - interval '24 hours', 'epoch'::timestamptz) as since, t as now from clock_timestamp() t`,
  );
  const counted = await rows<{ measure: string; n: string }>(
    tx,
    `select c.key as measure, sum(c.value::numeric)::text as n
       from transaction_tally t cross join lateral jsonb_each_text(t.counts) c
      where t.window_start >= $1::timestamptz group by c.key order by c.key`,
    [since],
  );
  return { from: since, to: now, counts: new Map(counted.map(({ measure, n }) => [measure, BigInt(n)])) };
}

export interface OpenTransactions {
  held: number;
  next_deadline: string | null;
  stepping_up: number;
}

/** What waits right now: holds for a reviewer, step-ups for the owner. */
export function openTransactions(tx: Tx): Promise<OpenTransactions> {
  return oneRow<OpenTransactions>(
    tx,
    `select h.held, h.next_deadline, s.stepping_up
       from (select count(*)::integer as held, min(review_by) as next_deadline from transaction where status = 'quarantined') h,
            (select count(*)::integer as stepping_up from transaction
              where finished_at is null and status = 'step_up_required') s`,
  );
}

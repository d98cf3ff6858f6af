import type { ReviewVerdict } from '../domain/review.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { TransactionStatus, TransactionType } from '../domain/transaction.ts';
import type { TransactionLabel } from '../domain/transaction-label.ts';
import { CLAIM_JSON, claimOf, type ReviewClaim } from './review-claims.ts';
import { iso, isoOrNull, row, rows, type Tx } from './sql.ts';

/** One held or decided transaction as its reviewers see it. */
export interface ReviewItemRow {
  id: string;
  user_id: string;
  account_id: string;
  type: TransactionType;
  instrument_id: string | null;
  quantity: string | null;
  amount: string;
  currency: string;
  /** In the base currency, minor units; null while no rate is known. */
  base_amount: string | null;
  base_currency: string;
  /** What it is sorted by among amounts: one without a rate may be any, and stands first. */
  weight: string;
  category: string;
  counterparty: string | null;
  status: TransactionStatus;
  code: string | null;
  score: number;
  rule_set_version: string;
  reasons: readonly Reason[];
  hold: number;
  held_at: string;
  review_by: string;
  finished_at: string | null;
  seconds_left: number;
  /** Share of the hold's time that is over, 0 to 1. */
  time_used: number;
  required_approvals: number;
  approvals: { reviewerId: string; reason: string; at: string }[];
  claim: ReviewClaim | null;
  label: TransactionLabel | null;
  created_at: string;
  /** `review_by` as exactly as the database has it, for the list's position. */
  deadline: string;
}

export type ReviewSort = 'deadline' | 'score' | 'amount';

export interface ReviewFilter {
  status: 'held' | 'decided';
  type?: TransactionType | undefined;
  /** Hundredths. */
  minScore?: number | undefined;
  /** Minor units of the base currency; one whose amount in it is unknown counts as more. */
  minAmount?: bigint | undefined;
  /** A reviewer's id, or those that nobody has. */
  assignee?: { reviewerId: string } | 'none' | undefined;
  accountId?: string | undefined;
  counterparty?: string | undefined;
  currency?: string | undefined;
  ruleId?: string | undefined;
  /** Milliseconds: those whose time is over within. */
  dueWithinMs?: number | undefined;
  /** Per cent of a hold's time. */
  usedAbove?: number | undefined;
}

/** How each order goes: the most urgent first, of what is decided the latest first. */
const ORDERS = {
  deadline: { column: 't.review_by', cast: 'timestamptz', heldFirst: 'asc' },
  score: { column: 't.score', cast: 'integer', heldFirst: 'desc' },
  amount: { column: 'coalesce(t.base_amount, 9223372036854775807)', cast: 'bigint', heldFirst: 'desc' },
} as const;

/** While it is held a decision's time runs; afterwards it stands still where it ended. */
const CLOCK = 'coalesce(t.finished_at, clock_timestamp())';
const USED = `least(1, greatest(0, extract(epoch from ${CLOCK} - t.held_at) / extract(epoch from t.review_by - t.held_at)))`;

const COLUMNS = `t.id, t.user_id, t.account_id, t.type, t.instrument_id, t.quantity, t.amount, t.currency, t.category, t.base_amount,
  coalesce(t.settings ->> 'baseCurrency', t.currency) as base_currency, ${ORDERS.amount.column}::text as weight,
  t.counterparty, t.status, t.code, t.score, t.rule_set_version, t.reasons, t.hold, t.held_at, t.review_by, t.finished_at,
  t.required_approvals, t.created_at, t.review_by::text as deadline,
  greatest(0, floor(extract(epoch from t.review_by - ${CLOCK})))::integer as seconds_left,
  round(${USED}, 4)::double precision as time_used,
  case when t.status = 'quarantined' then ${CLAIM_JSON} end as claim,
  (select l.label from transaction_label l where l.transaction_id = t.id order by l.id desc limit 1) as label,
  coalesce((
    select jsonb_agg(jsonb_build_object('reviewerId', v.reviewer_id, 'reason', v.reason, 'at', v.recorded_at)
                     order by v.recorded_at)
      from review_verdict v where v.transaction_id = t.id and v.hold = t.hold and v.verdict = 'approve'), '[]') as approvals`;
const TABLES = 'transaction t left join review_claim c on c.transaction_id = t.id';

/** Held (or decided) transactions that meet every filter, in one of the orders, after the given position. */
export async function reviewQueue(
  tx: Tx,
  query: {
    filter: ReviewFilter;
    sort: ReviewSort;
    after: { value: string; id: string } | null;
    limit: number;
  },
): Promise<ReviewItemRow[]> {
  const { filter, sort, after, limit } = query;
  const params: unknown[] = [];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const conditions = conditionsOf(filter, bind);
  const { column, cast, heldFirst } = ORDERS[sort];
  const direction = filter.status === 'held' ? heldFirst : 'desc';
  if (after !== null) {
    const position = `(${bind(after.value)}::${cast}, ${bind(after.id)}::uuid)`;
    conditions.push(`(${column}, t.id) ${direction === 'asc' ? '>' : '<'} ${position}`);
  }
  const found = await rows<ReviewItemRow>(
    tx,
    `select ${COLUMNS} from ${TABLES} where ${conditions.join(' and ')}
      order by ${column} ${direction}, t.id ${direction} limit ${bind(limit)}`,
    params,
  );
  return found.map(readable);
}

/** The same of one transaction that is or was held, whatever became of it. */
export async function reviewItem(tx: Tx, transactionId: string): Promise<ReviewItemRow | undefined> {
  const found = await row<ReviewItemRow>(
    tx,
    `select ${COLUMNS} from ${TABLES} where t.id = $1 and t.held_at is not null`,
    [transactionId],
  );
  return found === undefined ? undefined : readable(found);
}

function conditionsOf(filter: ReviewFilter, bind: (value: unknown) => string): string[] {
  // Literals: the partial indexes serve exactly these two questions.
  const conditions = [
    filter.status === 'held' ? `t.status = 'quarantined'` : `t.held_at is not null and t.status <> 'quarantined'`,
  ];
  const add = <T>(value: T | undefined, condition: (parameter: string) => string) => {
    if (value !== undefined) conditions.push(condition(bind(value)));
  };
  add(filter.type, (p) => `t.type = ${p}`);
  add(filter.minScore, (p) => `t.score >= ${p}::integer`);
  add(filter.minAmount, (p) => `${ORDERS.amount.column} >= ${p}::bigint`);
  add(filter.accountId, (p) => `t.account_id = ${p}::uuid`);
  add(filter.counterparty, (p) => `t.counterparty = ${p}`);
  add(filter.currency, (p) => `t.currency = ${p}`);
  add(
    filter.ruleId,
    (p) => `exists (select from jsonb_array_elements(t.reasons) r
      where r ->> 'ruleId' = ${p} and (r ->> 'points')::integer > 0)`,
  );
  add(filter.dueWithinMs, (p) => `t.review_by <= clock_timestamp() + ${p} * interval '1 ms'`);
  add(filter.usedAbove, (p) => `${USED} * 100 >= ${p}::integer`);
  if (filter.assignee === 'none') conditions.push('(c.transaction_id is null or c.expires_at <= clock_timestamp())');
  else {
    add(filter.assignee?.reviewerId, (p) => `c.reviewer_id = ${p}::uuid and c.expires_at > clock_timestamp()`);
  }
  return conditions;
}

function readable(one: ReviewItemRow): ReviewItemRow {
  return {
    ...one,
    held_at: iso(one.held_at),
    review_by: iso(one.review_by),
    finished_at: isoOrNull(one.finished_at),
    created_at: iso(one.created_at),
    claim: claimOf(one.claim),
    approvals: one.approvals.map((approval) => ({ ...approval, at: iso(approval.at) })),
  };
}

/** One verdict of any hold, as the case shows it. */
export interface CaseVerdict {
  hold: number;
  reviewerId: string;
  verdict: ReviewVerdict;
  reason: string;
  source: 'api' | 'signal';
  at: string;
}

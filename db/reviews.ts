import {
  decideReview,
  type ReviewOutcome,
  type ReviewSubject,
  type ReviewVerdict,
  refuseReviewer,
  refuseVerdict,
  type VerdictRefusal,
  type VerdictRow,
} from '../domain/review.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { Role } from '../domain/roles.ts';
import type { TransactionType } from '../domain/transaction.ts';
import { iso, isoOrNull, oneRow, rows, type Tx } from './sql.ts';
import type { TransactionRow } from './transactions.ts';

/** Microseconds since the epoch, as `domain/time.ts` counts. */
const MICROS = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;

/** The person as they are now: who was disabled or lost the role since counts as a customer. */
const ROLE = `case when u.disabled_at is null then u.role else 'customer' end`;

/** Every recorded verdict on a transaction, oldest first. */
export async function verdictsOf(tx: Tx, transactionId: string): Promise<VerdictRow[]> {
  const found = await rows<{
    id: string;
    reviewer_id: string;
    role: Role;
    verdict: ReviewVerdict;
    recorded_at: string;
  }>(
    tx,
    `select v.id, v.reviewer_id, ${ROLE} as role, v.verdict, ${MICROS('v.recorded_at')} as recorded_at
       from review_verdict v join app_user u on u.id = v.reviewer_id
      where v.transaction_id = $1 order by v.recorded_at, v.id`,
    [transactionId],
  );
  return found.map((one) => ({
    verdictId: one.id,
    reviewerId: one.reviewer_id,
    reviewerRole: one.role,
    verdict: one.verdict,
    recordedAt: Number(one.recorded_at),
  }));
}

/** What is under review, in the domain's words; null for a transaction that was never held. */
export function reviewSubjectOf(
  row: Pick<TransactionRow, 'user_id' | 'required_approvals' | 'review_by_micros'>,
): ReviewSubject | null {
  if (row.review_by_micros === null) return null;
  return {
    ownerId: row.user_id,
    initiatorId: row.user_id,
    requiredApprovals: row.required_approvals,
    reviewBy: Number(row.review_by_micros),
  };
}

export type RecordedVerdict =
  | { refused: null; verdictId: string; review: ReviewOutcome }
  | { refused: VerdictRefusal | 'not_held'; review: ReviewOutcome | null };

/**
 * Records a reviewer's verdict at the database's time, unless the rules refuse it: the owner, somebody who may not
 * review, one who approved already, a hold that is over. The caller holds the transaction's row lock, so two verdicts
 * at once see each other.
 */
export async function recordVerdict(
  tx: Tx,
  row: TransactionRow,
  given: { id: string; reviewerId: string; verdict: ReviewVerdict; reason: string; source: 'api' | 'signal' },
): Promise<RecordedVerdict> {
  const reviewer = await oneRow<{ role: Role; now: string }>(
    tx,
    `select ${ROLE} as role, ${MICROS('clock_timestamp()')} as now
       from app_user u where u.id = $1`,
    [given.reviewerId],
  );
  const offered: VerdictRow = {
    verdictId: given.id,
    reviewerId: given.reviewerId,
    reviewerRole: reviewer.role,
    verdict: given.verdict,
    recordedAt: Number(reviewer.now),
  };
  const subject = reviewSubjectOf(row);
  const person = refuseReviewer(
    { ownerId: row.user_id, initiatorId: row.user_id },
    { id: given.reviewerId, role: reviewer.role },
  );
  if (person !== null) return { refused: person, review: null };
  if (row.status === 'step_up_required') return { refused: 'not_held', review: null };
  if (subject === null || row.status !== 'quarantined') {
    const review = subject === null ? null : decideReview(subject, await verdictsOf(tx, row.id));
    return { refused: row.code === 'review_expired' ? 'review_expired' : 'already_decided', review };
  }
  const earlier = await verdictsOf(tx, row.id);
  const refused = refuseVerdict(subject, earlier, offered);
  if (refused !== null) return { refused, review: decideReview(subject, earlier) };
  await rows(
    tx,
    `insert into review_verdict (id, transaction_id, reviewer_id, verdict, reason, source, recorded_at)
     values ($1, $2, $3, $4, $5, $6, 'epoch'::timestamptz + $7::bigint * interval '1 microsecond')`,
    [given.id, row.id, given.reviewerId, given.verdict, given.reason, given.source, reviewer.now],
  );
  return { refused: null, verdictId: given.id, review: decideReview(subject, [...earlier, offered]) };
}

/** One held transaction as its reviewers see it. */
export interface ReviewQueueRow {
  id: string;
  user_id: string;
  account_id: string;
  type: TransactionType;
  instrument_id: string | null;
  quantity: string | null;
  amount: string;
  currency: string;
  /** What it is in the base currency, minor units; null while no rate is known. */
  base_amount: string | null;
  base_currency: string;
  category: string;
  counterparty: string | null;
  score: number;
  rule_set_version: string;
  reasons: readonly Reason[];
  held_at: string;
  review_by: string;
  seconds_left: number;
  required_approvals: number;
  approvals: { reviewerId: string; reason: string; at: string }[];
  created_at: string;
  /** Position in the list. */
  position: string;
}

/** The held transactions, the most urgent first, after the given position. */
export async function reviewQueue(
  tx: Tx,
  query: { after: { at: string; id: string } | null; limit: number },
): Promise<ReviewQueueRow[]> {
  const found = await rows<ReviewQueueRow>(
    tx,
    `select t.id, t.user_id, t.account_id, t.type, t.instrument_id, t.quantity, t.amount, t.currency, t.category,
            t.base_amount, coalesce(t.settings ->> 'baseCurrency', t.currency) as base_currency,
            t.counterparty, t.score, t.rule_set_version, t.reasons, t.held_at, t.review_by, t.required_approvals,
            t.created_at, t.review_by::text as position,
            greatest(0, floor(extract(epoch from t.review_by - clock_timestamp())))::integer as seconds_left,
            coalesce((
              select jsonb_agg(jsonb_build_object('reviewerId', v.reviewer_id, 'reason', v.reason, 'at', v.recorded_at)
                               order by v.recorded_at)
                from review_verdict v where v.transaction_id = t.id and v.verdict = 'approve'), '[]') as approvals
       from transaction t
      where t.status = 'quarantined' and ($1::timestamptz is null or (t.review_by, t.id) > ($1::timestamptz, $2::uuid))
      order by t.review_by, t.id limit $3`,
    [query.after?.at ?? null, query.after?.id ?? null, query.limit],
  );
  return found.map((one) => ({
    ...one,
    held_at: iso(one.held_at),
    review_by: isoOrNull(one.review_by) ?? '',
    created_at: iso(one.created_at),
    approvals: one.approvals.map((approval) => ({ ...approval, at: iso(approval.at) })),
  }));
}

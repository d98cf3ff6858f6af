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
import { canAdminister, type Role } from '../domain/roles.ts';
import { labelOfSilence, type TransactionLabel } from '../domain/transaction-label.ts';
import { activeClaim, endClaim, type ReviewClaim } from './review-claims.ts';
import { row as firstRow, rows, run, type Tx } from './sql.ts';
import { currentLabel, labelTransaction } from './transaction-labels.ts';
import type { TransactionRow } from './transactions.ts';

/** Microseconds since the epoch, as `domain/time.ts` counts. */
const MICROS = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;

/** The person as they are now: who was disabled or lost the role since counts as a customer. */
const ROLE = `case when u.disabled_at is null then u.role else 'customer' end`;

/** Every recorded verdict on a transaction's present (or last) hold, oldest first. */
export async function verdictsOf(tx: Tx, held: Pick<TransactionRow, 'id' | 'hold'>): Promise<VerdictRow[]> {
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
      where v.transaction_id = $1 and v.hold = $2 order by v.recorded_at, v.id`,
    [held.id, held.hold],
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
export async function reviewSubjectOf(
  tx: Tx,
  row: Pick<TransactionRow, 'id' | 'hold' | 'user_id' | 'required_approvals' | 'review_by_micros'>,
): Promise<ReviewSubject | null> {
  if (row.review_by_micros === null) return null;
  return {
    ownerId: row.user_id,
    initiatorId: row.user_id,
    requiredApprovals: row.required_approvals,
    reviewBy: Number(row.review_by_micros),
    rejectedBefore: row.hold === 1 ? [] : await rejectedBefore(tx, row),
  };
}

async function rejectedBefore(tx: Tx, { id, hold }: Pick<TransactionRow, 'id' | 'hold'>): Promise<string[]> {
  const found = await rows<{ reviewer_id: string }>(
    tx,
    `select distinct reviewer_id from review_verdict where transaction_id = $1 and hold < $2 and verdict = 'reject'`,
    [id, hold],
  );
  return found.map(({ reviewer_id }) => reviewer_id);
}

/** Somebody as a reviewer, and the database's time. Who was disabled since counts as a customer. */
export function reviewerAt(tx: Tx, id: string): Promise<{ role: Role; now: string } | undefined> {
  return firstRow(tx, `select ${ROLE} as role, ${MICROS('clock_timestamp()')} as now from app_user u where u.id = $1`, [
    id,
  ]);
}

/** Why somebody cannot look after a held transaction; null when they can. The caller holds the transaction's row lock. */
export async function refuseHandler(
  tx: Tx,
  held: TransactionRow,
  reviewer: { id: string; role: Role },
): Promise<VerdictRefusal | 'not_held' | null> {
  const subject = await reviewSubjectOf(tx, held);
  const person = refuseReviewer({ ownerId: held.user_id, initiatorId: held.user_id }, reviewer);
  if (person !== null) return person;
  if (held.status === 'step_up_required') return 'not_held';
  if (subject === null || held.status !== 'quarantined') return 'already_decided';
  if (subject.rejectedBefore.includes(reviewer.id)) return 'decided_before';
  const hasApproved = (await verdictsOf(tx, held)).some((one) => one.reviewerId === reviewer.id);
  return hasApproved ? 'already_voted' : null;
}

export type RecordedVerdict =
  | { refused: null; verdictId: string; review: ReviewOutcome; overrode: string | null }
  | { refused: VerdictRefusal | 'not_held'; review: ReviewOutcome | null }
  | { refused: 'claimed_by_other'; review: ReviewOutcome | null; claim: ReviewClaim };

/**
 * Records a reviewer's verdict at the database's time, unless the rules refuse it: the owner, somebody who may not
 * review, one who approved already, a hold that is over, one that somebody else has claimed (an administrator may). With
 * it the claim is over and the label is stored. The caller holds the transaction's row lock, so two verdicts at once see
 * each other.
 */
export async function recordVerdict(
  tx: Tx,
  row: TransactionRow,
  given: {
    id: string;
    reviewerId: string;
    verdict: ReviewVerdict;
    reason: string;
    source: 'api' | 'signal';
    /** What the reviewer says it turned out to be. */
    label?: TransactionLabel | undefined;
  },
): Promise<RecordedVerdict> {
  const reviewer = await reviewerAt(tx, given.reviewerId);
  if (reviewer === undefined) throw new Error('a reviewer who is nobody');
  const offered: VerdictRow = {
    verdictId: given.id,
    reviewerId: given.reviewerId,
    reviewerRole: reviewer.role,
    verdict: given.verdict,
    recordedAt: Number(reviewer.now),
  };
  const subject = await reviewSubjectOf(tx, row);
  const person = refuseReviewer(
    { ownerId: row.user_id, initiatorId: row.user_id },
    { id: given.reviewerId, role: reviewer.role },
  );
  if (person !== null) return { refused: person, review: null };
  if (row.status === 'step_up_required') return { refused: 'not_held', review: null };
  if (subject === null || row.status !== 'quarantined') {
    const review = subject === null ? null : decideReview(subject, await verdictsOf(tx, row));
    return { refused: row.code === 'review_expired' ? 'review_expired' : 'already_decided', review };
  }
  const earlier = await verdictsOf(tx, row);
  const refused = refuseVerdict(subject, earlier, offered);
  if (refused !== null) return { refused, review: decideReview(subject, earlier) };
  const claim = await activeClaim(tx, row.id);
  const isOthers = claim !== null && claim.reviewerId !== given.reviewerId;
  if (isOthers && !canAdminister(reviewer.role)) {
    return { refused: 'claimed_by_other', review: decideReview(subject, earlier), claim };
  }
  await run(
    tx,
    `insert into review_verdict (id, transaction_id, hold, reviewer_id, verdict, reason, source, recorded_at)
     values ($1, $2, $3, $4, $5, $6, $7, 'epoch'::timestamptz + $8::bigint * interval '1 microsecond')`,
    [given.id, row.id, row.hold, given.reviewerId, given.verdict, given.reason, given.source, reviewer.now],
  );
  // A first approval leaves the rest to somebody else, a decision to nobody.
  await endClaim(tx, row.id);
  const review = decideReview(subject, [...earlier, offered]);
  await label(tx, row.id, given, review);
  return { refused: null, verdictId: given.id, review, overrode: isOthers ? claim.reviewerId : null };
}

async function label(
  tx: Tx,
  transactionId: string,
  given: { reviewerId: string; verdict: ReviewVerdict; reason: string; label?: TransactionLabel | undefined },
  { outcome }: ReviewOutcome,
): Promise<void> {
  const present = (await currentLabel(tx, transactionId))?.label ?? null;
  const silent = outcome === 'awaiting' ? null : labelOfSilence(given.verdict, present);
  const stored = given.label ?? silent;
  if (stored === null) return;
  const { reviewerId: by, reason } = given;
  await labelTransaction(tx, { transactionId, label: stored, source: 'review', by, reason });
}

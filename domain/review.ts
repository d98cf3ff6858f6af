import { canReview, type Role } from './roles.ts';
import type { Micros } from './time.ts';

export type ReviewVerdict = 'approve' | 'reject';

/** One recorded verdict on a held transaction. `recordedAt` is the database's time of the row. */
export interface VerdictRow {
  readonly verdictId: string;
  readonly reviewerId: string;
  readonly reviewerRole: Role;
  readonly verdict: ReviewVerdict;
  readonly recordedAt: Micros;
}

/** What is under review. `reviewBy` is the last instant at which a verdict may be recorded. */
export interface ReviewSubject {
  readonly ownerId: string;
  readonly initiatorId: string;
  readonly requiredApprovals: number;
  readonly reviewBy: Micros;
  /** Who rejected it when it was held before: an appeal is decided by others. */
  readonly rejectedBefore: readonly string[];
}

export type VerdictRefusal =
  | 'not_a_reviewer'
  | 'own_transaction'
  | 'decided_before'
  | 'review_expired'
  | 'already_voted'
  | 'already_decided';

export interface ReviewOutcome {
  readonly outcome: 'approved' | 'rejected' | 'awaiting';
  /** Different reviewers who approved before the decision. */
  readonly approvals: number;
  readonly required: number;
  /** The verdicts that counted, in the order in which they counted. */
  readonly counted: readonly string[];
  readonly refused: ReadonlyArray<{ readonly verdictId: string; readonly reason: VerdictRefusal }>;
}

/** One reviewer, or two different ones above a configured amount (minor units of the base currency). */
export function requiredApprovals(amountMinor: bigint, twoReviewersAboveMinor: bigint): 1 | 2 {
  return amountMinor > twoReviewersAboveMinor ? 2 : 1;
}

/** Why this person may never decide on this transaction, or null when they may. */
export function refuseReviewer(
  subject: Pick<ReviewSubject, 'ownerId' | 'initiatorId'>,
  reviewer: { readonly id: string; readonly role: Role },
): 'not_a_reviewer' | 'own_transaction' | null {
  if (reviewer.id === subject.ownerId || reviewer.id === subject.initiatorId) return 'own_transaction';
  return canReview(reviewer.role) ? null : 'not_a_reviewer';
}

/** A verdict counts when it was recorded by the deadline, however late a worker reads it. */
export function isInTime(recordedAt: Micros, reviewBy: Micros): boolean {
  return recordedAt <= reviewBy;
}

/**
 * What the recorded verdicts amount to. The result depends on the rows alone, not on the order in which they were
 * read: they are taken by (recordedAt, verdictId). One rejection rejects; approval needs enough different reviewers;
 * whatever comes after the decision is refused as `already_decided`.
 */
export function decideReview(subject: ReviewSubject, verdicts: readonly VerdictRow[]): ReviewOutcome {
  const counted: string[] = [];
  const refused: Array<{ verdictId: string; reason: VerdictRefusal }> = [];
  const approvers = new Set<string>();
  let outcome: ReviewOutcome['outcome'] = 'awaiting';

  for (const row of verdicts.toSorted(byRecording)) {
    const reason = refusal(subject, row, approvers, outcome);
    if (reason) {
      refused.push({ verdictId: row.verdictId, reason });
      continue;
    }
    counted.push(row.verdictId);
    if (row.verdict === 'reject') {
      outcome = 'rejected';
    } else {
      approvers.add(row.reviewerId);
      if (approvers.size >= subject.requiredApprovals) outcome = 'approved';
    }
  }
  return { outcome, approvals: approvers.size, required: subject.requiredApprovals, counted, refused };
}

/** Why a verdict offered now would not count, given those recorded before; null when it would. */
export function refuseVerdict(
  subject: ReviewSubject,
  earlier: readonly VerdictRow[],
  offered: VerdictRow,
): VerdictRefusal | null {
  const { outcome, counted } = decideReview(subject, earlier);
  const approvers = new Set(
    earlier.filter((row) => row.verdict === 'approve' && counted.includes(row.verdictId)).map((row) => row.reviewerId),
  );
  return refusal(subject, offered, approvers, outcome);
}

function refusal(
  subject: ReviewSubject,
  row: VerdictRow,
  approvers: ReadonlySet<string>,
  outcome: ReviewOutcome['outcome'],
): VerdictRefusal | null {
  const person = refuseReviewer(subject, { id: row.reviewerId, role: row.reviewerRole });
  if (person) return person;
  if (subject.rejectedBefore.includes(row.reviewerId)) return 'decided_before';
  if (outcome !== 'awaiting') return 'already_decided';
  if (!isInTime(row.recordedAt, subject.reviewBy)) return 'review_expired';
  // Changing one's mind from approval to rejection is safe and therefore allowed; approving twice is not a second pair of eyes.
  if (row.verdict === 'approve' && approvers.has(row.reviewerId)) return 'already_voted';
  return null;
}

function byRecording(a: VerdictRow, b: VerdictRow): number {
  if (a.recordedAt !== b.recordedAt) return a.recordedAt - b.recordedAt;
  return a.verdictId < b.verdictId ? -1 : a.verdictId > b.verdictId ? 1 : 0;
}

import type { ReviewClaim } from '../db/review-claims.ts';
import { DomainError } from '../domain/errors.ts';
import type { VerdictRefusal } from '../domain/review.ts';

export type ReviewRefusal = VerdictRefusal | 'not_held' | 'claimed_by_other' | 'already_claimed' | 'not_claimed';

const DETAILS: Readonly<Record<ReviewRefusal, string>> = {
  not_a_reviewer: 'Only reviewers and admins decide on held transactions.',
  own_transaction: 'Nobody decides on their own transaction.',
  decided_before: 'You have rejected this transaction: others decide about the appeal.',
  review_expired: 'The time for the review is over.',
  already_voted: 'You have approved this already; another reviewer is awaited.',
  already_decided: 'The transaction is decided already.',
  not_held: 'The transaction waits for its owner and is not under review.',
  claimed_by_other: 'Somebody else looks after this transaction.',
  already_claimed: 'Somebody else has taken this transaction up.',
  not_claimed: 'Nobody has taken this transaction up.',
};

/** Why somebody cannot do this to a held transaction. @param claim tells who has it, where that is why */
export function reviewRefusal(reason: ReviewRefusal, claim?: ReviewClaim): DomainError {
  const extra = claim === undefined ? {} : { claimedBy: claim.reviewerId, claimExpiresAt: claim.expiresAt };
  return new DomainError(reason === 'not_held' ? 'illegal_transition' : reason, DETAILS[reason], extra);
}

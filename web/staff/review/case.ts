import type { Body } from '../../calls.ts';
import type { Me } from '../../session/session.tsx';

export type Case = Body<'getReview'>;

/** What a change of a case makes out of date. */
export const OF_CASE = ['getReview', 'listReviews', 'getDecision', 'getTransactionsDashboard'] as const;

/** What somebody can do about a case: `approved` may still change their mind, and reject. */
export type Standing = 'looks' | 'decided' | 'rejected-before' | 'approved' | 'decides';

/** @param me who looks at the case */
export function standingOf(held: Case, { userId, role }: Pick<Me, 'userId' | 'role'>): Standing {
  if (held.status !== 'quarantined') return 'decided';
  if (role !== 'reviewer' && role !== 'admin') return 'looks';
  const mine = held.verdicts.filter(({ reviewerId }) => reviewerId === userId);
  if (mine.some(({ hold, verdict }) => hold < held.hold && verdict === 'reject')) return 'rejected-before';
  if (mine.some(({ hold, verdict }) => hold === held.hold && verdict === 'approve')) return 'approved';
  return 'decides';
}

/** `withdrawal of 500.00 USD` */
export const nameOf = ({ type, amount, currency }: Pick<Case, 'type' | 'amount' | 'currency'>): string =>
  `${type} of ${amount} ${currency}`;

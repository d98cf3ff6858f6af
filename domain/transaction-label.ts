import type { ReviewVerdict } from './review.ts';

/** What a transaction turned out to be. */
export const TRANSACTION_LABELS = ['confirmed_fraud', 'false_positive', 'inconclusive'] as const;
export type TransactionLabel = (typeof TRANSACTION_LABELS)[number];

/** How that became known. */
export const LABEL_SOURCES = ['review', 'customer', 'chargeback', 'import', 'staff'] as const;
export type LabelSource = (typeof LABEL_SOURCES)[number];

/** True where a verdict says the opposite of its label: nobody lets a confirmed fraud through, or stops a false alarm. */
export function contradicts(verdict: ReviewVerdict, label: TransactionLabel): boolean {
  return verdict === 'approve' ? label === 'confirmed_fraud' : label === 'false_positive';
}

/**
 * The label that a hold's deciding verdict leaves where no reviewer gave one, or null where the present one stands. A verdict
 * alone proves nothing (a customer who cannot be reached is rejected, too), so it becomes `inconclusive` and counts in no
 * precision; only a label that the verdict contradicts is replaced.
 */
export function labelOfSilence(verdict: ReviewVerdict, present: TransactionLabel | null): TransactionLabel | null {
  return present === null || contradicts(verdict, present) ? 'inconclusive' : null;
}

import type { TransactionAssessment } from './rule-engine.ts';
import type { ScoreThresholds } from './rule-set.ts';

export type TransactionAction = 'settle' | 'step_up' | 'quarantine' | 'step_up_then_quarantine';

export interface TransactionDecision {
  readonly action: TransactionAction;
  /** Opened at once, before any step-up or hold; a hold itself opens its own medium incident. */
  readonly incident: 'high' | null;
}

/**
 * What happens to a transaction with this assessment. All comparisons are strict: exactly 0.5, 0.7, 0.8 and exactly
 * `stepUpAmountMinor` are on the mild side. Amounts are base-currency minor units.
 */
export function decideTransaction(
  assessment: Pick<TransactionAssessment, 'score' | 'hasError'>,
  amountMinor: bigint,
  stepUpAmountMinor: bigint,
  thresholds: ScoreThresholds,
): TransactionDecision {
  const largeAmount = amountMinor > stepUpAmountMinor;
  const incident = assessment.score > thresholds.escalateAbove ? 'high' : null;
  if (assessment.score > thresholds.reviewAbove) {
    return { action: largeAmount ? 'step_up_then_quarantine' : 'quarantine', incident };
  }
  const stepUp = largeAmount || assessment.hasError || assessment.score > thresholds.factorAbove;
  return { action: stepUp ? 'step_up' : 'settle', incident };
}

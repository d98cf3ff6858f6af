import type { TransactionFeatures } from './features.ts';
import type { TransactionAssessment } from './rule-engine.ts';
import type { ScoreThresholds } from './rule-set.ts';

export const TRANSACTION_ACTIONS = ['settle', 'step_up', 'quarantine', 'step_up_then_quarantine'] as const;
export type TransactionAction = (typeof TRANSACTION_ACTIONS)[number];

/** True for an action that ends in a reviewer's queue, at once or after a step-up. */
export function isHold(action: TransactionAction): boolean {
  return action === 'quarantine' || action === 'step_up_then_quarantine';
}

/**
 * The amount that is held against the step-up amount, minor units: orders that were split to stay below it count as their
 * sum.
 */
export function weighedAmount(
  features: Pick<TransactionFeatures, 'split_count_24h' | 'split_sum_24h'>,
  amountMinor: bigint,
  exponent: number,
): bigint {
  if (features.split_count_24h <= 1) return amountMinor;
  const split = BigInt(Math.round(features.split_sum_24h * 10 ** exponent));
  return split > amountMinor ? split : amountMinor;
}

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

import { compareWithAverage } from '../money.ts';
import type { TransactionFeatures } from './features.ts';
import { hasError, type Reason, type RuleErrorListener, runRule } from './reasons.ts';
import type { RuleSet } from './rule-set-v1.ts';
import { type ScoreHundredths, scoreOf } from './score.ts';

export interface TransactionAssessment {
  readonly ruleSetVersion: string;
  readonly score: ScoreHundredths;
  /** Every rule's contribution, fired or not. */
  readonly reasons: readonly Reason[];
  /** A rule could not be computed: at least a step-up, whatever the score. */
  readonly hasError: boolean;
}

/**
 * Judges a transaction by a rule set. A rule that throws becomes an `error` reason.
 * @param extra reasons found elsewhere (a failed look-up as `errorReason`, for instance), scored along.
 */
export function assessTransaction(
  features: TransactionFeatures,
  ruleSet: RuleSet,
  extra: readonly Reason[] = [],
  onRuleError?: RuleErrorListener,
): TransactionAssessment {
  const rules = ruleSet.transaction;
  const reasons = [
    ...runRule(
      'amount_above_average',
      'Amount above the average',
      () => [amountRule(features, rules.amount)],
      onRuleError,
    ),
    ...runRule(
      'velocity',
      'Transactions in the last hour',
      () => [velocityRule(features, rules.velocity)],
      onRuleError,
    ),
    ...runRule('unusual_category', 'Unusual category', () => [categoryRule(features, rules.category)], onRuleError),
    ...extra,
  ];
  return { ruleSetVersion: ruleSet.version, score: scoreOf(reasons), reasons, hasError: hasError(reasons) };
}

/** More than k times the average of the settled prior transactions of the same type, compared without dividing. */
function amountRule(features: TransactionFeatures, rule: RuleSet['transaction']['amount']): Reason {
  const base = {
    ruleId: 'amount_above_average',
    title: `Amount above ${rule.aboveTimesAverage} times the ${rule.windowDays}-day average of its type`,
    value: features.amountMinor,
  };
  if (features.settledCount < rule.minPrior) {
    return { ...base, baseline: null, threshold: null, points: 0, note: 'no_history' };
  }
  const sum = BigInt(features.settledSumMinor);
  const multiple = BigInt(rule.aboveTimesAverage);
  const count = BigInt(features.settledCount);
  const above = compareWithAverage(BigInt(features.amountMinor), multiple, sum, features.settledCount) > 0;
  return {
    ...base,
    // Rounded down for the reader; the comparison above is exact.
    baseline: (sum / count).toString(),
    threshold: ((multiple * sum) / count).toString(),
    points: above ? rule.points : 0,
  };
}

/** More than n recorded transactions in the rolling hour, this one included. */
function velocityRule(features: TransactionFeatures, rule: RuleSet['transaction']['velocity']): Reason {
  return {
    ruleId: 'velocity',
    title: `More than ${rule.above} transactions within ${rule.windowSeconds} seconds`,
    value: features.velocity,
    baseline: null,
    threshold: rule.above,
    points: features.velocity > rule.above ? rule.points : 0,
  };
}

/** Fewer than n percent of the prior transactions had this category. */
function categoryRule(features: TransactionFeatures, rule: RuleSet['transaction']['category']): Reason {
  const base = {
    ruleId: 'unusual_category',
    title: `Category of fewer than ${rule.belowPercent} % of the prior transactions`,
    value: features.priorInCategory,
    baseline: features.priorCount,
    threshold: rule.belowPercent,
  };
  if (features.priorCount < rule.minPrior) {
    return { ...base, points: 0, note: features.priorCount === 0 ? 'no_history' : 'few_prior' };
  }
  const unusual = features.priorInCategory * 100 < features.priorCount * rule.belowPercent;
  return { ...base, points: unusual ? rule.points : 0 };
}

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
  thresholds: RuleSet['thresholds'],
): TransactionDecision {
  const largeAmount = amountMinor > stepUpAmountMinor;
  const incident = assessment.score > thresholds.escalateAbove ? 'high' : null;
  if (assessment.score > thresholds.reviewAbove) {
    return { action: largeAmount ? 'step_up_then_quarantine' : 'quarantine', incident };
  }
  const stepUp = largeAmount || assessment.hasError || assessment.score > thresholds.factorAbove;
  return { action: stepUp ? 'step_up' : 'settle', incident };
}

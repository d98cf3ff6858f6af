import type { TransactionFeatures } from './features.ts';
import type { RuleEngine } from './rule-engine.ts';
import type { ScoreHundredths } from './score.ts';
import { decideTransaction, type TransactionAction } from './transaction-decision.ts';

/** What a version in the shadow would have decided. It has no effect; it is kept beside the decision that counted. */
export interface ShadowDecision {
  readonly version: string;
  readonly score: ScoreHundredths;
  readonly action: TransactionAction;
  /** Points by rule, those that gave any. */
  readonly points: Readonly<Record<string, number>>;
}

/** Judges in the shadow. A rule that fails shows as a step-up, as it would live. */
export function decideInShadow(
  engine: RuleEngine,
  features: TransactionFeatures,
  amountMinor: bigint,
  stepUpAmountMinor: bigint,
): ShadowDecision {
  const assessment = engine.assess(features);
  const { action } = decideTransaction(assessment, amountMinor, stepUpAmountMinor, engine.thresholds);
  const points = Object.fromEntries(
    assessment.reasons.filter((reason) => reason.points !== 0).map((reason) => [reason.ruleId, reason.points]),
  );
  return { version: engine.version, score: assessment.score, action, points };
}

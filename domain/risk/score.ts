import type { Reason } from './reasons.ts';

/** A risk score in integer hundredths, 0 to 100. Thresholds are compared in this unit, so 0.7 is exactly 0.7. */
export type ScoreHundredths = number;

export const MAX_SCORE: ScoreHundredths = 100;

/** The points' sum, cut to 0..100. Throws RangeError for a sum that is not whole. */
export function clampScore(sum: number): ScoreHundredths {
  if (!Number.isInteger(sum)) throw new RangeError(`points sum up to ${sum}`);
  return Math.max(0, Math.min(MAX_SCORE, sum));
}

/** min(100, sum of the points). Throws RangeError for points that are not whole and non-negative. */
export function scoreOf(reasons: readonly Reason[]): ScoreHundredths {
  for (const { ruleId, points } of reasons) {
    if (!Number.isInteger(points) || points < 0) throw new RangeError(`rule ${ruleId} gave ${points} points`);
  }
  return clampScore(reasons.reduce((sum, { points }) => sum + points, 0));
}

/** The score as people read it: 0 to 1. For display only; decisions compare hundredths. */
export function scoreAsFraction(score: ScoreHundredths): number {
  return score / MAX_SCORE;
}

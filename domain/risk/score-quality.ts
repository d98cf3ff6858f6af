import { MAX_SCORE, type ScoreHundredths } from './score.ts';

/**
 * How well scores tell frauds from clean transactions. Scores are whole hundredths, so counts by score are all there is
 * to know: everything here is exact, and needs memory for 101 levels however many transactions there were.
 */
export interface ScoreCounts {
  /** Confirmed frauds by score, 0 to 100. */
  readonly fraud: readonly number[];
  /** Transactions known or taken to be clean, by score. */
  readonly clean: readonly number[];
}

/** Scores and thresholds: 0 to 100. */
export const SCORE_LEVELS = MAX_SCORE + 1;

/** What a threshold would have flagged; ratios are null where nothing can be divided. */
export interface ThresholdQuality {
  /** Flagged are scores strictly above this, in hundredths. */
  readonly above: ScoreHundredths;
  readonly flagged: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  /** Share of frauds among the flagged. */
  readonly precision: number | null;
  /** Share of the frauds that is flagged. */
  readonly recall: number | null;
  /** Harmonic mean of the two. */
  readonly f1: number | null;
  /** Share of the clean ones that is flagged. */
  readonly falsePositiveRate: number | null;
}

/** The quality at one threshold. */
export function qualityAbove(counts: ScoreCounts, above: ScoreHundredths): ThresholdQuality {
  const frauds = total(counts.fraud);
  const cleans = total(counts.clean);
  const truePositives = total(counts.fraud.slice(above + 1));
  const falsePositives = total(counts.clean.slice(above + 1));
  const flagged = truePositives + falsePositives;
  return {
    above,
    flagged,
    truePositives,
    falsePositives,
    falseNegatives: frauds - truePositives,
    precision: ratio(truePositives, flagged),
    recall: ratio(truePositives, frauds),
    f1: ratio(2 * truePositives, flagged + frauds),
    falsePositiveRate: ratio(falsePositives, cleans),
  };
}

/**
 * Average precision: the sum over the distinct scores, from the highest down, of the precision there times the recall won
 * there. Equal scores are one step, nothing is interpolated: what scikit-learn's `average_precision_score` computes.
 * @returns null without frauds
 */
export function averagePrecision({ fraud, clean }: ScoreCounts): number | null {
  const frauds = total(fraud);
  if (frauds === 0) return null;
  let sum = 0;
  let found = 0;
  let flagged = 0;
  for (let score = MAX_SCORE; score >= 0; score -= 1) {
    const here = fraud[score] ?? 0;
    found += here;
    flagged += here + (clean[score] ?? 0);
    if (here > 0) sum += (here / frauds) * (found / flagged);
  }
  return sum;
}

/**
 * Area under the ROC curve: how often a fraud scores higher than a clean transaction, where equal scores count half
 * (Mann and Whitney); what scikit-learn's `roc_auc_score` computes.
 * @returns null without frauds or without clean transactions
 */
export function rocArea({ fraud, clean }: ScoreCounts): number | null {
  const pairs = total(fraud) * total(clean);
  if (pairs === 0) return null;
  let below = 0;
  let won = 0;
  for (let score = 0; score <= MAX_SCORE; score += 1) {
    const cleanHere = clean[score] ?? 0;
    won += (fraud[score] ?? 0) * (below + cleanHere / 2);
    below += cleanHere;
  }
  return won / pairs;
}

/** Counts to fill. */
export function emptyCounts(): { fraud: number[]; clean: number[] } {
  return { fraud: new Array<number>(SCORE_LEVELS).fill(0), clean: new Array<number>(SCORE_LEVELS).fill(0) };
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

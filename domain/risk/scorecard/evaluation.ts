import { MAX_SCORE, type ScoreHundredths } from '../score.ts';
import {
  averagePrecision,
  emptyCounts,
  qualityAbove,
  rocArea,
  type ScoreCounts,
  type ThresholdQuality,
} from '../score-quality.ts';
import { classOf } from './binning.ts';
import { logOddsOf, type Scorecard } from './fit.ts';
import { probability } from './logistic.ts';
import type { ClassCounts } from './woe.ts';

/** How well a score tells frauds from the rest, in the measures of credit scoring. Null where nothing can be divided. */
export interface Discrimination {
  readonly transactions: number;
  readonly frauds: number;
  readonly averagePrecision: number | null;
  readonly auc: number | null;
  /** 2 AUC - 1. */
  readonly gini: number | null;
  /** Largest distance of the two cumulative distributions (Kolmogorov and Smirnov). */
  readonly ks: number | null;
  readonly review: ThresholdQuality;
  readonly stepUp: ThresholdQuality;
}

/** One tenth of the score: how many frauds the card expected there, and how many there were. */
export interface CalibrationBand {
  /** Scores above this ... */
  readonly above: ScoreHundredths;
  /** ... up to this. The first band is the score 0. */
  readonly to: ScoreHundredths;
  readonly transactions: number;
  readonly expected: number;
  readonly frauds: number;
}

/** What a card did in a period. Counts are not whole where clean transactions were sampled. */
export interface CardEvaluation {
  readonly counts: ScoreCounts;
  readonly calibration: readonly CalibrationBand[];
  /** By characteristic of the card: transactions in each class, the unknown last. */
  readonly classes: ReadonlyArray<readonly ClassCounts[]>;
}

const BANDS = 10;

/** Collects what a card does, row by row, in memory that does not grow. */
export function createEvaluation(card: Scorecard) {
  const counts = emptyCounts();
  const bands = Array.from({ length: BANDS + 1 }, () => ({ transactions: 0, expected: 0, frauds: 0 }));
  const classes = card.characteristics.map(({ points }) =>
    Array.from({ length: points.length + 1 }, () => ({ events: 0, others: 0 })),
  );
  return {
    /**
     * @param points of the card with its base, before they are cut to 0..100
     * @param values of all characteristics offered
     */
    add(points: number, values: (column: number) => number, isEvent: boolean, weight = 1): void {
      const score = Math.max(0, Math.min(MAX_SCORE, points));
      const side = isEvent ? counts.fraud : counts.clean;
      side[score] = (side[score] as number) + weight;
      const band = bands[Math.ceil(score / (MAX_SCORE / BANDS))] as (typeof bands)[number];
      band.transactions += weight;
      band.expected += weight * probability(logOddsOf(card, points));
      if (isEvent) band.frauds += weight;
      for (const [place, { column, cuts }] of card.characteristics.entries()) {
        const index = classOf(cuts, values(column));
        const found = (index < 0 ? classes[place]?.at(-1) : classes[place]?.[index]) as {
          events: number;
          others: number;
        };
        found[isEvent ? 'events' : 'others'] += weight;
      }
    },
    result: (): CardEvaluation => ({
      counts,
      calibration: bands.map((band, index) => ({
        above: Math.max(0, index - 1) * (MAX_SCORE / BANDS),
        to: index * (MAX_SCORE / BANDS),
        ...band,
      })),
      classes,
    }),
  };
}

/** The measures of scores that were counted. */
export function discriminationOf(
  counts: ScoreCounts,
  thresholds: { readonly reviewAbove: number; readonly factorAbove: number },
): Discrimination {
  const frauds = total(counts.fraud);
  const auc = rocArea(counts);
  return {
    transactions: frauds + total(counts.clean),
    frauds,
    averagePrecision: averagePrecision(counts),
    auc,
    gini: auc === null ? null : 2 * auc - 1,
    ks: kolmogorovSmirnov(counts),
    review: qualityAbove(counts, thresholds.reviewAbove),
    stepUp: qualityAbove(counts, thresholds.factorAbove),
  };
}

function kolmogorovSmirnov({ fraud, clean }: ScoreCounts): number | null {
  const [frauds, cleans] = [total(fraud), total(clean)];
  if (frauds === 0 || cleans === 0) return null;
  let [below, largest] = [0, 0];
  for (let score = 0; score <= MAX_SCORE; score += 1) {
    below += (fraud[score] as number) / frauds - (clean[score] as number) / cleans;
    largest = Math.max(largest, Math.abs(below));
  }
  return largest;
}

/** Above it a population is another one than the card was made for (Siddiqi 2017); 0.1 is worth a look. */
export const SHIFTED = 0.25;

/**
 * Population stability index of two distributions over the same classes: the sum of the difference of shares times the
 * logarithm of their ratio. Half a transaction is added to each class, so that an empty one is no infinity.
 * @returns null where either holds nothing
 */
export function stabilityIndex(before: readonly number[], after: readonly number[]): number | null {
  if (total(before) === 0 || total(after) === 0) return null;
  const shares = (counts: readonly number[]) => {
    const whole = total(counts) + counts.length / 2;
    return counts.map((count) => (count + 0.5) / whole);
  };
  const [a, b] = [shares(before), shares(after)];
  return a.reduce((sum, share, index) => {
    const now = b[index] as number;
    return sum + (now - share) * Math.log(now / share);
  }, 0);
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

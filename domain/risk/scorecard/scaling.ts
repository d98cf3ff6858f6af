import { fitLogistic, probability } from './logistic.ts';

/** Log-odds of transactions, with what they were. */
export interface Ranked {
  readonly scores: Float64Array;
  readonly labels: Uint8Array;
  readonly weights: Float64Array;
}

/** A threshold of log-odds, and what lies above it in the validation. */
export interface Anchor {
  readonly at: number;
  /** Share of frauds that the recalibrated model expects above it. */
  readonly expected: number;
  /** The share that was counted. */
  readonly counted: number;
  /** Frauds above it. */
  readonly events: number;
  /** Whether the expected share is what was asked for; else it is the best there is. */
  readonly isMet: boolean;
}

export interface Anchors {
  readonly review: Anchor;
  readonly stepUp: Anchor;
  /** Of the recalibration: below 1 the training promised more than the validation kept. */
  readonly slope: number;
}

/**
 * Where the wanted precisions lie. A card has few distinct scores, and a validation few frauds: the counted share jumps
 * with every one of them. So the log-odds are first recalibrated on the validation, by a logistic regression of its labels
 * on them (Cox 1958; Platt 1999), and the share that this expects decides.
 * @throws RangeError without frauds or without clean rows
 */
export function anchorsOf(
  ranked: Ranked,
  wanted: { readonly targetPrecision: number; readonly stepUpPrecision: number },
): Anchors {
  const { scores, labels, weights } = ranked;
  // The prior is a slope of 1: the log-odds are taken at their word until the validation says otherwise.
  const { logOdds, coefficients } = fitLogistic({ columns: [scores], labels, weights, offset: scores });
  const expected = logOdds.map(probability);
  return {
    review: anchorAt(ranked, expected, wanted.targetPrecision),
    stepUp: anchorAt(ranked, expected, wanted.stepUpPrecision),
    slope: 1 + (coefficients[0] as number),
  };
}

/**
 * The lowest threshold above which the expected share of frauds is at least `precision`; where none has it, the one of the
 * best share. It lies halfway between two scores: equal ones are never parted.
 * @param expected probability of fraud of each row
 * @throws RangeError for no rows
 */
export function anchorAt({ scores, labels, weights }: Ranked, expected: Float64Array, precision: number): Anchor {
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  if (order.length === 0) throw new RangeError('there is nothing to part');
  let [events, foreseen, flagged] = [0, 0, 0];
  let met: Anchor | undefined;
  let best: Anchor | undefined;
  for (const [rank, row] of order.entries()) {
    const score = scores[row] as number;
    const weight = weights[row] as number;
    events += (labels[row] as number) * weight;
    foreseen += (expected[row] as number) * weight;
    flagged += weight;
    const below = scores[order[rank + 1] ?? -1] ?? score - 1;
    if (below === score) continue;
    const share = foreseen / flagged;
    const anchor = {
      at: (score + below) / 2,
      expected: share,
      counted: events / flagged,
      events,
      isMet: share >= precision,
    };
    if (anchor.isMet) met = anchor;
    if (best === undefined || share > best.expected) best = anchor;
  }
  return (met ?? best) as Anchor;
}

/** Points a unit of log-odds: never fewer than this, so that classes do not round to the same. 5 points double the odds. */
export const MIN_FACTOR = 5 / Math.LN2;

/**
 * Points a unit of log-odds, so that step-up and review lie where the validation wants them. Bounded below by
 * {@link MIN_FACTOR}; above by {@link MAX_FACTOR}, and so that an average transaction is not cut to 0.
 * @param average log-odds of the whole
 */
export function pointsPerLogOdds(
  { review, stepUp }: { readonly review: { readonly at: number }; readonly stepUp: { readonly at: number } },
  average: number,
  thresholds: { readonly reviewAbove: number; readonly factorAbove: number },
): number {
  const per = (points: number, distance: number) => (distance > 0 ? points / distance : MAX_FACTOR);
  const wanted = per(thresholds.reviewAbove - thresholds.factorAbove, review.at - stepUp.at);
  return Math.max(MIN_FACTOR, Math.min(wanted, per(thresholds.reviewAbove, review.at - average), MAX_FACTOR));
}

/** 20 points double the odds, as in the cards of banks. */
export const MAX_FACTOR = 20 / Math.LN2;

/** No class has more points: the most a rule may give. */
export const MAX_POINTS = 100;

/**
 * Whole points of a characteristic's classes, the least risky at 0.
 * @param contributions to the log-odds
 * @returns `shift`: the log-odds that 0 points stand for
 */
export function pointsOf(contributions: readonly number[], factor: number): { points: number[]; shift: number } {
  const shift = Math.min(...contributions);
  const points = contributions.map((value) => Math.min(MAX_POINTS, Math.round(factor * (value - shift))));
  return { points, shift };
}

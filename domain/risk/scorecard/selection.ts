import { fitLogistic, invert, type LogisticData, type LogisticFit, logLikelihoodOf } from './logistic.ts';

/** A characteristic as the regression sees it. */
export interface Predictor {
  readonly informationValue: number;
  /** Class of each row. */
  readonly codes: Uint8Array;
  /** Weight of evidence of each class. */
  readonly woe: readonly number[];
}

/** Below it a characteristic is of no use (Siddiqi 2017). */
export const MIN_INFORMATION_VALUE = 0.02;
/** Nine tenths of a predictor's variance explained by the others: it says nothing of its own (Marquardt 1970). */
export const MAX_VARIANCE_INFLATION = 10;

export type Exclusion = 'no_information' | 'correlated' | 'wrong_sign' | 'adds_nothing' | 'limit';

export interface Selection {
  /** Indices of the predictors chosen, in the order in which they came in. */
  readonly chosen: readonly number[];
  readonly intercept: number;
  readonly coefficients: readonly number[];
  /** Why each of the others stayed out, by index. */
  readonly excluded: ReadonlyMap<number, Exclusion>;
}

type Rows = Pick<LogisticData, 'labels' | 'weights'>;

/**
 * Stepwise selection (Efroymson 1960). The predictor that raises the penalised likelihood most, given the card so far,
 * comes in, unless the ones chosen explain it already (variance inflation) or a coefficient would turn negative, as
 * weights of evidence never should; one that has become dispensable goes out for good. What comes in has to add, and what
 * stays has to be worth, what the Bayesian information criterion asks for, counted in events (Volinsky and Raftery 2000).
 *
 * @throws RangeError without frauds or without clean rows
 */
export function selectPredictors(predictors: readonly Predictor[], rows: Rows, limit: number): Selection {
  const excluded = new Map<number, Exclusion>();
  const candidates = new Set<number>();
  for (const [index, { informationValue }] of predictors.entries()) {
    if (informationValue < MIN_INFORMATION_VALUE) excluded.set(index, 'no_information');
    else candidates.add(index);
  }
  const enough = Math.log(rows.labels.reduce((sum, label, row) => sum + label * (rows.weights[row] as number), 0));
  const cardOf = (indices: readonly number[]) => createCard(predictors, rows, indices);
  let card = cardOf([]);
  while (candidates.size > 0) {
    if (card.chosen.length === limit) {
      for (const index of candidates) excluded.set(index, 'limit');
      break;
    }
    const { index, gain, coefficient } = bestOf(candidates, card, predictors, rows);
    if (gain < enough) {
      for (const left of candidates) excluded.set(left, 'adds_nothing');
      break;
    }
    candidates.delete(index);
    const next = cardOf([...card.chosen, index]);
    if (varianceInflation(next.data, next.chosen.length - 1) > MAX_VARIANCE_INFLATION) {
      excluded.set(index, 'correlated');
      continue;
    }
    if (coefficient <= 0 || next.fit.coefficients.some((value) => value <= 0)) {
      excluded.set(index, 'wrong_sign');
      continue;
    }
    card = next;
    for (let place = dispensable(card.fit, enough); place >= 0; place = dispensable(card.fit, enough)) {
      excluded.set(card.chosen[place] as number, 'adds_nothing');
      card = cardOf(card.chosen.toSpliced(place, 1));
    }
  }
  const { chosen, fit } = card;
  return { chosen, intercept: fit.intercept, coefficients: fit.coefficients, excluded };
}

interface Card {
  readonly chosen: readonly number[];
  readonly groups: Groups;
  readonly data: LogisticData;
  readonly fit: LogisticFit;
}

/** Rows alike in all chosen classes are one group: a regression of a million rows is one of some hundred. */
interface Groups {
  readonly ofRow: Int32Array;
  readonly count: number;
}

function createCard(predictors: readonly Predictor[], rows: Rows, chosen: readonly number[]): Card {
  const parts = chosen.map((index) => predictors[index] as Predictor);
  const groups = parts.reduce(refine, { ofRow: new Int32Array(rows.labels.length), count: 1 });
  const data = collapse(groups, parts, rows);
  return { chosen, groups, data, fit: fitLogistic(data) };
}

/** Groups whose rows are also alike in one predictor more. */
function refine({ ofRow, count }: Groups, { codes, woe }: Predictor): Groups {
  const numbers = new Int32Array(count * woe.length).fill(-1);
  const finer = new Int32Array(ofRow.length);
  let next = 0;
  for (let row = 0; row < ofRow.length; row += 1) {
    const key = (ofRow[row] as number) * woe.length + (codes[row] as number);
    if (numbers[key] === -1) {
      numbers[key] = next;
      next += 1;
    }
    finer[row] = numbers[key] as number;
  }
  return { ofRow: finer, count: next };
}

/** One row for the frauds of each group and one for the rest, in the groups' order. */
function collapse({ ofRow, count }: Groups, parts: readonly Predictor[], { labels, weights }: Rows): LogisticData {
  const columns = parts.map(() => new Float64Array(2 * count));
  const collapsed = new Float64Array(2 * count);
  for (let row = 0; row < ofRow.length; row += 1) {
    const at = 2 * (ofRow[row] as number);
    collapsed[at + (labels[row] as number)] =
      (collapsed[at + (labels[row] as number)] as number) + (weights[row] as number);
    for (const [place, { codes, woe }] of parts.entries()) {
      const column = columns[place] as Float64Array;
      column[at] = woe[codes[row] as number] as number;
      column[at + 1] = column[at] as number;
    }
  }
  return { columns, labels: new Uint8Array(2 * count).map((_, index) => index % 2), weights: collapsed };
}

/** The candidate that explains most of what the card leaves; ties go to the one that stands first. */
function bestOf(candidates: ReadonlySet<number>, card: Card, predictors: readonly Predictor[], rows: Rows) {
  const logOddsOfRow = (row: number) => card.fit.logOdds[2 * (card.groups.ofRow[row] as number)] as number;
  const before = logLikelihoodOf(card.data, card.fit.logOdds);
  let best = { index: -1, gain: Number.NEGATIVE_INFINITY, coefficient: 0 };
  for (const index of candidates) {
    const predictor = predictors[index] as Predictor;
    const groups = refine(card.groups, predictor);
    const data = collapse(groups, [predictor], rows);
    const offset = new Float64Array(data.labels.length);
    for (let row = 0; row < groups.ofRow.length; row += 1) {
      const at = 2 * (groups.ofRow[row] as number);
      offset[at] = logOddsOfRow(row);
      offset[at + 1] = offset[at] as number;
    }
    const added = fitLogistic({ ...data, offset });
    const gain = 2 * (added.objective - before);
    if (gain > best.gain) best = { index, gain, coefficient: added.coefficients[0] as number };
  }
  return best;
}

/** The place of the least certain coefficient, where its Wald statistic is below `enough`; else -1. */
function dispensable({ coefficients, covariance }: LogisticFit, enough: number): number {
  const wald = coefficients.map((value, place) => value ** 2 / (covariance[place + 1]?.[place + 1] as number));
  const least = Math.min(...wald);
  return least < enough ? wald.indexOf(least) : -1;
}

/**
 * How many times the variance of a coefficient is what it would be if its predictor were uncorrelated with the others:
 * 1 / (1 - R^2). Infinite where they determine it.
 * @param place of the predictor among the columns
 */
export function varianceInflation({ columns, weights }: LogisticData, place: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const means = columns.map(
    (column) => column.reduce((sum, value, row) => sum + value * (weights[row] as number), 0) / total,
  );
  const centred = columns.map((column, index) => column.map((value) => value - (means[index] as number)));
  const covariance = centred.map((a) =>
    centred.map(
      (b) => a.reduce((sum, value, row) => sum + (weights[row] as number) * value * (b[row] as number), 0) / total,
    ),
  );
  try {
    return (invert(covariance)[place]?.[place] as number) * (covariance[place]?.[place] as number);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

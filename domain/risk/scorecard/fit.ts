import type { ScoreThresholds } from '../rule-set.ts';
import { MAX_SCORE } from '../score.ts';
import { type Classing, classify, classOf, MIN_EVENTS } from './binning.ts';
import type { Characteristic } from './characteristics.ts';
import { columnOf, joinSamples, type Sample } from './sample.ts';
import { type Anchors, anchorsOf, pointsOf, pointsPerLogOdds } from './scaling.ts';
import { type Exclusion, type Predictor, selectPredictors } from './selection.ts';
import { eventRate, informationValue, sumOf, together, weightOfEvidence } from './woe.ts';

/** A characteristic with its classes and their weights of evidence. */
export interface ClassedCharacteristic extends Classing {
  readonly characteristic: Characteristic;
  /** Where it stands among the characteristics offered. */
  readonly column: number;
  readonly woe: readonly number[];
  readonly unknownWoe: number;
  readonly informationValue: number;
}

/** One that is in the model. */
export interface ModelCharacteristic extends ClassedCharacteristic {
  readonly coefficient: number;
}

/** One that is in the card. */
export interface CardCharacteristic extends ModelCharacteristic {
  /** One a class, the least risky 0. */
  readonly points: readonly number[];
  readonly unknownPoints: number;
}

/** Log-odds of fraud: the intercept and, for each characteristic, its coefficient times the weight of evidence. */
export interface ScoreModel {
  readonly characteristics: readonly ModelCharacteristic[];
  readonly intercept: number;
  /** Log-odds of the whole sample. */
  readonly average: number;
  readonly excluded: ReadonlyArray<ClassedCharacteristic & { readonly why: Exclusion }>;
}

export interface Scorecard {
  readonly characteristics: readonly CardCharacteristic[];
  /** Points that everything begins with. */
  readonly base: number;
  /** Points a unit of log-odds. */
  readonly factor: number;
  /** Log-odds that the base alone stands for. */
  readonly origin: number;
  readonly intercept: number;
  readonly thresholds: ScoreThresholds;
  readonly anchors: Anchors;
  /** Characteristics that were looked at and left out, the most informative first. */
  readonly excluded: ScoreModel['excluded'];
}

/** The two periods that a card learns from, and what lies between them. */
export interface FitSamples {
  readonly train: Sample;
  /** Between training and validation: in the card, and not in the trial that says where the thresholds lie. */
  readonly gap: Sample;
  readonly validation: Sample;
}

export interface FitOptions {
  /** Wanted share of frauds above the review threshold. */
  readonly targetPrecision: number;
  /** ... and above the step-up threshold. */
  readonly stepUpPrecision: number;
  readonly maxCharacteristics: number;
}

/** Fewer frauds teach nothing: some ten are needed for each coefficient (Peduzzi et al. 1996). */
export const MIN_TRAINING_EVENTS = 30;

/** Those of the specification. */
export const CARD_THRESHOLDS: ScoreThresholds = {
  factorAbove: 50,
  reviewAbove: 70,
  escalateAbove: 80,
  highRiskAbove: 60,
};

/** Nothing can be learned from these labels; the message says why, in a sentence. */
export class ScorecardRefusal extends Error {
  override readonly name = 'ScorecardRefusal';
}

/**
 * Fits a scorecard. A trial model learns from the training alone, and the validation says at which of its log-odds the
 * wanted precisions lie. The card's own model then learns from all three samples, in the same way, and its points are
 * scaled to those log-odds.
 * @returns the card, and the trial in the same scale, which has not seen the validation
 * @throws ScorecardRefusal
 */
export function fitScorecard(
  characteristics: readonly Characteristic[],
  { train, gap, validation }: FitSamples,
  options: FitOptions,
): { readonly card: Scorecard; readonly trial: Scorecard } {
  checkLabels(train, validation);
  const trial = fitModel(characteristics, train, options.maxCharacteristics);
  const anchors = anchorsOf(
    { scores: logOddsOfRows(trial, validation), labels: validation.labels, weights: validation.weights },
    options,
  );
  const model = fitModel(characteristics, joinSamples([train, gap, validation]), options.maxCharacteristics);
  return { card: scale(model, anchors), trial: scale(trial, anchors) };
}

function checkLabels(train: Sample, validation: Sample): void {
  if (train.events + validation.events === 0) {
    throw new ScorecardRefusal('No transaction to learn from is labelled as a fraud.');
  }
  if (train.events === train.rows)
    throw new ScorecardRefusal('Every transaction to train with is labelled as a fraud.');
  if (train.events < MIN_TRAINING_EVENTS) {
    throw new ScorecardRefusal(
      `There are ${train.events} frauds to train with, and fewer than ${MIN_TRAINING_EVENTS} teach nothing. Take a longer history.`,
    );
  }
  if (validation.events === 0) {
    throw new ScorecardRefusal('No transaction of the validation is labelled as a fraud: nothing says where to hold.');
  }
}

/** @throws ScorecardRefusal where no characteristic helps */
function fitModel(characteristics: readonly Characteristic[], sample: Sample, limit: number): ScoreModel {
  const classed = characteristics.map((characteristic, column) => classCharacteristic(characteristic, sample, column));
  const { chosen, intercept, coefficients, excluded } = selectPredictors(
    classed.map((entry) => toPredictor(entry, sample)),
    sample,
    limit,
  );
  if (chosen.length === 0) throw new ScorecardRefusal('No characteristic tells the frauds from the rest.');
  return {
    characteristics: chosen.map((column, place) => ({
      ...(classed[column] as ClassedCharacteristic),
      coefficient: coefficients[place] as number,
    })),
    intercept,
    average: Math.log(sample.events / (sample.rows - sample.events)),
    excluded: [...excluded]
      .map(([column, why]) => ({ ...(classed[column] as ClassedCharacteristic), why }))
      .toSorted((a, b) => b.informationValue - a.informationValue || a.column - b.column),
  };
}

function classCharacteristic(characteristic: Characteristic, sample: Sample, column: number): ClassedCharacteristic {
  const classing = classify(columnOf(sample, column), characteristic.risk);
  const { classes, unknown } = classing;
  const whole = together(sumOf(classes), unknown);
  const isKnownEnough = Math.max(unknown.events, (unknown.events + unknown.others) * eventRate(whole)) >= MIN_EVENTS;
  const counted = isKnownEnough ? [...classes, unknown] : classes;
  return {
    ...classing,
    characteristic,
    column,
    woe: classes.map((part) => weightOfEvidence(part, whole)),
    // Too few to say anything about them.
    unknownWoe: isKnownEnough ? weightOfEvidence(unknown, whole) : 0,
    informationValue: counted.length < 2 ? 0 : informationValue(counted),
  };
}

/** The class of what is unknown comes behind the others. */
function toPredictor(
  { cuts, woe, unknownWoe, informationValue, column }: ClassedCharacteristic,
  sample: Sample,
): Predictor {
  const values = sample.columns[column] as Float64Array;
  const codes = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row += 1) {
    const index = classOf(cuts, values[row] as number);
    codes[row] = index < 0 ? woe.length : index;
  }
  return { informationValue, codes, woe: [...woe, unknownWoe] };
}

/** Log-odds of every row of a sample. */
function logOddsOfRows(model: ScoreModel, sample: Sample): Float64Array {
  const logOdds = new Float64Array(sample.labels.length).fill(model.intercept);
  for (const part of model.characteristics) {
    const { codes, woe } = toPredictor(part, sample);
    for (let row = 0; row < logOdds.length; row += 1) {
      logOdds[row] = (logOdds[row] as number) + part.coefficient * (woe[codes[row] as number] as number);
    }
  }
  return logOdds;
}

function scale(model: ScoreModel, anchors: Anchors): Scorecard {
  const factor = pointsPerLogOdds(anchors, model.average, CARD_THRESHOLDS);
  const parts = model.characteristics.map((part) => toPoints(part, factor));
  const origin = parts.reduce((sum, { shift }) => sum + shift, model.intercept);
  const base = Math.round(CARD_THRESHOLDS.reviewAbove - factor * (anchors.review.at - origin));
  return {
    characteristics: parts
      .map(({ card }) => card)
      .filter(({ points, unknownPoints }) => unknownPoints > 0 || points.some((given) => given > 0)),
    base: Math.max(-MAX_SCORE, Math.min(MAX_SCORE, base)),
    factor,
    origin,
    intercept: model.intercept,
    thresholds: CARD_THRESHOLDS,
    anchors,
    excluded: model.excluded,
  };
}

function toPoints(part: ModelCharacteristic, factor: number): { card: CardCharacteristic; shift: number } {
  const hasUnknown = part.characteristic.unknown !== undefined;
  const { points, shift } = pointsOf(
    [...part.woe, ...(hasUnknown ? [part.unknownWoe] : [])].map((woe) => part.coefficient * woe),
    factor,
  );
  const unknownPoints = hasUnknown ? (points.at(-1) as number) : 0;
  return { card: { ...part, points: points.slice(0, part.woe.length), unknownPoints }, shift };
}

/**
 * Points of a transaction, given the numbers of all characteristics offered. The base is in, nothing is cut to 0..100.
 */
export function cardPoints(card: Pick<Scorecard, 'characteristics' | 'base'>, values: Float64Array): number {
  let sum = card.base;
  for (const { cuts, points, unknownPoints, column } of card.characteristics) {
    const index = classOf(cuts, values[column] as number);
    sum += index < 0 ? unknownPoints : (points[index] as number);
  }
  return sum;
}

/** The log-odds of fraud that so many points stand for. */
export function logOddsOf(card: Pick<Scorecard, 'base' | 'factor' | 'origin'>, points: number): number {
  return card.origin + (points - card.base) / card.factor;
}

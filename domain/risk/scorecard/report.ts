import { qualityAbove, type ScoreCounts, type ThresholdQuality } from '../score-quality.ts';
import {
  type CalibrationBand,
  type CardEvaluation,
  type Discrimination,
  discriminationOf,
  SHIFTED,
  stabilityIndex,
} from './evaluation.ts';
import type { ClassedCharacteristic, Scorecard } from './fit.ts';
import type { Anchors } from './scaling.ts';
import type { Exclusion } from './selection.ts';
import { type ClassCounts, eventRate } from './woe.ts';

/** One class of a characteristic, as the report shows it. */
export interface ReportClass {
  /** Above this; null in the lowest class. */
  readonly above: number | null;
  /** Up to this; null in the highest. Both null, and `unknown`: where there is no number. */
  readonly to: number | null;
  readonly unknown: boolean;
  readonly transactions: number;
  readonly frauds: number;
  readonly eventRate: number;
  readonly woe: number;
  readonly points: number;
}

export interface ReportCharacteristic {
  readonly id: string;
  readonly title: string;
  readonly of: string;
  readonly informationValue: number;
  readonly coefficient: number;
  readonly classes: readonly ReportClass[];
  /** Of its classes, between what was learned from and the test; null without a test. */
  readonly stability: number | null;
}

/** All that is known of a proposed card. */
export interface ScorecardReport {
  readonly base: number;
  readonly intercept: number;
  /** Points that double the odds. */
  readonly pointsToDoubleOdds: number;
  readonly anchors: Anchors;
  readonly characteristics: readonly ReportCharacteristic[];
  readonly excluded: ReadonlyArray<{ readonly id: string; readonly informationValue: number; readonly why: Exclusion }>;
  /** On what it was learned from: better than it is. */
  readonly learned: Discrimination;
  /** Of the trial, which has not seen the validation. */
  readonly validation: Discrimination;
  /** Null where the file has no rows for it. */
  readonly test: Discrimination | null;
  /** Published rule sets in the same test. */
  readonly others: Readonly<Record<string, Discrimination>>;
  /** Of the card in the test; without one, of the trial in the validation. So are the thresholds. */
  readonly calibration: readonly CalibrationBand[];
  readonly thresholds: readonly ThresholdQuality[];
  readonly stability: number | null;
  readonly warnings: readonly string[];
}

export interface ReportInput {
  readonly card: Scorecard;
  /** The card on the samples it was learned from. */
  readonly learned: CardEvaluation;
  /** The trial on the validation. */
  readonly validation: CardEvaluation;
  /** The card in the test; empty where there is none. */
  readonly test: CardEvaluation;
  readonly others: Readonly<Record<string, ScoreCounts>>;
  readonly targetPrecision: number;
  /** From the reading: what the file lacks. */
  readonly warnings: readonly string[];
}

/** Few enough to change with any of them. */
const FEW_FRAUDS = 30;
/** A slope of the recalibration below this: the training promised far more than the validation kept. */
const STEEP = 0.5;

export function createReport({
  card,
  learned,
  validation,
  test,
  others,
  targetPrecision,
  warnings,
}: ReportInput): ScorecardReport {
  const tested = discriminationOf(test.counts, card.thresholds);
  const hasTest = tested.transactions > 0;
  const shown = hasTest ? test : validation;
  const characteristics = card.characteristics.map((entry, index) => ({
    id: entry.characteristic.id,
    title: entry.characteristic.title,
    of: entry.characteristic.of,
    informationValue: entry.informationValue,
    coefficient: entry.coefficient,
    classes: classesOf(entry, entry.points, entry.unknownPoints),
    stability: stabilityIndex((learned.classes[index] ?? []).map(sizeOf), (test.classes[index] ?? []).map(sizeOf)),
  }));
  const stability = stabilityIndex(
    learned.calibration.map(({ transactions }) => transactions),
    test.calibration.map(({ transactions }) => transactions),
  );
  const validated = discriminationOf(validation.counts, card.thresholds);
  return {
    base: card.base,
    intercept: card.intercept,
    pointsToDoubleOdds: card.factor * Math.LN2,
    anchors: card.anchors,
    characteristics,
    excluded: card.excluded.map(({ characteristic, informationValue, why }) => ({
      id: characteristic.id,
      informationValue,
      why,
    })),
    learned: discriminationOf(learned.counts, card.thresholds),
    validation: validated,
    test: hasTest ? tested : null,
    others: Object.fromEntries(
      Object.entries(hasTest ? others : {}).map(([name, counts]) => [name, discriminationOf(counts, card.thresholds)]),
    ),
    calibration: shown.calibration,
    thresholds: Array.from({ length: 19 }, (_, index) => qualityAbove(shown.counts, 95 - 5 * index)),
    stability,
    warnings: [
      ...warnings,
      ...warningsOf(card, validated, hasTest ? tested : null, targetPrecision),
      ...shiftsOf(stability, characteristics),
    ],
  };
}

function classesOf(
  { cuts, classes, unknown, woe, unknownWoe, characteristic }: ClassedCharacteristic,
  points: readonly number[],
  unknownPoints: number,
): ReportClass[] {
  const line = (part: ClassCounts) => ({
    transactions: sizeOf(part),
    frauds: part.events,
    eventRate: eventRate(part),
  });
  return [
    ...classes.map((part, index) => ({
      above: cuts[index - 1] ?? null,
      to: cuts[index] ?? null,
      unknown: false,
      ...line(part),
      woe: woe[index] as number,
      points: points[index] as number,
    })),
    ...(characteristic.unknown === undefined
      ? []
      : [{ above: null, to: null, unknown: true, ...line(unknown), woe: unknownWoe, points: unknownPoints }]),
  ];
}

function warningsOf(
  { anchors: { review, slope } }: Scorecard,
  validation: Discrimination,
  test: Discrimination | null,
  target: number,
): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return [
    ...(review.isMet
      ? []
      : [
          `No threshold is expected to reach a precision of ${percent(target)}; the best is ${percent(review.expected)}.`,
        ]),
    ...(validation.frauds < FEW_FRAUDS
      ? [`The thresholds rest on ${validation.frauds} frauds in the validation. Another few would move them.`]
      : []),
    ...(slope < STEEP
      ? [`The validation kept ${percent(slope)} of the log-odds that the training promised: the card is overfitted.`]
      : []),
    ...(test === null
      ? ['The file has no row for a test: nothing says how good the card is on what it has not seen.']
      : test.frauds < FEW_FRAUDS
        ? [`The test holds ${test.frauds} frauds; its figures are uncertain.`]
        : []),
  ];
}

function shiftsOf(
  stability: number | null,
  characteristics: ReadonlyArray<{ readonly id: string; readonly stability: number | null }>,
): string[] {
  const shifted = characteristics.filter((entry) => (entry.stability ?? 0) > SHIFTED);
  return [
    ...((stability ?? 0) > SHIFTED ? [`Scores have shifted since the training (PSI ${stability?.toFixed(2)}).`] : []),
    ...shifted.map(({ id, stability: by }) => `${id} has shifted since the training (PSI ${by?.toFixed(2)}).`),
  ];
}

function sizeOf({ events, others }: ClassCounts): number {
  return events + others;
}

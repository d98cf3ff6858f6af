import { MICROS_PER_HOUR, type Micros } from '../time.ts';
import { forecastOf, type HourlyForecast } from './breaker.ts';
import type { TransactionFeatures } from './features.ts';
import type { RuleEngine } from './rule-engine.ts';
import { averagePrecision, emptyCounts, rocArea, SCORE_LEVELS, type ScoreCounts } from './score-quality.ts';
import { decideTransaction, isHold, weighedAmount } from './transaction-decision.ts';

/** One decision of the past, to be judged again. */
export interface BacktestRow {
  readonly at: Micros;
  readonly features: TransactionFeatures;
  readonly amountMinor: bigint;
  readonly exponent: number;
  readonly stepUpAmountMinor: bigint;
  /** Whether it was a fraud; null while nobody knows. */
  readonly isFraud: boolean | null;
}

/** What a rule set would have done in a period, beside the version that is live. */
export interface BacktestResult {
  readonly rows: number;
  readonly held: number;
  readonly stepUps: number;
  readonly forecast: {
    readonly perHour: HourlyForecast;
    /** Held of all. */
    readonly share: number;
  };
  /** How often each rule gave points. */
  readonly rules: readonly { readonly ruleId: string; readonly fired: number; readonly share: number }[];
  /** Against the version that was live when it was made. */
  readonly against: {
    readonly version: string;
    readonly held: number;
    readonly newlyHeld: number;
    readonly newlyReleased: number;
    /** Of the labelled ones. Reports of earlier versions of the program have none. */
    readonly scores?: ScoreCounts;
  };
  /** How often each score was given, by label. Reports of earlier versions of the program have none. */
  readonly scores?: ScoreCounts & { readonly unknown: readonly number[] };
  readonly labels: { readonly fraud: number; readonly clean: number; readonly unknown: number };
  /** Of the labelled ones; a measure that does not exist (no fraud, nothing held) is null. */
  readonly quality: {
    readonly precision: number | null;
    readonly recall: number | null;
    /** Area under the precision-recall curve, as average precision. */
    readonly averagePrecision: number | null;
    /** Area under the ROC curve; ties count half. */
    readonly auc: number | null;
  };
}

/**
 * Counts what a rule set would have done, row by row. Memory grows with the hours of the period and not with its rows.
 */
export function createBacktestTally(candidate: RuleEngine, live: RuleEngine) {
  const holdsByHour = new Map<number, number>();
  const fired = new Float64Array(candidate.document.rules.length);
  const points = new Float64Array(candidate.document.rules.length);
  const byScore = emptyCounts();
  const unknownByScore = new Array<number>(SCORE_LEVELS).fill(0);
  const liveByScore = emptyCounts();
  const count = { rows: 0, held: 0, stepUps: 0, liveHeld: 0, newlyHeld: 0, newlyReleased: 0 };
  const heldOf = { fraud: 0, clean: 0 };

  function actionOf(engine: RuleEngine, row: BacktestRow, score: number | null) {
    const weighed = weighedAmount(row.features, row.amountMinor, row.exponent);
    // Of a rule that fails the others' points are not known here: the explained judgement has them.
    const judged = score === null ? engine.assess(row.features) : { score, hasError: false };
    const { action } = decideTransaction(judged, weighed, row.stepUpAmountMinor, engine.thresholds);
    return { action, score: judged.score };
  }

  return {
    add(row: BacktestRow): void {
      const { action, score } = actionOf(candidate, row, candidate.points(row.features, points));
      const before = actionOf(live, row, live.score(row.features));
      const held = isHold(action);
      const heldBefore = isHold(before.action);
      count.rows += 1;
      if (held) {
        const hour = Math.floor(row.at / MICROS_PER_HOUR);
        holdsByHour.set(hour, (holdsByHour.get(hour) ?? 0) + 1);
        count.held += 1;
      }
      if (action.startsWith('step_up')) count.stepUps += 1;
      if (heldBefore) count.liveHeld += 1;
      if (held && !heldBefore) count.newlyHeld += 1;
      if (!held && heldBefore) count.newlyReleased += 1;
      for (let index = 0; index < points.length; index += 1) {
        const given = points[index] as number;
        if (given !== 0 && !Number.isNaN(given)) fired[index] = (fired[index] as number) + 1;
      }
      if (row.isFraud === null) {
        unknownByScore[score] = (unknownByScore[score] as number) + 1;
        return;
      }
      const label = row.isFraud ? 'fraud' : 'clean';
      byScore[label][score] = (byScore[label][score] as number) + 1;
      liveByScore[label][before.score] = (liveByScore[label][before.score] as number) + 1;
      if (held) heldOf[label] += 1;
    },

    /** @param hours the period's length in hours, at least 1 */
    result(hours: number): BacktestResult {
      const { rows, held } = count;
      const share = (n: number) => (rows === 0 ? 0 : n / rows);
      const total = { fraud: sumOf(byScore.fraud), clean: sumOf(byScore.clean) };
      return {
        rows,
        held,
        stepUps: count.stepUps,
        forecast: { perHour: forecastOf([...holdsByHour.values()], hours), share: share(held) },
        rules: candidate.document.rules.map(({ id }, index) => ({
          ruleId: id,
          fired: fired[index] as number,
          share: share(fired[index] as number),
        })),
        against: {
          version: live.version,
          held: count.liveHeld,
          newlyHeld: count.newlyHeld,
          newlyReleased: count.newlyReleased,
          scores: liveByScore,
        },
        scores: { ...byScore, unknown: unknownByScore },
        labels: { ...total, unknown: sumOf(unknownByScore) },
        quality: {
          precision: ratio(heldOf.fraud, heldOf.fraud + heldOf.clean),
          recall: ratio(heldOf.fraud, total.fraud),
          averagePrecision: averagePrecision(byScore),
          auc: rocArea(byScore),
        },
      };
    },
  };
}

export type BacktestTally = ReturnType<typeof createBacktestTally>;

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, n) => sum + n, 0);
}

import { describe, expect, it } from 'vitest';
import { createBacktestTally } from '../../domain/risk/backtest-tally.ts';
import { breakerLimit, forecastOf } from '../../domain/risk/breaker.ts';
import type { TransactionFeatures } from '../../domain/risk/features.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import { RULE_SET_FORMAT, type RuleSetDocument } from '../../domain/risk/rule-set.ts';
import { VOCABULARY } from '../../domain/risk/vocabulary.ts';

/** Scores what the amount says: 80 for 80.00. */
const graded = (levels: readonly number[]): RuleSetDocument => ({
  format: RULE_SET_FORMAT,
  title: 'graded',
  description: 'graded',
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  rules: [
    { id: 'level', title: 'level', of: 'amount', bands: levels.map((points) => ({ above: points - 0.5, points })) },
  ],
});

const NOTHING = Object.fromEntries(
  Object.entries(VOCABULARY).map(([name, { type }]) => [name, type === 'double' ? 0 : type === 'bool' ? false : '']),
) as unknown as TransactionFeatures;

function tally(rows: readonly [score: number, isFraud: boolean | null, hour?: number][], hours = 24) {
  const made = createBacktestTally(
    compileRuleSet(graded([10, 40, 60, 80, 90]), 'new'),
    compileRuleSet(graded([60, 90]), 'live'),
  );
  for (const [score, isFraud, hour = 0] of rows) {
    made.add({
      at: hour * 3_600_000_000,
      features: { ...NOTHING, amount: score },
      amountMinor: 100n,
      exponent: 2,
      stepUpAmountMinor: 1_000_000n,
      isFraud,
    });
  }
  return made.result(hours);
}

describe('what a back-test measures', () => {
  it('counts holds, step-ups and fires, and what changes beside the live version', () => {
    const result = tally([
      [80, null],
      [90, null],
      [60, null],
      [10, null],
      [0, null],
    ]);
    // Live: 80 scores 60, 90 scores 90, 60 scores 60.
    expect(result).toMatchObject({
      rows: 5,
      held: 2,
      stepUps: 1,
      forecast: { share: 0.4 },
      rules: [{ ruleId: 'level', fired: 4, share: 0.8 }],
      against: { version: 'live', held: 1, newlyHeld: 1, newlyReleased: 0 },
      labels: { fraud: 0, clean: 0, unknown: 5 },
      quality: { precision: null, recall: null, averagePrecision: null, auc: null },
    });
  });

  it('precision, recall, average precision and area as one computes them by hand', () => {
    const { labels, quality } = tally([
      [90, true],
      [80, false],
      [80, true],
      [60, false],
      [40, true],
      [0, false],
    ]);
    expect(labels).toEqual({ fraud: 3, clean: 3, unknown: 0 });
    // Held: 90, 80, 80, of which two are frauds.
    expect(quality.precision).toBeCloseTo(2 / 3, 12);
    expect(quality.recall).toBeCloseTo(2 / 3, 12);
    // 1/3 * 1/1 + 1/3 * 2/3 + 1/3 * 3/5
    expect(quality.averagePrecision).toBeCloseTo((1 + 2 / 3 + 3 / 5) / 3, 12);
    // Pairs won: 90 beats 3; 80 ties one, beats 2; 40 beats 1.
    expect(quality.auc).toBeCloseTo((3 + 2.5 + 1) / 9, 12);
  });

  it('forecasts an hour with its quiet ones', () => {
    const rows = [0, 0, 0, 1, 1, 5].map((hour) => [90, null, hour] as [number, null, number]);
    expect(tally(rows, 200).forecast.perHour).toEqual({ mean: 6 / 200, p50: 0, p99: 1, max: 3 });
    expect(tally(rows, 3).forecast.perHour).toEqual({ mean: 2, p50: 2, p99: 3, max: 3 });
    expect(tally([], 24).forecast).toEqual({ perHour: { mean: 0, p50: 0, p99: 0, max: 0 }, share: 0 });
  });

  it('a rule that fails steps up, as it would live', () => {
    const failing = {
      ...graded([10]),
      rules: [{ id: 'fails', title: 'f', when: '1 / (int(amount) - 60) > 0', points: 90 }],
    };
    const made = createBacktestTally(compileRuleSet(failing, 'new'), compileRuleSet(graded([60]), 'live'));
    made.add({
      at: 0,
      features: { ...NOTHING, amount: 60 },
      amountMinor: 100n,
      exponent: 2,
      stepUpAmountMinor: 1_000_000n,
      isFraud: null,
    });
    expect(made.result(1)).toMatchObject({ rows: 1, held: 0, stepUps: 1, rules: [{ fired: 0 }] });
  });
});

describe('the breaker', () => {
  it.each([
    [0, 50],
    [3, 50],
    [10, 50],
    [10.5, 52],
    [40, 200],
  ])('with a 99th percentile of %d trips above %d', (p99, limit) => {
    expect(breakerLimit({ p99 }, { factor: 5, minHolds: 10 })).toBe(limit);
  });

  it('takes the smallest count that 99 of 100 hours do not exceed', () => {
    const counts = Array.from({ length: 100 }, (_, n) => n + 1);
    expect(forecastOf(counts, 100)).toEqual({ mean: 50.5, p50: 50, p99: 99, max: 100 });
    expect(forecastOf(counts, 10_000)).toMatchObject({ p50: 0, p99: 0, max: 100 });
    expect(forecastOf(counts, 10_001).p99).toBe(0);
    expect(forecastOf(counts, 9_999).p99).toBe(1);
  });
});

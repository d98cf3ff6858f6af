import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, classOf } from '../../domain/risk/scorecard/binning.ts';
import { CHARACTERISTICS } from '../../domain/risk/scorecard/characteristics.ts';
import { stabilityIndex } from '../../domain/risk/scorecard/evaluation.ts';
import { createExtractor } from '../../domain/risk/scorecard/extraction.ts';
import { fitScorecard, ScorecardRefusal } from '../../domain/risk/scorecard/fit.ts';
import { derivatives, fitLogistic } from '../../domain/risk/scorecard/logistic.ts';
import { createSampler, joinSamples } from '../../domain/risk/scorecard/sample.ts';
import { pointsOf } from '../../domain/risk/scorecard/scaling.ts';
import { fitWindows } from '../../domain/risk/scorecard/windows.ts';
import { informationValue, weightOfEvidence } from '../../domain/risk/scorecard/woe.ts';
import { calmFeatures } from '../helpers/features.ts';

const ones = (n: number) => new Float64Array(n).fill(1);

describe('weight of evidence and information value', () => {
  it('are those of a table worked out by hand', () => {
    // 20 of 120 frauds and 180 of 380 clean below, 100 and 200 above; half a count added to each.
    const [low, high] = [
      { events: 20, others: 180 },
      { events: 100, others: 200 },
    ];
    const whole = { events: 120, others: 380 };
    const woe = [Math.log(20.5 / 180.5 / (120 / 380)), Math.log(100.5 / 200.5 / (120 / 380))] as const;
    expect(weightOfEvidence(low, whole)).toBeCloseTo(woe[0], 12);
    expect(weightOfEvidence(high, whole)).toBeCloseTo(woe[1], 12);
    expect(informationValue([low, high])).toBeCloseTo(
      (20 / 120 - 180 / 380) * woe[0] + (100 / 120 - 200 / 380) * woe[1],
      12,
    );
    expect(woe[0]).toBeLessThan(0);
  });
});

describe('classes', () => {
  it('hold every row once, and risk moves one way along them', () => {
    const row = fc.record({ value: fc.integer({ min: 0, max: 40 }), label: fc.constantFrom(0, 0, 0, 1) });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 200, maxLength: 400 }),
        fc.constantFrom('rises', 'falls'),
        (rows, risk) => {
          const labels = Uint8Array.from(rows, ({ label }) => label);
          const events = labels.reduce((sum, label) => sum + label, 0);
          fc.pre(events > 0 && events < rows.length);
          const values = Float64Array.from(rows, ({ value }) => value);
          const { cuts, classes, unknown } = classify({ values, labels, weights: ones(rows.length) }, risk);
          const whole = { events, others: rows.length - events };
          expect(classes.reduce((sum, part) => sum + part.events + part.others, 0)).toBe(rows.length);
          expect(unknown).toEqual({ events: 0, others: 0 });
          for (const [index, part] of classes.entries()) {
            const members = rows.filter(({ value }) => classOf(cuts, value) === index);
            expect(members.filter(({ label }) => label === 1)).toHaveLength(part.events);
            expect(members).toHaveLength(part.events + part.others);
          }
          const woe = classes.map((part) => weightOfEvidence(part, whole));
          expect(woe).toEqual(woe.toSorted((a, b) => (risk === 'rises' ? a - b : b - a)));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('logistic regression', () => {
  it('of one flag is the difference of log-odds, without a penalty', () => {
    const cells = [
      { x: 0, label: 1, weight: 30 },
      { x: 0, label: 0, weight: 970 },
      { x: 1, label: 1, weight: 60 },
      { x: 1, label: 0, weight: 140 },
    ];
    const fit = fitLogistic(
      {
        columns: [Float64Array.from(cells, ({ x }) => x)],
        labels: Uint8Array.from(cells, ({ label }) => label),
        weights: Float64Array.from(cells, ({ weight }) => weight),
      },
      0,
    );
    expect(fit.intercept).toBeCloseTo(Math.log(30 / 970), 6);
    expect(fit.coefficients[0]).toBeCloseTo(Math.log(60 / 140) - Math.log(30 / 970), 5);
  });

  it('leaves no slope where it ends, and a penalty draws coefficients to zero', () => {
    const n = 400;
    const at = (row: number, salt: number) => Math.sin(row * 12.9898 + salt * 78.233);
    const columns = [1, 2, 3].map((salt) => Float64Array.from({ length: n }, (_, row) => at(row, salt)));
    const labels = Uint8Array.from({ length: n }, (_, row) =>
      2 * at(row, 1) - at(row, 2) + 1.5 * at(row, 7) > 0.8 ? 1 : 0,
    );
    const data = { columns, labels, weights: ones(n) };
    const sizes = [0.1, 10].map((ridge) => {
      const fit = fitLogistic(data, ridge);
      const { gradient } = derivatives(data, [fit.intercept, ...fit.coefficients], fit.logOdds, ridge);
      for (const slope of gradient) expect(Math.abs(slope)).toBeLessThan(1e-3);
      return Math.hypot(...fit.coefficients);
    });
    expect(sizes[1]).toBeLessThan(sizes[0] as number);
  });
});

describe('points', () => {
  it('are whole, the least risky class has none, and they stand for the log-odds', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 6 }), (logOdds) => {
        const factor = 7;
        const { points, shift } = pointsOf(logOdds, factor);
        expect(Math.min(...points)).toBe(0);
        for (const [index, given] of points.entries()) {
          expect(Number.isInteger(given)).toBe(true);
          expect(Math.abs(shift + given / factor - (logOdds[index] as number))).toBeLessThanOrEqual(
            0.5 / factor + 1e-9,
          );
        }
      }),
    );
  });
});

describe('a sample', () => {
  const fill = (seed: number, limit: number) => {
    const sampler = createSampler(1, seed, { events: 1_000, others: limit });
    for (let n = 0; n < 5_000; n += 1) sampler.add(n, n % 50 === 0, Float64Array.of(n));
    return sampler.take();
  };

  it('is the same for the same seed, keeps every fraud, and weighs as the whole', () => {
    const sample = fill(1, 500);
    expect(sample).toEqual(fill(1, 500));
    expect(sample.columns).not.toEqual(fill(2, 500).columns);
    expect([sample.rows, sample.events]).toEqual([5_000, 100]);
    expect(sample.labels.reduce((sum, label) => sum + label, 0)).toBe(100);
    expect(sample.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(5_000, 6);
    expect(joinSamples([sample, fill(3, 500)]).rows).toBe(10_000);
  });
});

describe('time', () => {
  const DAY = 86_400_000_000;
  it('is cut so that no label is learned from before it was known, and none of the test', () => {
    const windows = fitWindows(0, 100 * DAY, { labelDelay: 7 * DAY });
    expect(windows.warmUpTo).toBe(7 * DAY);
    expect(windows.validationFrom - windows.trainTo).toBe(7 * DAY);
    expect(windows.testFrom - windows.validationTo).toBeGreaterThanOrEqual(7 * DAY);
    expect(() => fitWindows(0, 20 * DAY, { labelDelay: 7 * DAY })).toThrow(/too short/);
    expect(() => fitWindows(0, 100 * DAY, { labelDelay: DAY, trainTo: 80 * DAY, testFrom: 70 * DAY })).toThrow(
      RangeError,
    );
  });
});

describe('stability', () => {
  it('is next to nothing where shares are the same, and large where they moved', () => {
    expect(stabilityIndex([100, 300, 600], [10, 30, 60])).toBeLessThan(0.01);
    expect(stabilityIndex([100, 300, 600], [600, 300, 100])).toBeGreaterThan(0.25);
    expect(stabilityIndex([0, 0], [1, 2])).toBeNull();
  });
});

describe('what a card is offered', () => {
  it('can be computed of every transaction', () => {
    const values = new Float64Array(CHARACTERISTICS.length);
    createExtractor(CHARACTERISTICS)(calmFeatures(), values);
    expect([...values].filter((value) => Number.isFinite(value)).length).toBeGreaterThan(10);
    expect(new Set(CHARACTERISTICS.map(({ id }) => id)).size).toBe(CHARACTERISTICS.length);
  });

  it('is refused where there is too little to learn', () => {
    const sampler = createSampler(CHARACTERISTICS.length, 1);
    for (let n = 0; n < 500; n += 1) sampler.add(n, n < 29, new Float64Array(CHARACTERISTICS.length));
    const sample = sampler.take();
    const options = { targetPrecision: 0.95, stepUpPrecision: 0.7, maxCharacteristics: 5 };
    const fit = () => fitScorecard(CHARACTERISTICS, { train: sample, gap: sample, validation: sample }, options);
    expect(fit).toThrow(ScorecardRefusal);
    expect(fit).toThrow(/29 frauds.*fewer than 30/);
  });
});

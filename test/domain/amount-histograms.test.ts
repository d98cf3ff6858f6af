import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AmountHistogram,
  bucketFloor,
  bucketOf,
  countAmount,
  lowerBound,
  spreadOf,
} from '../../domain/risk/amount-histogram.ts';

const amounts = fc.array(fc.bigInt({ min: 1n, max: 10n ** 9n }), { minLength: 1, maxLength: 40 });
const histogramOf = (of: readonly bigint[]): AmountHistogram =>
  of.reduce<AmountHistogram>((sum, amount) => countAmount(sum, bucketOf(amount, 2)), []);

describe('buckets', () => {
  it('ascend with the amounts, and hold their floor', () => {
    const amount = fc.bigInt({ min: 1n, max: 9_223_372_036_854_775_807n });
    for (const leading of [2, 3] as const) {
      fc.assert(
        fc.property(amount, amount, (a, b) => {
          const [low, high] = a <= b ? [a, b] : [b, a];
          expect(bucketOf(low, leading)).toBeLessThanOrEqual(bucketOf(high, leading));
          const floor = bucketFloor(bucketOf(a, leading), leading);
          expect(floor).toBeLessThanOrEqual(Number(a));
          // Two digits tell amounts apart by a tenth at most, three by a hundredth.
          expect(floor * (leading === 2 ? 1.1 : 1.01) + 1e-9).toBeGreaterThan(Number(a) * 0.999_999);
        }),
      );
    }
  });

  it('stand in their order, each once, with their counts', () => {
    fc.assert(
      fc.property(amounts, (of) => {
        const histogram = histogramOf(of);
        const buckets = histogram.map(([bucket]) => bucket);
        expect(buckets).toEqual([...new Set(buckets)].toSorted((a, b) => a - b));
        expect(histogram.reduce((sum, [, count]) => sum + count, 0)).toBe(of.length);
        for (const bucket of buckets) {
          expect(histogram[lowerBound(histogram, bucket)]?.[1]).toBe(
            of.filter((amount) => bucketOf(amount, 2) === bucket).length,
          );
        }
      }),
    );
  });
});

describe('median and MAD', () => {
  it('equal those of the sorted floors', () => {
    fc.assert(
      fc.property(amounts, (of) => {
        const floors = of.map((amount) => bucketFloor(bucketOf(amount, 2), 2)).toSorted((a, b) => a - b);
        const lowerMedian = (sorted: readonly number[]) => sorted[Math.ceil(sorted.length / 2) - 1] as number;
        const median = lowerMedian(floors);
        const distances = floors.map((floor) => Math.abs(floor - median)).toSorted((a, b) => a - b);
        expect(spreadOf(histogramOf(of), 2)).toEqual({ median, mad: lowerMedian(distances) });
      }),
      { numRuns: 500 },
    );
  });

  it('are unknown without an amount', () => {
    expect(spreadOf([], 2)).toBeNull();
  });
});

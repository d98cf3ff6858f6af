import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { precisionOf } from '../../domain/precision.ts';

describe('how often an alarm was right', () => {
  // 81 of 263 is the example of Newcombe (Statistics in Medicine 17, 1998); without misses the border is n / (n + z^2).
  it.each([
    [0, 10, 0, 0, 0.2775328],
    [10, 0, 1, 0.7224672, 1],
    [5, 5, 0.5, 0.2365931, 0.7634069],
    [1, 0, 1, 0.2065493, 1],
    [81, 182, 0.3079848, 0.2552969, 0.3662047],
  ])('%i right and %i wrong', (confirmed, wrong, value, low, high) => {
    const found = precisionOf(confirmed, wrong);
    expect(found?.precision).toBeCloseTo(value, 6);
    expect(found?.low).toBeCloseTo(low, 4);
    expect(found?.high).toBeCloseTo(high, 4);
  });

  it('is unknown without a known outcome', () => {
    expect(precisionOf(0, 0)).toBeNull();
  });

  it('lies in its interval, which lies within 0 and 1 and narrows with more of the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 500 }), (confirmed, wrong) => {
        fc.pre(confirmed + wrong > 0);
        const few = precisionOf(confirmed, wrong);
        const many = precisionOf(confirmed * 10, wrong * 10);
        if (few === null || many === null) throw new Error('there are outcomes');
        expect(few.low).toBeGreaterThanOrEqual(0);
        expect(few.high).toBeLessThanOrEqual(1);
        expect(few.low).toBeLessThanOrEqual(few.precision + 1e-12);
        expect(few.high).toBeGreaterThanOrEqual(few.precision - 1e-12);
        expect(many.high - many.low).toBeLessThan(few.high - few.low);
      }),
    );
  });
});

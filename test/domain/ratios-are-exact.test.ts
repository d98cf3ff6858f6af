import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ratioUp } from '../../domain/risk/ratio.ts';

/** `a / b > c` in exact arithmetic, for a decimal constant of up to three digits. */
const isAbove = (a: bigint, b: bigint, thousandths: number) => a * 1000n > BigInt(thousandths) * b;

describe('a ratio', () => {
  it('is above a constant exactly where the quotient is, whatever the size of the numbers', () => {
    const amount = fc.oneof(
      fc.bigInt({ min: 1n, max: 10n ** 6n }),
      fc.bigInt({ min: 1n, max: 9_223_372_036_854_775_807n }),
    );
    fc.assert(
      fc.property(amount, amount, fc.integer({ min: 1, max: 20_000 }), (a, b, thousandths) => {
        expect(ratioUp(a, b) > thousandths / 1000).toBe(isAbove(a, b, thousandths));
      }),
      { numRuns: 5_000 },
    );
  });

  it('is above a whole constant one unit beyond it, and not at it', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 4n * 10n ** 18n }), fc.integer({ min: 1, max: 9 }), (b, times) => {
        expect(ratioUp(b * BigInt(times), b) > times).toBe(false);
        expect(ratioUp(b * BigInt(times) + 1n, b) > times).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is above it also where the nearest double is not', () => {
    // 2.3 and a tenth of a 3.8-quadrillionth; the double that is written 2.3 lies a little below 2.3.
    const [a, b] = [8_740_000_000_000_007n, 3_800_000_000_000_003n];
    expect(isAbove(a, b, 2_300)).toBe(true);
    expect(Number(a) / Number(b)).toBe(2.3);
    expect(ratioUp(a, b)).toBeGreaterThan(2.3);
  });

  it('of a decimal is that decimal', () => {
    expect(ratioUp(20_001n, 100n)).toBe(200.01);
    expect(ratioUp(21n, 10n)).toBe(2.1);
    expect(ratioUp(1n, 3n)).toBeGreaterThan(1 / 3 - Number.EPSILON);
    expect(ratioUp(0n, 7n)).toBe(0);
  });

  it('has a positive denominator', () => {
    expect(() => ratioUp(1n, 0n)).toThrow(RangeError);
    expect(() => ratioUp(-1n, 2n)).toThrow(RangeError);
  });
});

/** Two-sided 95 %: the 0.975 quantile of the standard normal distribution. */
const Z = 1.959963984540054;

export interface Precision {
  /** Right ones among those that are known, 0 to 1. */
  readonly precision: number;
  /** Wilson score interval at 95 %. */
  readonly low: number;
  readonly high: number;
}

/**
 * How often an alarm was right, with what the number of known outcomes lets one say (Wilson 1927: it stays within 0 and 1
 * and is honest about few cases, where the normal approximation is not). Null without a known outcome.
 */
export function precisionOf(confirmed: number, falseAlarms: number): Precision | null {
  const n = confirmed + falseAlarms;
  if (n === 0) return null;
  const p = confirmed / n;
  const z2 = Z * Z;
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return { precision: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

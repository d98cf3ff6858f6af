/** What a rule set was expected to hold, in an hour: made by a back-test, or counted from its own past. */
export interface HourlyForecast {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How far above its forecast a rule set may hold before it is taken out of the decisions. */
export interface BreakerSettings {
  /** So many times the forecast. */
  readonly factor: number;
  /** The least that is taken for a forecast: a rule set that was to hold next to nothing is not judged by one hold. */
  readonly minHolds: number;
}

/** Without a report a version is judged by its own past only once that is a week long. */
export const OWN_PAST_MIN_HOURS = 168;

/** Holds within an hour above which the breaker trips: the factor times the forecast's 99th percentile, or the least one. */
export function breakerLimit(forecast: Pick<HourlyForecast, 'p99'>, { factor, minHolds }: BreakerSettings): number {
  return Math.floor(factor * Math.max(forecast.p99, minHolds));
}

/**
 * Summary of counts by hour.
 * @param counts of the hours that had any
 * @param hours how many there were altogether, at least 1
 */
export function forecastOf(counts: readonly number[], hours: number): HourlyForecast {
  const all = Math.max(1, hours, counts.length);
  const sorted = counts.toSorted((a, b) => a - b);
  const quiet = all - sorted.length;
  // Nearest rank: the smallest count that so large a share of the hours does not exceed.
  const quantile = (share: number) => {
    const rank = Math.ceil(share * all) - quiet;
    return rank <= 0 ? 0 : (sorted[rank - 1] ?? 0);
  };
  return {
    mean: sorted.reduce((sum, count) => sum + count, 0) / all,
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: sorted.at(-1) ?? 0,
  };
}

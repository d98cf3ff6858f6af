/**
 * Instants are whole microseconds since the Unix epoch, PostgreSQL's own resolution. As a JavaScript number they stay
 * exact until the year 2255 and, unlike a bigint, survive JSON.
 */
export type Micros = number;

export const MICROS_PER_MILLISECOND = 1_000;
export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_HOUR = 3_600 * MICROS_PER_SECOND;
export const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;

/** Index of the UTC day (days since 1970-01-01) an instant falls in. */
export function utcDay(at: Micros): number {
  return Math.floor(at / MICROS_PER_DAY);
}

/** Milliseconds since the epoch, rounded down: what `Date` understands. */
export function microsToMillis(at: Micros): number {
  return Math.floor(at / MICROS_PER_MILLISECOND);
}

/** An instant from `Date`'s milliseconds. */
export function microsFromMillis(millis: number): Micros {
  return Math.round(millis * MICROS_PER_MILLISECOND);
}

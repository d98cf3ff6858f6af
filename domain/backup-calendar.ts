/** A day of the civil calendar; months from 1. */
export interface CivilDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * The days on which a time zone's clocks jump over a full hour, so that a schedule for that hour would not run: Berlin and
 * New York both skip 02:00 on one night in spring.
 *
 * @param hour of the day, 0 to 23
 * @param from Unix time in milliseconds; the first day looked at
 * @param years how many years are looked at
 */
export function daysWithoutHour(timeZone: string, hour: number, from: number, years: number): CivilDay[] {
  const offsetAt = offsetReader(timeZone);
  const found: CivilDay[] = [];
  const firstNoon = Math.floor(from / DAY) * DAY + 12 * HOUR;
  let before = offsetAt(firstNoon - DAY);
  for (let noon = firstNoon; noon < from + years * 366 * DAY; noon += DAY) {
    // Only a day on which the offset changes can lack an hour.
    const after = offsetAt(noon + DAY);
    if (before !== after) {
      const wall = noon - 12 * HOUR + hour * HOUR;
      const exists = [before, after].some((offset) => offsetAt(wall - offset) === offset);
      const date = new Date(noon);
      if (!exists) found.push({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() });
    }
    before = offsetAt(noon);
  }
  return found;
}

/** Reads a zone's offset from UTC, in milliseconds, at an instant. */
export function offsetReader(timeZone: string): (at: number) => number {
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (at) => {
    const parts = formatter.formatToParts(at);
    const read = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value);
    const wall = Date.UTC(read('year'), read('month') - 1, read('day'), read('hour'), read('minute'), read('second'));
    return wall - Math.floor(at / 1_000) * 1_000;
  };
}

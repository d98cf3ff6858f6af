import { type Micros, microsToMillis } from './time.ts';

/** Where a time zone was taken from, most telling first. */
export type ZoneSource = 'profile' | 'habitual' | 'ip' | 'utc';

/** IANA zone names from the user's profile, the place they usually log in from, and the present IP address. */
export interface ZoneCandidates {
  readonly profile?: string | null | undefined;
  readonly habitual?: string | null | undefined;
  readonly ip?: string | null | undefined;
}

export interface LocalTime {
  readonly hour: number;
  readonly minute: number;
  readonly timeZone: string;
  readonly source: ZoneSource;
}

/** A formatter costs about 50 us to build and a name comes from outside: keep a bounded number of them. */
const MAX_FORMATTERS = 1_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** True for an IANA zone name this runtime's time-zone database knows. A bare offset (`+02:00`) has no DST: refused. */
export function isTimeZone(name: string): boolean {
  return formatterFor(name) !== null;
}

/**
 * The local wall-clock time of an instant in the first candidate zone that is valid, else in UTC. Daylight saving
 * follows the runtime's time-zone database. For activities and the API: workflow code must not depend on a database
 * that an update of Node may change under a replay.
 */
export function localTime(at: Micros, zones: ZoneCandidates): LocalTime {
  for (const source of ['profile', 'habitual', 'ip'] as const) {
    const name = zones[source];
    const formatter = name ? formatterFor(name) : null;
    if (name && formatter) return { ...wallClock(at, formatter), timeZone: name, source };
  }
  const date = new Date(microsToMillis(at));
  return { hour: date.getUTCHours(), minute: date.getUTCMinutes(), timeZone: 'UTC', source: 'utc' };
}

function wallClock(at: Micros, formatter: Intl.DateTimeFormat): { hour: number; minute: number } {
  const parts = formatter.formatToParts(microsToMillis(at));
  const read = (type: 'hour' | 'minute') => Number(parts.find((part) => part.type === type)?.value);
  return { hour: read('hour'), minute: read('minute') };
}

function formatterFor(name: string): Intl.DateTimeFormat | null {
  const known = formatters.get(name);
  if (known) return known;
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/.test(name)) return null;
  try {
    const formatter = new Intl.DateTimeFormat('en-GB', {
      timeZone: name,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    if (formatters.size >= MAX_FORMATTERS) formatters.clear();
    formatters.set(name, formatter);
    return formatter;
  } catch {
    // RangeError: the database has no such zone.
    return null;
  }
}

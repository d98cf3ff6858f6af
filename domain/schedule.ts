import { offsetReader } from './backup-calendar.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** When something runs by itself. Hours are of the time zone's wall clock; days of the week count from Sunday, 0. */
export type Recurrence =
  | { readonly every: number }
  /** `skippedHour`: in a night that has no such hour it runs an hour later, else not at all. */
  | { readonly hour: number; readonly timeZone: string; readonly skippedHour?: 'an_hour_later' }
  | { readonly hour: number; readonly timeZone: string; readonly dayOfWeek: number }
  | { readonly hour: number; readonly timeZone: string; readonly dayOfMonth: number };

/** Each schedule by its name; in Temporal the installation's prefix stands before it. */
export const SCHEDULE_NAMES = [
  'reconcile',
  'nonces',
  'alerts',
  'breaker',
  'audit-verification',
  'audit-checkpoint',
  'population',
  'device-clean-up',
  'backup',
  'key-rotation',
  'restore-drill',
] as const;
export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

/** The backup's hour is one that a time zone may skip; the drill's comes after it, and no zone skips it on a Sunday. */
export const BACKUP_HOUR = 2;
export const DRILL_HOUR = 5;
export const ROTATION_HOUR = 3;
export const CLEAN_UP_HOUR = 4;

/**
 * When each schedule runs.
 *
 * @param backupTimeZone IANA zone of the nightly backup and of the restore drill; the others go by UTC
 */
export function recurrences(backupTimeZone: string): Readonly<Record<ScheduleName, Recurrence>> {
  return {
    reconcile: { every: MINUTE },
    nonces: { every: 5 * MINUTE },
    alerts: { every: MINUTE },
    breaker: { every: MINUTE },
    'audit-verification': { every: HOUR },
    'audit-checkpoint': { every: HOUR },
    population: { every: HOUR },
    'device-clean-up': { hour: CLEAN_UP_HOUR, timeZone: 'UTC' },
    backup: { hour: BACKUP_HOUR, timeZone: backupTimeZone, skippedHour: 'an_hour_later' },
    'key-rotation': { hour: ROTATION_HOUR, timeZone: 'UTC', dayOfMonth: 1 },
    'restore-drill': { hour: DRILL_HOUR, timeZone: backupTimeZone, dayOfWeek: 0 },
  };
}

/** A run may begin this much after its time before it counts as late: a worker that restarts, a queue that is full. */
const GRACE = { every: MINUTE, calendar: HOUR } as const;

/** The first time after an instant at which it runs. Both are Unix times in milliseconds. */
export function nextRun(recurrence: Recurrence, after: number): number {
  if ('every' in recurrence) return (Math.floor(after / recurrence.every) + 1) * recurrence.every;
  const offsetAt = offsetReader(recurrence.timeZone);
  const today = new Date(after + offsetAt(after));
  today.setUTCHours(0, 0, 0, 0);
  // A month and the days that may be skipped at its end are looked at; the day before, since a zone may go back over midnight.
  for (let day = -1; day <= 63; day += 1) {
    const midnight = today.getTime() + day * DAY;
    const times = timesOf(recurrence, midnight, offsetAt).filter((time) => time > after);
    if (times.length > 0) return Math.min(...times);
  }
  throw new RangeError('a recurrence comes at least once in two months');
}

/** Whether the run that should have followed the one that began at `last` is overdue. Unix times in milliseconds. */
export function isRunLate(recurrence: Recurrence, last: number, now: number): boolean {
  return nextRun(recurrence, last) + ('every' in recurrence ? recurrence.every + GRACE.every : GRACE.calendar) < now;
}

/** When it runs on a day of the wall clock, given as that day's midnight in UTC: never, once, or twice. */
function timesOf(
  recurrence: Exclude<Recurrence, { every: number }>,
  midnight: number,
  offsetAt: (at: number) => number,
): number[] {
  const date = new Date(midnight);
  if ('dayOfWeek' in recurrence && date.getUTCDay() !== recurrence.dayOfWeek) return [];
  if ('dayOfMonth' in recurrence && date.getUTCDate() !== recurrence.dayOfMonth) return [];
  const times = instantsOf(midnight + recurrence.hour * HOUR, offsetAt);
  const isMoved = times.length === 0 && 'skippedHour' in recurrence && recurrence.skippedHour === 'an_hour_later';
  return isMoved ? instantsOf(midnight + (recurrence.hour + 1) * HOUR, offsetAt) : times;
}

/** The instants at which clocks show a time, given as if it were UTC. */
function instantsOf(wall: number, offsetAt: (at: number) => number): number[] {
  const offsets = new Set([offsetAt(wall - DAY), offsetAt(wall + DAY)]);
  return [...offsets].map((offset) => wall - offset).filter((time) => offsetAt(time) === wall - time);
}

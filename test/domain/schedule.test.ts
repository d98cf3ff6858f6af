import { describe, expect, test } from 'vitest';
import { isRunLate, nextRun, type Recurrence, recurrences, SCHEDULE_NAMES } from '../../domain/schedule.ts';

const next = (recurrence: Recurrence, after: string) => new Date(nextRun(recurrence, Date.parse(after))).toISOString();
const { backup, 'restore-drill': drill, 'key-rotation': rotation, reconcile } = recurrences('Europe/Berlin');

describe('the next run', () => {
  test('of an interval lies at a multiple of it, and after the instant itself', () => {
    expect(next(reconcile, '2026-03-01T10:00:59.999Z')).toBe('2026-03-01T10:01:00.000Z');
    expect(next(reconcile, '2026-03-01T10:01:00.000Z')).toBe('2026-03-01T10:02:00.000Z');
    expect(next({ every: 3_600_000 }, '2026-03-01T23:30:00Z')).toBe('2026-03-02T00:00:00.000Z');
  });

  test('of the night is at two on the wall clock, in winter and in summer', () => {
    expect(next(backup, '2026-01-10T00:59:59Z')).toBe('2026-01-10T01:00:00.000Z');
    expect(next(backup, '2026-01-10T01:00:00Z')).toBe('2026-01-11T01:00:00.000Z');
    expect(next(backup, '2026-07-10T12:00:00Z')).toBe('2026-07-11T00:00:00.000Z');
  });

  test('in the night that skips two o’clock comes at three', () => {
    expect(next(backup, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
    expect(next(backup, '2026-03-29T01:00:00Z')).toBe('2026-03-30T00:00:00.000Z');
  });

  test('in the night that has two o’clock twice comes twice', () => {
    expect(next(backup, '2026-10-24T12:00:00Z')).toBe('2026-10-25T00:00:00.000Z');
    expect(next(backup, '2026-10-25T00:00:00Z')).toBe('2026-10-25T01:00:00.000Z');
    expect(next(backup, '2026-10-25T01:00:00Z')).toBe('2026-10-26T01:00:00.000Z');
  });

  test('of a zone far from UTC belongs to the day on its own wall', () => {
    const [kiritimati, pago] = ['Pacific/Kiritimati', 'Pacific/Pago_Pago'].map((zone) => recurrences(zone).backup);
    expect(next(kiritimati as Recurrence, '2026-01-10T11:59:00Z')).toBe('2026-01-10T12:00:00.000Z');
    expect(next(pago as Recurrence, '2026-01-10T12:59:00Z')).toBe('2026-01-10T13:00:00.000Z');
  });

  test('of the week is on Sunday, of the month on the first', () => {
    expect(next(drill, '2026-01-10T12:00:00Z')).toBe('2026-01-11T04:00:00.000Z');
    expect(next(drill, '2026-01-11T04:00:00Z')).toBe('2026-01-18T04:00:00.000Z');
    expect(next(rotation, '2026-01-01T03:00:00Z')).toBe('2026-02-01T03:00:00.000Z');
    expect(next(rotation, '2026-12-31T23:59:59Z')).toBe('2027-01-01T03:00:00.000Z');
  });

  test('is known of every schedule', () => {
    const now = Date.parse('2026-01-10T12:00:00Z');
    for (const name of SCHEDULE_NAMES) {
      expect(nextRun(recurrences('UTC')[name], now)).toBeGreaterThan(now);
    }
  });
});

test('a run is late when the one after the last has not begun within its grace', () => {
  const at = (text: string) => Date.parse(text);
  const last = at('2026-01-10T10:00:00Z');
  expect(isRunLate(reconcile, last, at('2026-01-10T10:03:00Z'))).toBe(false);
  expect(isRunLate(reconcile, last, at('2026-01-10T10:03:01Z'))).toBe(true);
  expect(isRunLate(backup, last, at('2026-01-11T02:00:00Z'))).toBe(false);
  expect(isRunLate(backup, last, at('2026-01-11T02:00:01Z'))).toBe(true);
});

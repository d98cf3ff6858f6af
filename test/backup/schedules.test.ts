import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { daysWithoutHour } from '../../domain/backup-calendar.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { deleteSchedules, ensureSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';

const DAY_MS = 86_400_000;
const YEARS = 4;
const temporal = createTemporalClient({
  address: inject('servers').temporalAddress,
  namespace: 'default',
  tls: undefined,
  identity: 'test',
  dataConverter,
});
const made: string[] = [];

afterAll(async () => {
  for (const prefix of made) await deleteSchedules(temporal.client, { prefix, queues: taskQueues(prefix) });
  await temporal.close();
});

/** When the real server would start what a schedule says: its own computation, not ours. */
async function timesOf(scheduleId: string, from: number, to: number): Promise<number[]> {
  const { startTime } = await temporal.client.workflowService.listScheduleMatchingTimes({
    namespace: 'default',
    scheduleId,
    startTime: { seconds: from / 1_000 },
    endTime: { seconds: to / 1_000 },
  } as never);
  return startTime.map((time) => Number(time.seconds) * 1_000);
}

async function schedule(backupTimeZone: string): Promise<string> {
  const prefix = `t${randomBytes(4).toString('hex')}`;
  made.push(prefix);
  await ensureSchedules(temporal.client, { prefix, queues: taskQueues(prefix), backupTimeZone });
  // They must not run while they are looked at: nobody polls their queue.
  for (const name of ['backup', 'restore-drill', 'reconcile', 'nonces', 'audit-verification', 'audit-checkpoint']) {
    await temporal.client.schedule.getHandle(`${prefix}-${name}`).pause('only looked at');
  }
  return prefix;
}

const wallClock = (at: number, timeZone: string) =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(at);

describe('[B1] the nightly backup', () => {
  const from = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  let berlin: string;
  beforeAll(async () => {
    berlin = await schedule('Europe/Berlin');
  });

  it.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'])(
    'runs in every night of the years to come in %s: at 02:00, or at 03:00 where the clocks skip it',
    async (zone) => {
      const prefix = zone === 'Europe/Berlin' ? berlin : await schedule(zone);
      const skipped = new Set(
        daysWithoutHour(zone, 2, from, YEARS).map(
          ({ year, month, day }) => `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`,
        ),
      );
      const nights = new Map<string, string[]>();
      for (let at = from; at < from + YEARS * 365 * DAY_MS; at += 300 * DAY_MS) {
        const until = Math.min(at + 300 * DAY_MS, from + YEARS * 365 * DAY_MS);
        for (const time of await timesOf(`${prefix}-backup`, at, until)) {
          const [date = '', clock = ''] = wallClock(time, zone).split(' ');
          nights.set(date, [...new Set([...(nights.get(date) ?? []), clock])]);
        }
      }
      // Every day of the calendar is there: the whole days between the first and the last that was seen.
      const dates = [...nights.keys()].sort();
      const days = (Date.parse(dates.at(-1) ?? '') - Date.parse(dates[0] ?? '')) / DAY_MS + 1;
      expect(dates).toHaveLength(days);
      expect(days).toBeGreaterThan(YEARS * 365 - 3);
      // Lord Howe skips half an hour: there the server itself runs at 02:30 as well.
      for (const [date, clocks] of nights) {
        expect(
          clocks.filter((clock) => clock !== '02:30'),
          date,
        ).toEqual([skipped.has(date) ? '03:00' : '02:00']);
      }
      expect(skipped.size).toBe(zone === 'UTC' || zone === 'Asia/Kolkata' ? 0 : YEARS);
    },
  );

  it('skips a run while another one is under way, and makes up for an hour at most', async () => {
    const { policies, spec, action } = await temporal.client.schedule.getHandle(`${berlin}-backup`).describe();
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3_600_000 });
    expect(spec.timezone).toBe('Europe/Berlin');
    expect(action).toMatchObject({ workflowType: 'backup', taskQueue: taskQueues(berlin).background });
  });

  it('[B7] the restore drill runs once a week, after the backup', async () => {
    const times = await timesOf(`${berlin}-restore-drill`, from, from + 60 * 7 * DAY_MS);
    expect(times).toHaveLength(60);
    for (const time of times) {
      expect(wallClock(time, 'Europe/Berlin')).toMatch(/ 05:00$/);
      expect(new Date(time).getUTCDay()).toBe(0);
    }
  });
});

it('[A3] the audit log is verified every hour, and the run decides whether everything is due', async () => {
  const prefix = await schedule('UTC');
  const verification = temporal.client.schedule.getHandle(`${prefix}-audit-verification`);
  const { action, spec } = await verification.describe();
  expect(spec.intervals).toMatchObject([{ every: 3_600_000 }]);
  expect(action).toMatchObject({ workflowType: 'auditVerification', args: [{ scope: { mode: 'daily' } }] });
});

describe('days without an hour', () => {
  const names = (zone: string, hour: number, from: string, years: number) =>
    daysWithoutHour(zone, hour, Date.parse(from), years).map(({ year, month, day }) => [year, month, day].join('-'));

  it('are those of the time-zone database', () => {
    expect(names('Europe/Berlin', 2, '2026-01-01', 2)).toEqual(['2026-3-29', '2027-3-28']);
    expect(names('America/New_York', 2, '2026-01-01', 2)).toEqual(['2026-3-8', '2027-3-14']);
    expect(names('America/Havana', 0, '2026-01-01', 1)).toEqual(['2026-3-8']);
    expect(names('UTC', 2, '2026-01-01', 5)).toEqual([]);
  });

  it('have only the skipped hour', () => {
    expect(names('Europe/Berlin', 1, '2026-01-01', 3)).toEqual([]);
    expect(names('Europe/Berlin', 3, '2026-01-01', 3)).toEqual([]);
  });

  it('begin with today', () => {
    expect(names('Europe/Berlin', 2, '2026-03-29T00:30:00Z', 0.5)).toEqual(['2026-3-29']);
    expect(names('Europe/Berlin', 2, '2026-03-30T00:30:00Z', 0.5)).toEqual([]);
  });
});

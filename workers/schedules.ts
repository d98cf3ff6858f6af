import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleOptions,
  ScheduleOverlapPolicy,
  type ScheduleSpec,
} from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { daysWithoutHour } from '../domain/backup-calendar.ts';
import { BACKUP_HOUR, CLEAN_UP_HOUR, DRILL_HOUR, ROTATION_HOUR, type ScheduleName } from '../domain/schedule.ts';
import {
  type AuditCheckpointInput,
  type AuditVerificationInput,
  type BackupInput,
  type DeviceCleanUpInput,
  type KeyRotationInput,
  keyRotationPace,
  type RestoreDrillInput,
  type TaskQueues,
} from '../workflows/contract.ts';

export interface ScheduleSettings {
  /** Starts the ids, so that installations that share a namespace keep their schedules apart. */
  prefix: string;
  queues: TaskQueues;
  /** IANA zone of the nightly backup; UTC where it is left out. */
  backupTimeZone?: string;
}

/** Devices that nobody signed in from for that long are forgotten. */
const DEVICE_UNSEEN_DAYS = 90;
/** How far ahead skipped hours are written down; every boot of a worker writes them anew. */
const YEARS_AHEAD = 10;
const MONTHS = [
  ...(['JANUARY', 'FEBRUARY', 'MARCH', 'APRIL', 'MAY', 'JUNE'] as const),
  ...(['JULY', 'AUGUST', 'SEPTEMBER', 'OCTOBER', 'NOVEMBER', 'DECEMBER'] as const),
];

/**
 * Every day at an hour of a time zone. A calendar matches the clock literally, so in the night that skips the hour nothing
 * would run: those nights are named one by one, and run an hour later. In a night that has the hour twice it runs twice.
 */
export function nightly(timeZone: string, hour: number, now = Date.now()): ScheduleSpec {
  const skipped = daysWithoutHour(timeZone, hour, now, YEARS_AHEAD);
  return {
    calendars: [
      { hour, comment: 'every night' },
      ...skipped.map(({ year, month, day }) => ({
        ...{ year, month: MONTHS[month - 1] ?? 'JANUARY', dayOfMonth: day, hour: hour + 1 },
        comment: 'the clocks skip the hour',
      })),
    ],
  };
}

/** What runs by the clock, at the times of `recurrences` (domain/schedule.ts). Overlap is skipped everywhere: a slow run must not pile up behind itself. */
function schedulesOf({ prefix, queues, backupTimeZone: timezone = 'UTC' }: ScheduleSettings): ScheduleOptions[] {
  const scheduled = (
    name: ScheduleName,
    workflowType: string,
    spec: ScheduleSpec,
    catchupWindow: Duration,
    args: unknown[] = [],
  ): ScheduleOptions => ({
    scheduleId: `${prefix}-${name}`,
    spec,
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: `${prefix}-${name}`,
      taskQueue: queues.background,
      args,
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow },
  });
  const every = (
    name: ScheduleName,
    workflowType: string,
    interval: '1 minute' | '5 minutes' | '1 hour',
    args: unknown[] = [],
  ) => scheduled(name, workflowType, { intervals: [{ every: interval }] }, interval, args);
  const verification: AuditVerificationInput = { scope: { mode: 'daily' } };
  const checkpoint: AuditCheckpointInput = { trigger: 'schedule' };
  const backup: BackupInput = { backupId: null, trigger: 'schedule', requestedBy: null, queues };
  const drill: RestoreDrillInput = { ...backup, drillId: null };
  const everySunday: ScheduleSpec = { calendars: [{ dayOfWeek: 'SUNDAY', hour: DRILL_HOUR, comment: 'every Sunday' }] };
  const cleanUp: DeviceCleanUpInput = { unseenForDays: DEVICE_UNSEEN_DAYS };
  const everyDay: ScheduleSpec = { calendars: [{ hour: CLEAN_UP_HOUR, comment: 'every day' }] };
  const rotation: KeyRotationInput = {
    ...{ rotationId: null, trigger: 'schedule', scope: 'all', requestedBy: null, queues },
    ...keyRotationPace,
  };
  const everyMonth: ScheduleSpec = { calendars: [{ dayOfMonth: 1, hour: ROTATION_HOUR, comment: 'every month' }] };
  return [
    every('reconcile', 'reconcile', '1 minute'),
    every('nonces', 'nonceMaintenance', '5 minutes'),
    every('alerts', 'alerts', '1 minute'),
    every('breaker', 'breaker', '1 minute'),
    every('audit-verification', 'auditVerification', '1 hour', [verification]),
    every('audit-checkpoint', 'auditCheckpoint', '1 hour', [checkpoint]),
    every('population', 'population', '1 hour'),
    scheduled('device-clean-up', 'deviceCleanUp', everyDay, '1 day', [cleanUp]),
    scheduled('backup', 'backup', { ...nightly(timezone, BACKUP_HOUR), timezone }, '1 hour', [backup]),
    scheduled('key-rotation', 'keyRotation', everyMonth, '1 day', [rotation]),
    scheduled('restore-drill', 'restoreDrill', { ...everySunday, timezone }, '1 hour', [drill]),
  ];
}

/** What a namespace holds of an installation whose worker has booted. */
export const scheduleIds = (settings: ScheduleSettings): string[] =>
  schedulesOf(settings).map(({ scheduleId }) => scheduleId);

/** Creates the schedules, or brings existing ones up to this version; an operator's pause is kept. */
export async function ensureSchedules(client: Client, settings: ScheduleSettings): Promise<void> {
  for (const schedule of schedulesOf(settings)) {
    try {
      await client.schedule.create(schedule);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await client.schedule
        .getHandle(schedule.scheduleId)
        .update((previous) => ({ ...schedule, state: previous.state }));
    }
  }
}

/** Removes the schedules of an installation that is taken down for good. */
export async function deleteSchedules(client: Client, settings: ScheduleSettings): Promise<void> {
  for (const { scheduleId } of schedulesOf(settings)) await client.schedule.getHandle(scheduleId).delete();
}

import type { ScheduleName } from '../domain/schedule.ts';
import { iso, isoOrNull, rows, run, type Tx } from './sql.ts';

/** Schedules whose work leaves no row that says when it ran. */
export type RecordedSchedule = Exclude<
  ScheduleName,
  'audit-verification' | 'backup' | 'key-rotation' | 'restore-drill'
>;

export interface EndedRun {
  schedule: RecordedSchedule;
  workflowId: string;
  /** Milliseconds since the epoch, by the worker's clock. */
  startedAt: number;
  finishedAt: number;
  /** A short code of what went wrong; null for a run that succeeded. */
  reason: string | null;
}

/** Keeps the latest run of a schedule. A run that is told in parts is one; an older one that comes late changes nothing. */
export async function recordScheduleRun(tx: Tx, one: EndedRun): Promise<void> {
  await run(
    tx,
    `insert into schedule_run as r (schedule, workflow_id, started_at, finished_at, outcome, reason, succeeded_at)
     values ($1, $2, to_timestamp($3::float8 / 1000), to_timestamp($4::float8 / 1000),
             case when $5::text is null then 'succeeded' else 'failed' end, $5,
             case when $5::text is null then to_timestamp($4::float8 / 1000) end)
     on conflict (schedule) do update
       set started_at = case when r.workflow_id = excluded.workflow_id then least(r.started_at, excluded.started_at)
                             else excluded.started_at end,
           workflow_id = excluded.workflow_id, finished_at = excluded.finished_at, outcome = excluded.outcome,
           reason = excluded.reason, succeeded_at = coalesce(excluded.succeeded_at, r.succeeded_at)
     where r.finished_at <= excluded.finished_at`,
    [one.schedule, one.workflowId, one.startedAt, one.finishedAt, one.reason?.slice(0, 200) ?? null],
  );
}

export interface LastRun {
  workflowId: string | null;
  startedAt: string;
  finishedAt: string | null;
  outcome: 'running' | 'succeeded' | 'failed' | 'cancelled';
  reason: string | null;
  /** When one succeeded last, this or an earlier one; null for never. */
  succeededAt: string | null;
}

/** Of runs that have rows: the latest, and when one succeeded last. */
const runsOf = (schedule: ScheduleName, table: string) => `
  (select '${schedule}' as schedule, r.workflow_id, r.started_at, r.finished_at, r.status as outcome, r.reason,
          (select g.finished_at from ${table} g where g.status = 'succeeded' order by g.started_at desc limit 1) as succeeded_at
     from ${table} r order by r.started_at desc, r.id desc limit 1)`;

/** Those of the schedule name nobody who asked. */
const VERIFICATIONS = `
  (select 'audit-verification', null, coalesce(v.started_at, v.requested_at), v.finished_at,
          case v.status when 'requested' then 'running' when 'valid' then 'succeeded' when 'invalid' then 'failed' else v.status end,
          v.reason,
          (select g.finished_at from audit_verification g
            where g.requested_by is null and g.status = 'valid' order by g.requested_at desc limit 1)
     from audit_verification v where v.requested_by is null order by v.requested_at desc limit 1)`;

/** The last run of each schedule, whoever asked for it; one that never ran is missing. */
export async function lastScheduleRuns(tx: Tx): Promise<Map<ScheduleName, LastRun>> {
  const found = await rows<{
    schedule: ScheduleName;
    workflow_id: string | null;
    started_at: string;
    finished_at: string | null;
    outcome: LastRun['outcome'];
    reason: string | null;
    succeeded_at: string | null;
  }>(
    tx,
    `select schedule, workflow_id, started_at, finished_at, outcome, reason, succeeded_at from schedule_run
     union all ${runsOf('backup', 'backup_run')}
     union all ${runsOf('restore-drill', 'restore_drill')}
     union all ${runsOf('key-rotation', 'key_rotation')}
     union all ${VERIFICATIONS}`,
  );
  return new Map(
    found.map((one) => [
      one.schedule,
      {
        workflowId: one.workflow_id,
        startedAt: iso(one.started_at),
        finishedAt: isoOrNull(one.finished_at),
        outcome: one.outcome,
        reason: one.reason,
        succeededAt: isoOrNull(one.succeeded_at),
      },
    ]),
  );
}

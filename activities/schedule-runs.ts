import { ApplicationFailure, Context } from '@temporalio/activity';
import { type RecordedSchedule, recordScheduleRun } from '../db/schedule-runs.ts';
import type { ActivityDeps } from './deps.ts';

/**
 * Does the work of a schedule and leaves word of when it ran and how it went. A word that cannot be written is no reason
 * to do the work again: the next run writes one.
 *
 * @param judge why a result is no success, as a short code; null where it is one
 */
export async function recordedRun<T>(
  { db, log }: Pick<ActivityDeps, 'db' | 'log'>,
  schedule: RecordedSchedule,
  work: () => Promise<T>,
  judge: (result: T) => string | null = () => null,
): Promise<T> {
  const workflowId = Context.current().info.workflowExecution?.workflowId ?? schedule;
  const startedAt = Date.now();
  const told = async (reason: string | null) => {
    try {
      await recordScheduleRun(db.fork(), { schedule, workflowId, startedAt, finishedAt: Date.now(), reason });
    } catch (error) {
      log.warn({ err: error, schedule }, 'the run of a schedule could not be recorded');
    }
  };
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await told(codeOf(error));
    throw error;
  }
  await told(judge(result));
  return result;
}

/** A word for staff: the kind of an error, never its message, which may hold values of rows. */
function codeOf(error: unknown): string {
  if (error instanceof ApplicationFailure && error.type) return error.type;
  // PostgreSQL's, and the system's: `55P03` for a lock that was not there in time, `ECONNREFUSED`.
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}

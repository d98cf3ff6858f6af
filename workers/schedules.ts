import { type Client, ScheduleAlreadyRunning, type ScheduleOptions, ScheduleOverlapPolicy } from '@temporalio/client';
import type { TaskQueues } from '../workflows/contract.ts';

export interface ScheduleSettings {
  /** Starts the ids, so that installations that share a namespace keep their schedules apart. */
  prefix: string;
  queues: TaskQueues;
}

/** What runs by the clock. Overlap is skipped everywhere: a slow run must not pile up behind itself. */
function schedulesOf({ prefix, queues }: ScheduleSettings): ScheduleOptions[] {
  const every = (
    name: string,
    workflowType: string,
    interval: '1 minute' | '5 minutes' | '1 hour',
  ): ScheduleOptions => ({
    scheduleId: `${prefix}-${name}`,
    spec: { intervals: [{ every: interval }] },
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: `${prefix}-${name}`,
      taskQueue: queues.background,
      args: [],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: interval },
  });
  return [
    every('reconcile', 'reconcile', '1 minute'),
    every('nonces', 'nonceMaintenance', '5 minutes'),
    every('audit-verification', 'auditVerification', '1 hour'),
  ];
}

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

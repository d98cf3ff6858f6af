import type { TemporalClient } from '../temporal/connection.ts';
import type { TaskQueues } from '../workflows/contract.ts';

/** Kinds of tasks as Temporal's API numbers them. */
const TASK_KINDS = { workflow: 1, activity: 2 } as const;
/** Those that count: what runs by the clock is in the Temporal UI. */
const WORKFLOW_TYPES = ['login', 'transaction', 'lockout', 'incident', 'backup', 'auditVerification'] as const;

export interface TaskQueueStats {
  queue: keyof TaskQueues;
  name: string;
  kind: keyof typeof TASK_KINDS;
  /** Approximate, as Temporal counts it; tasks on their way to the worker that knows the workflow are not in it. */
  backlog: number;
  /** Age of the oldest task in the backlog, seconds. */
  oldestSeconds: number;
  addedPerSecond: number;
  dispatchedPerSecond: number;
  pollers: { identity: string; lastSeenAt: string }[];
}

export interface WorkflowCounts {
  type: string;
  /** By Temporal's name of the status, for instance `Running`. */
  byStatus: Record<string, number>;
}

/**
 * Reads every task queue, and counts workflows. The counts lag some seconds behind.
 * @throws when Temporal does not answer in time
 */
export function readTaskQueues(
  temporal: TemporalClient,
  queues: TaskQueues,
  timeoutMs: number,
): Promise<{ queues: TaskQueueStats[]; workflows: WorkflowCounts[] }> {
  const { client } = temporal;
  return client.withDeadline(Date.now() + timeoutMs, async () => {
    const wanted = (Object.keys(queues) as (keyof TaskQueues)[]).flatMap((queue) =>
      (Object.keys(TASK_KINDS) as (keyof typeof TASK_KINDS)[]).map((kind) => ({ queue, kind })),
    );
    const [read, workflows] = await Promise.all([
      Promise.all(wanted.map(({ queue, kind }) => describe(temporal, { queue, name: queues[queue], kind }))),
      Promise.all(WORKFLOW_TYPES.map((type) => countByStatus(temporal, queues, type))),
    ]);
    return { queues: read, workflows };
  });
}

async function describe(
  { client }: TemporalClient,
  which: Pick<TaskQueueStats, 'queue' | 'name' | 'kind'>,
): Promise<TaskQueueStats> {
  const { stats, pollers } = await client.connection.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: which.name },
    taskQueueType: TASK_KINDS[which.kind],
    reportStats: true,
  });
  const age = stats?.approximateBacklogAge;
  return {
    ...which,
    backlog: Number(stats?.approximateBacklogCount ?? 0),
    oldestSeconds: Number(age?.seconds ?? 0) + (age?.nanos ?? 0) / 1e9,
    addedPerSecond: stats?.tasksAddRate ?? 0,
    dispatchedPerSecond: stats?.tasksDispatchRate ?? 0,
    pollers: (pollers ?? []).map(({ identity, lastAccessTime }) => ({
      identity: identity ?? '',
      lastSeenAt: new Date(Number(lastAccessTime?.seconds ?? 0) * 1000).toISOString(),
    })),
  };
}

async function countByStatus({ client }: TemporalClient, queues: TaskQueues, type: string): Promise<WorkflowCounts> {
  const { groups } = await client.workflow.count(
    `WorkflowType = '${type}' AND TaskQueue IN ('${queues.decisions}', '${queues.background}') GROUP BY ExecutionStatus`,
  );
  return {
    type,
    byStatus: Object.fromEntries(groups.map(({ groupValues, count }) => [String(groupValues[0]), count])),
  };
}

import type { DataConverter } from '@temporalio/common';
import { type NativeConnection, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Activities } from '../activities/index.ts';
import type { TaskQueues } from '../workflows/contract.ts';
import { createActivityErrors } from './activity-errors.ts';
import { createEncodedInputCheck } from './encoded-input.ts';
import type { ErrorReports } from './error-reports.ts';

export interface WorkerDeps {
  connection: NativeConnection;
  namespace: string;
  queues: TaskQueues;
  workflowBundle: WorkflowBundleWithSourceMap;
  activities: Activities;
  identity: string;
  dataConverter: DataConverter;
  /** Milliseconds a running activity may take to end after a stop was asked for. */
  shutdownTimeoutMs: number;
  log: Logger;
  /** Told of activities' unexpected errors. */
  reports?: Pick<ErrorReports, 'record'> | undefined;
}

/**
 * The two workers of a process: decisions somebody waits for, and everything else. Each polls its own queue with its own
 * slots, so that no backlog of letters delays a decision. The sizes are for two cores and keep the process well under
 * 600 MB: a cached workflow weighs about one megabyte.
 */
export async function createWorkers(deps: WorkerDeps): Promise<Worker[]> {
  const shared = {
    connection: deps.connection,
    namespace: deps.namespace,
    identity: deps.identity,
    workflowBundle: deps.workflowBundle,
    activities: deps.activities,
    dataConverter: deps.dataConverter,
    interceptors: {
      activity: [createActivityErrors({ log: deps.log, reports: deps.reports }), createEncodedInputCheck()],
    },
    shutdownGraceTime: Math.floor(deps.shutdownTimeoutMs / 2),
    shutdownForceTime: deps.shutdownTimeoutMs,
  };
  const decisions = await Worker.create({
    ...shared,
    taskQueue: deps.queues.decisions,
    // A burst on one account waits for that account's turn inside the activity: the slots are for the others.
    maxConcurrentLocalActivityExecutions: 200,
    maxConcurrentWorkflowTaskExecutions: 200,
    maxConcurrentActivityTaskExecutions: 20,
    workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 10 },
    activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
    // New workflows come by the shared queue, known ones by the sticky queue; here about half of the tasks are new.
    nonStickyToStickyPollRatio: 0.5,
    maxCachedWorkflows: 200,
  });
  const background = await Worker.create({
    ...shared,
    taskQueue: deps.queues.background,
    maxConcurrentLocalActivityExecutions: 20,
    maxConcurrentWorkflowTaskExecutions: 20,
    maxConcurrentActivityTaskExecutions: 20,
    workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 4 },
    activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 4 },
    maxCachedWorkflows: 50,
  });
  return [decisions, background];
}

/** Runs the workers until they were shut down. When one fails the others are stopped too. @throws what made it fail */
export async function runWorkers(workers: readonly Worker[], signal: AbortSignal): Promise<void> {
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', stop, { once: true });
  const running = workers.map((worker) => worker.run());
  if (signal.aborted) stop();
  try {
    await Promise.all(running);
  } finally {
    stop();
    signal.removeEventListener('abort', stop);
    await Promise.allSettled(running);
  }
}

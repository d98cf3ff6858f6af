import type { Client } from '@temporalio/client';

const WORKFLOW_TASKS = 1;
/** A poll lasts a minute; a worker that was killed is still listed until its last one would have ended. */
const POLLER_FRESH_MS = 75_000;

/** Identities of the workers that polled this task queue lately, each once. @throws when Temporal does not answer */
export async function pollersOf({ workflowService, options }: Client, queue: string): Promise<string[]> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace: options.namespace,
    taskQueue: { name: queue },
    taskQueueType: WORKFLOW_TASKS,
  });
  const oldest = Date.now() - POLLER_FRESH_MS;
  const fresh = (pollers ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > oldest);
  return [...new Set(fresh.flatMap(({ identity }) => identity || []))];
}

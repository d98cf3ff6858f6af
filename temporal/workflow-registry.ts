import { WorkflowNotFoundError } from '@temporalio/client';
import { type SearchAttributePair, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { TaskQueues } from '../workflows/contract.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';
import type { TemporalClient } from './connection.ts';

export interface Restart {
  workflowType: string;
  workflowId: string;
  queue: keyof TaskQueues;
  input: unknown;
  summary: string;
  userTag: string;
  status: string;
}

/** Statuses of a workflow whose code can still run. */
const ALIVE = new Set(['RUNNING', 'PAUSED']);

/** Which workflows run, and starting one again under its id. */
export function createWorkflowRegistry({
  temporal,
  queues,
}: {
  temporal: Pick<TemporalClient, 'client'>;
  queues: TaskQueues;
}) {
  const { workflow } = temporal.client;

  return {
    /** Ids of the running workflows of a type. The list may lag some seconds behind; {@link endOf} does not. */
    async runningIds(workflowType: string, queue: Restart['queue']): Promise<Set<string>> {
      const query = `WorkflowType = '${workflowType}' AND TaskQueue = '${queues[queue]}' AND ExecutionStatus = 'Running'`;
      const ids = new Set<string>();
      for await (const { workflowId } of workflow.list({ query, pageSize: 1000 })) ids.add(workflowId);
      return ids;
    },

    /** How the latest run of a workflow ended, `NOT_FOUND` where the server knows none, null while it runs. */
    async endOf(workflowId: string): Promise<string | null> {
      try {
        const { status } = await workflow.getHandle(workflowId).describe();
        return ALIVE.has(status.name) ? null : status.name;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
        throw error;
      }
    },

    /** Starts a run under an id whose earlier runs have ended. @returns false when one runs already */
    async start(restart: Restart): Promise<boolean> {
      const attributes: SearchAttributePair[] = [
        { key: searchAttributes.user, value: restart.userTag },
        { key: searchAttributes.status, value: restart.status },
      ];
      try {
        await workflow.start(restart.workflowType, {
          workflowId: restart.workflowId,
          taskQueue: queues[restart.queue],
          args: [restart.input],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
          staticSummary: restart.summary,
          typedSearchAttributes: attributes,
        });
        return true;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
        throw error;
      }
    },
  };
}

export type WorkflowRegistry = ReturnType<typeof createWorkflowRegistry>;

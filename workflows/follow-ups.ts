import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { getExternalWorkflowHandle, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { type FollowUps, type IncidentInput, incidentChanged, type TaskQueues, workflowIds } from './contract.ts';
import { searchAttributes } from './search-attributes.ts';

/**
 * Starts the workflow of each incident that an activity opened, and tells those that run already that their row changed.
 * They outlive the caller. Letters need nothing here: the outbox dispatcher sends them within a second; one that must
 * be written before an answer is delivered with `decide.deliverMail`.
 *
 * @param userTag of the person concerned, for the search attribute
 */
export async function startFollowUps(
  followUps: Pick<FollowUps, 'incidents'>,
  { queues, userTag }: { queues: TaskQueues; userTag: string },
): Promise<void> {
  for (const { incidentId, severity } of followUps.incidents) {
    const workflowId = workflowIds.incident(incidentId);
    const input: IncidentInput = { incidentId, severity, userTag };
    try {
      await startChild('incident', {
        workflowId,
        taskQueue: queues.background,
        args: [input],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        staticSummary: 'Incident',
        typedSearchAttributes: [
          { key: searchAttributes.user, value: userTag },
          { key: searchAttributes.status, value: 'open' },
          { key: searchAttributes.severity, value: severity },
        ],
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await tell(workflowId);
    }
  }
}

async function tell(workflowId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(incidentChanged);
  } catch {
    // It ended meanwhile: then it has seen its row resolved.
  }
}

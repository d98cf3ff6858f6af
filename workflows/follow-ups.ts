import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { getExternalWorkflowHandle, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { RECOVERY_LINK_TTL_MS } from '../domain/restriction.ts';
import {
  type FollowUps,
  type IncidentInput,
  incidentChanged,
  type RestrictionInput,
  type TaskQueues,
  workflowIds,
} from './contract.ts';
import { searchAttributes } from './search-attributes.ts';

/**
 * Starts the workflow of each restriction that an activity began and of each incident that it opened, and tells those that run already that their row changed.
 * They outlive the caller. Letters need nothing here: the outbox dispatcher sends them within a second; one that must
 * be written before an answer is delivered with `decide.deliverMail`.
 *
 * @param userTag of the person concerned, for the search attribute
 */
export async function startFollowUps(
  followUps: Pick<FollowUps, 'incidents' | 'restrictions'>,
  { queues, userTag }: { queues: TaskQueues; userTag: string },
): Promise<void> {
  for (const restrictionId of followUps.restrictions ?? []) await startRestriction(restrictionId, { queues, userTag });
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

async function startRestriction(
  restrictionId: string,
  { queues, userTag }: { queues: TaskQueues; userTag: string },
): Promise<void> {
  const input: RestrictionInput = { restrictionId, linkTtlMs: RECOVERY_LINK_TTL_MS, userTag, queues };
  try {
    await startChild('restriction', {
      workflowId: workflowIds.restriction(restrictionId),
      taskQueue: queues.background,
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: 'Restriction',
      typedSearchAttributes: [
        { key: searchAttributes.user, value: userTag },
        { key: searchAttributes.status, value: 'restricted' },
      ],
    });
  } catch (error) {
    // The story that found it was reset, or `reconcile` was first.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function tell(workflowId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(incidentChanged);
  } catch {
    // It ended meanwhile: then it has seen its row resolved.
  }
}

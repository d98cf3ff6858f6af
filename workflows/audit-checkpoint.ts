import { allHandlersFinished, condition, proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { AuditCheckpointInput, AuditCheckpointResult } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';

/** A storage that is away for minutes is waited for; for longer, the next hour's run and the alert see to it. */
const { publishAuditCheckpoint } = proxyActivities<Pick<Activities, 'publishAuditCheckpoint'>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  retry: { initialInterval: '1 second', backoffCoefficient: 3, maximumInterval: '2 minutes' },
});

/** Publishes a checkpoint of the audit log: by the hourly schedule, or because an auditor asked for one. */
export async function auditCheckpoint({ trigger }: AuditCheckpointInput): Promise<AuditCheckpointResult> {
  const { incidents, ...result } = await publishAuditCheckpoint({ trigger });
  setCurrentDetails(
    result.status === 'refused' ? `REFUSED: ${result.reason}, ${result.name}` : `${result.status}: ${result.name}`,
  );
  const { taskQueue } = workflowInfo();
  await startFollowUps({ incidents }, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  await condition(allHandlersFinished);
  return result;
}

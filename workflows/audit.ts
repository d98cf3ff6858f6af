import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { AuditVerificationInput } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { background } from './options.ts';

/** Long, so it heartbeats: a worker that died is noticed in seconds, and the next attempt goes on where it was. */
const { verifyAuditLog } = proxyActivities<Pick<Activities, 'verifyAuditLog'>>({
  startToCloseTimeout: '24 hours',
  heartbeatTimeout: '20 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/**
 * One verification of the audit log: asked for by an auditor, whose row names it, or by the hourly schedule. The row
 * `audit_verification` holds progress and result.
 */
export async function auditVerification(input?: AuditVerificationInput): Promise<void> {
  const verificationId = input?.verificationId ?? uuid4();
  setCurrentDetails(`verification ${verificationId} runs`);
  try {
    const outcome = await verifyAuditLog(verificationId, input?.scope);
    setCurrentDetails(
      outcome.status === 'invalid'
        ? `NOT SOUND: ${outcome.reason}, first at entry ${outcome.firstInvalidSeq ?? 'unknown'}`
        : `${outcome.status}: ${outcome.checked} entries from ${outcome.from ?? 0} on`,
    );
    const { taskQueue } = workflowInfo();
    await startFollowUps(outcome, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => background.cancelAuditVerification(verificationId));
    }
    throw error;
  }
  await condition(allHandlersFinished);
}

import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { EvidenceInput } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { background } from './options.ts';

/** Minutes at most, so it heartbeats: a worker that died is noticed in seconds. A storage that is away is waited for. */
const { makeEvidence } = proxyActivities<Pick<Activities, 'makeEvidence'>>({
  startToCloseTimeout: '30 minutes',
  scheduleToCloseTimeout: '2 hours',
  heartbeatTimeout: '20 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/** One bundle of evidence of an incident. Its row `evidence_request` tells how it goes, and whatever becomes of it. */
export async function incidentEvidence({ bundleId }: EvidenceInput): Promise<void> {
  setCurrentDetails(`evidence ${bundleId} is gathered`);
  try {
    const { status, entries, incidents } = await makeEvidence(bundleId);
    setCurrentDetails(`${status}: ${entries} entries`);
    const { taskQueue } = workflowInfo();
    await startFollowUps({ incidents }, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  } catch (error) {
    // An attempt that failed while the cancellation was on its way is not repeated, and fails the activity instead.
    const end =
      isCancellation(error) || CancellationScope.current().consideredCancelled
        ? ({ status: 'cancelled' } as const)
        : ({ status: 'failed', reason: reasonOf(error) } as const);
    await CancellationScope.nonCancellable(() => background.endEvidence(bundleId, end));
    throw error;
  }
  await condition(allHandlersFinished);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const type = cause instanceof ApplicationFailure ? cause.type : undefined;
  return type ?? 'interrupted';
}

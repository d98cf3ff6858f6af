import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { ReconcileReport } from '../activities/reconcile.ts';

/** No retry: the next minute's run is the retry. */
const { restoreLostWorkflows } = proxyActivities<Activities>({
  startToCloseTimeout: '55 seconds',
  retry: { maximumAttempts: 1 },
});

/** Run every minute by a schedule: gives each row that lost its workflow one again. */
export async function reconcile(): Promise<ReconcileReport> {
  return restoreLostWorkflows();
}

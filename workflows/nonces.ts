import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { NonceMaintenanceReport } from '../activities/nonces.ts';
import { startFollowUps } from './follow-ups.ts';

/** A lock that is not got within two seconds is tried for again; the next run comes in five minutes all the same. */
const { maintainNonces } = proxyActivities<Activities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumAttempts: 6 },
});

/** Run every five minutes by a schedule: the partitions that nonces of signed requests go into. */
export async function nonceMaintenance(): Promise<NonceMaintenanceReport> {
  const report = await maintainNonces();
  const { taskQueue } = workflowInfo();
  await startFollowUps(report, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  return report;
}

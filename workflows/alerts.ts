import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { AlertReport } from '../activities/alerts.ts';
import type { Activities } from '../activities/index.ts';
import { startFollowUps } from './follow-ups.ts';

/** No long retry: the next minute's run looks again. */
const { evaluateAlerts } = proxyActivities<Activities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/** Run every minute by a schedule: what is not well with the system itself becomes an incident. */
export async function alerts(): Promise<AlertReport> {
  const report = await evaluateAlerts();
  const { taskQueue } = workflowInfo();
  await startFollowUps(report, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  return report;
}

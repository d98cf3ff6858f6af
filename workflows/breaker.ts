import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { BreakerReport } from '../activities/breaker.ts';
import type { Activities } from '../activities/index.ts';
import { startFollowUps } from './follow-ups.ts';

/** No long retry: the next minute's run looks again. */
const { evaluateBreaker } = proxyActivities<Activities>({
  startToCloseTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumAttempts: 3 },
});

/** Run every minute by a schedule: a rule set that holds far more than expected stops deciding. */
export async function breaker(): Promise<BreakerReport> {
  const report = await evaluateBreaker();
  const { taskQueue } = workflowInfo();
  await startFollowUps(report, { queues: { decisions: taskQueue, background: taskQueue }, userTag: 'system' });
  return report;
}

import {
  ActivityCancellationType,
  CancellationScope,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { BacktestOutcome } from '../activities/backtest.ts';
import type { Activities } from '../activities/index.ts';
import type { BacktestInput } from './contract.ts';
import { background } from './options.ts';

/** Long, so it heartbeats: a worker that died is noticed in seconds, and the next attempt begins anew. */
const { performBacktest } = proxyActivities<Pick<Activities, 'performBacktest'>>({
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '20 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 20 },
});

/** One back-test of a rule set. The row `backtest_report` holds progress and result. */
export async function backtest({ backtestId }: BacktestInput): Promise<BacktestOutcome> {
  setCurrentDetails(`back-test ${backtestId} runs`);
  try {
    const outcome = await performBacktest(backtestId);
    setCurrentDetails(`${outcome.status}: ${outcome.rows} rows`);
    return outcome;
  } catch (error) {
    const end = isCancellation(error)
      ? ({ status: 'cancelled' } as const)
      : ({ status: 'failed', reason: 'could_not_run' } as const);
    await CancellationScope.nonCancellable(() => background.endBacktest(backtestId, end));
    setCurrentDetails(end.status);
    if (end.status === 'cancelled') return { status: 'cancelled', rows: 0 };
    throw error;
  }
}

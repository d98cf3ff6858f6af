import { ApplicationFailure, Context } from '@temporalio/activity';
import {
  type BacktestEnd,
  type BacktestStatus,
  beginBacktest,
  finishBacktest,
  recordBacktestProgress,
  type StoredBacktest,
} from '../db/backtests.ts';
import { iso, type Tx } from '../db/sql.ts';
import type { ActivityDeps } from './deps.ts';

/** How often the row shows progress; heartbeats are sent every page, the SDK throttles them. */
const PROGRESS_EVERY_MS = 1_000;

/** Why a run stops whose row has become final. */
const GIVEN_UP = new Error('the back-test was cancelled');

export interface BacktestOutcome {
  status: Exclude<BacktestStatus, 'requested' | 'running'>;
  rows: number;
}

/** A back-test as a long activity: it tells its progress, begins anew after a crash, and can be cancelled. */
export function createBacktestActivities({ db, audit, backtests, log }: ActivityDeps) {
  /** Ends the row, once, with its trace. */
  async function finish(tx: Tx, id: string, end: BacktestEnd): Promise<StoredBacktest | undefined> {
    const ended = await finishBacktest(tx, id, end);
    if (ended === undefined) return undefined;
    await audit.append(tx, {
      action: 'backtest.finished',
      actor: ended.made_by === null ? { kind: 'system' } : { kind: 'user', id: ended.made_by },
      subject: { kind: 'backtest', id },
      outcome: end.status === 'succeeded' ? 'success' : 'failure',
      workflowId: `backtest:${id}`,
      details: {
        version: ended.version,
        sha256: ended.sha256,
        from: iso(ended.period_from),
        to: iso(ended.period_to),
        status: end.status,
        ...(end.status === 'succeeded' ? { rows: end.result.rows, held: end.result.held } : {}),
        ...(end.status === 'failed' ? { reason: end.reason } : {}),
      },
    });
    return ended;
  }

  return {
    /** Judges the period and stores the report. */
    async performBacktest(id: string): Promise<BacktestOutcome> {
      const context = Context.current();
      const stored = await beginBacktest(db.fork(), id);
      // A retry after the report was committed, or a row that was given up before it began.
      if (stored === undefined) return { status: 'cancelled', rows: 0 };
      // Cancelled by its row, which is seen at the next progress; a cancelled workflow is told with a heartbeat.
      const givenUp = new AbortController();
      let shownAt = 0;
      try {
        const result = await backtests.run(
          { version: stored.version, from: iso(stored.period_from), to: iso(stored.period_to) },
          {
            signal: AbortSignal.any([context.cancellationSignal, givenUp.signal]),
            async onProgress({ done, total }) {
              context.heartbeat(done);
              if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
              shownAt = performance.now();
              if (!(await recordBacktestProgress(db.fork(), id, { done, total }))) givenUp.abort(GIVEN_UP);
            },
          },
        );
        await db.transaction((tx) => finish(tx, id, { status: 'succeeded', result }));
        return { status: 'succeeded', rows: result.rows };
      } catch (error) {
        context.cancellationSignal.throwIfAborted();
        if (error === GIVEN_UP) return { status: 'cancelled', rows: 0 };
        if ((error as Error).name !== 'RuleSetError') throw error;
        log.error({ err: error, version: stored.version }, 'a back-test could not compile its rule set');
        throw ApplicationFailure.nonRetryable('the rule set cannot be compiled', 'RuleSetError');
      }
    },

    /** Ends the row of one that was cancelled or that failed for good. */
    endBacktest: async (id: string, end: Exclude<BacktestEnd, { status: 'succeeded' }>): Promise<void> => {
      await db.transaction((tx) => finish(tx, id, end));
    },
  };
}

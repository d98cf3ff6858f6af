import { setImmediate } from 'node:timers/promises';
import { countRecorded, type RecordedPosition, recordedPage } from '../db/backtests.ts';
import type { Database } from '../db/orm.ts';
import { activeVersions, readDocument } from '../db/rule-sets.ts';
import { currencyExponent } from '../domain/money.ts';
import { type BacktestResult, createBacktestTally } from '../domain/risk/backtest-tally.ts';
import { LABEL_DELAY_DAYS } from '../domain/risk/counterparty-state.ts';
import { createHistory } from '../domain/risk/history.ts';
import { compileRuleSet } from '../domain/risk/rule-engine.ts';
import { MICROS_PER_HOUR, microsFromMillis } from '../domain/time.ts';

/** What is asked of a back-test: a version over what was recorded in a period, from inclusive, to exclusive, RFC 3339. */
export interface BacktestRequest {
  readonly version: string;
  readonly from: string;
  readonly to: string;
}

/** How a running back-test is watched and stopped. */
export interface BacktestControl {
  /** Rows read so far, of all up to the period's end: the ones before it make the features. */
  readonly onProgress: (progress: { done: number; total: number }) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Judges recorded transactions by a version. A run that was interrupted begins anew: its state is in memory. */
export interface BacktestRunner {
  /** @throws RuleSetError when the version cannot be compiled, and what `signal` was aborted with */
  run(request: BacktestRequest, control: BacktestControl): Promise<BacktestResult>;
}

const PAGE_ROWS = 1_000;
/** Rows judged in one go: decisions of the same process wait no longer than these take. */
const ROWS_AT_ONCE = 25;

/**
 * Judges what the database has, a page at a time, no connection held in between. The features are those the decision had;
 * of decisions by earlier versions of the program, which stored others, they are folded anew by the code that live
 * decisions use (how the person had signed in is then not known). Imported accounts stay apart, as in decisions.
 */
export function createBacktestRunner({ db }: { db: Database }): BacktestRunner {
  return {
    async run({ version, from, to }, { onProgress, signal }) {
      const tx = db.fork();
      const { live } = await activeVersions(tx);
      const tally = createBacktestTally(
        compileRuleSet(await readDocument(tx, version), version),
        compileRuleSet(await readDocument(tx, live), live),
      );
      const histories = { live: createHistory(), imported: createHistory() };
      const begin = microsFromMillis(Date.parse(from));
      const end = microsFromMillis(Date.parse(to));
      const total = await countRecorded(tx, to);
      let done = 0;
      let after: RecordedPosition | null = null;
      do {
        signal.throwIfAborted();
        const page = await recordedPage(
          db.fork(),
          { after, to, limit: PAGE_ROWS, labelDelayDays: LABEL_DELAY_DAYS },
          currencyExponent,
        );
        for (const [n, { history, imported, features, isJudged, judged }] of page.decisions.entries()) {
          if (n % ROWS_AT_ONCE === 0) await setImmediate();
          const folded = histories[imported ? 'imported' : 'live'].observe(history);
          if (isJudged && history.at >= begin) tally.add({ at: history.at, features: features ?? folded, ...judged });
        }
        done += page.decisions.length;
        after = page.next;
        await onProgress({ done, total: Math.max(done, total) });
      } while (after !== null);
      return tally.result(Math.max(1, Math.ceil((end - begin) / MICROS_PER_HOUR)));
    },
  };
}

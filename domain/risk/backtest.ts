import { formatAmount } from '../money.ts';
import { type Micros, microsToMillis } from '../time.ts';
import { BACKTEST_FORMAT, type BacktestResult, type ExampleDecision, type TimeRange } from './backtest-result.ts';
import { explainReason } from './explanation.ts';
import type { TransactionFeatures } from './features.ts';
import { createHistory, type HistoryRow } from './history.ts';
import type { RuleEngine } from './rule-engine.ts';
import { createRuleSetTally, type Judgement, type KnownOutcome } from './rule-set-tally.ts';
import { decideTransaction } from './transaction-decision.ts';

/** One recorded transaction, with what the evaluation knows of it and the features do not. */
export interface BacktestRow {
  readonly id: string;
  readonly outcome: KnownOutcome;
  /** Kind of the fraud where the data says it. */
  readonly scenario: string | null;
  /** What the features see. Its `fraudKnownAt` is when they may learn of it. */
  readonly transaction: HistoryRow;
}

/** Times from `from` on and before `to`; null leaves an end open. */
export interface Window {
  readonly from: Micros | null;
  readonly to: Micros | null;
}

export interface BacktestOptions {
  readonly engines: readonly RuleEngine[];
  /** Decisions are compared with its. */
  readonly base: RuleEngine;
  /** Rows before it are folded and not counted. */
  readonly period: Window;
  /** Rows of the period whose outcome counts in the quality. */
  readonly test: Window;
  /** Hundredths above which a transaction counts as held, for all rule sets; null: each rule set's own. */
  readonly reviewAbove: number | null;
  /** Above it a transaction needs a factor whatever its score. */
  readonly stepUpAmountMinor: bigint;
  readonly currency: string;
  readonly exponent: number;
  /** Among how many the alerts are shared out. */
  readonly reviewers: number;
}

/**
 * Judges recorded transactions with several rule sets at once: every row is folded once, by the code that live decisions
 * use, and each rule set reads the same features.
 */
export function createBacktest(options: BacktestOptions) {
  const history = createHistory();
  const bench = options.engines.map((engine) => {
    const reviewAbove = options.reviewAbove ?? engine.thresholds.reviewAbove;
    return { judge: createJudge(engine, options), tally: createRuleSetTally(engine, { ...options, reviewAbove }) };
  });
  const baseIndex = options.engines.indexOf(options.base);
  const baseJudge = baseIndex < 0 ? createJudge(options.base, options) : undefined;
  const judged: Judgement[] = [];
  let read = 0;
  const counted = { period: 0, tested: 0, frauds: 0 };
  const time = { period: createSpan(), test: createSpan() };

  function explain(
    row: BacktestRow,
    features: TransactionFeatures,
    own: Judgement,
    base: Judgement,
    engine: RuleEngine,
  ) {
    return exampleOf(options, row, features, { engine, judged: own }, { engine: options.base, judged: base });
  }

  return {
    /**
     * Judges the next row.
     * @param scores gets each rule set's score in hundredths, in the order of the engines
     * @throws RangeError when the row is older than its account's latest one
     */
    observe(row: BacktestRow, scores?: Float64Array): void {
      const { transaction } = row;
      read += 1;
      const features = history.observe(transaction);
      const isCounted = isWithin(options.period, transaction.at);
      if (!isCounted && scores === undefined) return;
      for (let index = 0; index < bench.length; index += 1) {
        const one = (bench[index] as (typeof bench)[number]).judge(features, transaction.amountMinor);
        judged[index] = one;
        if (scores !== undefined) scores[index] = one.score;
      }
      if (!isCounted) return;
      const isTested = isWithin(options.test, transaction.at);
      counted.period += 1;
      time.period.add(transaction.at);
      if (isTested) {
        time.test.add(transaction.at);
        if (row.outcome !== 'unknown') counted.tested += 1;
        if (row.outcome === 'fraud') counted.frauds += 1;
      }
      const { at, amountMinor } = transaction;
      const tallied = { at, amountMinor, outcome: row.outcome, scenario: row.scenario, isTested };
      const base = baseJudge?.(features, amountMinor) ?? (judged[baseIndex] as Judgement);
      for (let index = 0; index < bench.length; index += 1) {
        const { judge, tally } = bench[index] as (typeof bench)[number];
        const own = judged[index] as Judgement;
        tally.count(tallied, own, judge.points, base, () => explain(row, features, own, base, judge.engine));
      }
    },

    /** What was found so far. */
    result(complete: boolean): BacktestResult {
      return {
        format: BACKTEST_FORMAT,
        complete,
        currency: options.currency,
        rows: { read, ...counted, ...history.size },
        period: time.period.range(),
        test: time.test.range(),
        base: options.base.version,
        reviewers: options.reviewers,
        ruleSets: bench.map(({ tally }) => tally.result({ period: time.period.ends(), test: time.test.ends() })),
      };
    },
  };
}

export type Backtest = ReturnType<typeof createBacktest>;

/** What a back-test tells while it runs. */
export interface BacktestListener {
  /** After every page. @param at time of its last row */
  readonly onPage?: (rows: number, at: Micros) => void;
  /** The scores of one row, in the order of the engines, before the next one is judged. */
  readonly onScores?: (id: string, scores: Float64Array) => Promise<void> | void;
}

/**
 * Runs rows through a back-test, until their end or until the signal stops it between two pages.
 * @param pages rows in time order, some thousand a page
 */
export async function runBacktest(
  pages: AsyncIterable<readonly BacktestRow[]>,
  options: BacktestOptions,
  { signal, onPage, onScores }: BacktestListener & { readonly signal: { readonly aborted: boolean } },
): Promise<BacktestResult> {
  const backtest = createBacktest(options);
  const scores = onScores === undefined ? undefined : new Float64Array(options.engines.length);
  for await (const page of pages) {
    if (signal.aborted) return backtest.result(false);
    for (const row of page) {
      backtest.observe(row, scores);
      if (scores !== undefined) {
        const written = onScores?.(row.id, scores);
        if (written !== undefined) await written;
      }
    }
    const last = page.at(-1);
    if (last !== undefined) onPage?.(page.length, last.transaction.at);
  }
  return backtest.result(!signal.aborted);
}

function createJudge(engine: RuleEngine, { reviewAbove, stepUpAmountMinor }: BacktestOptions) {
  const points = new Float64Array(engine.document.rules.length);
  const thresholds = reviewAbove === null ? engine.thresholds : { ...engine.thresholds, reviewAbove };
  const judge = (features: TransactionFeatures, amountMinor: bigint): Judgement => {
    const found = engine.points(features, points);
    // A rule that failed counts nothing, and asks for a factor.
    const score = found ?? engine.assess(features).score;
    const hasError = hasFailed(points);
    const { action } = decideTransaction({ score, hasError }, amountMinor, stepUpAmountMinor, thresholds);
    return { score, hasError, action };
  };
  return Object.assign(judge, { engine, points });
}

/** A loop: this runs for every row and rule. */
function hasFailed(points: Float64Array): boolean {
  for (let index = 0; index < points.length; index += 1) if (Number.isNaN(points[index])) return true;
  return false;
}

function isWithin({ from, to }: Window, at: Micros): boolean {
  return (from === null || at >= from) && (to === null || at < to);
}

function createSpan() {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  return {
    add(at: Micros): void {
      first = Math.min(first, at);
      last = Math.max(last, at);
    },
    ends: () => (first > last ? null : { first, last }),
    range: (): TimeRange | null => (first > last ? null : { from: timeOf(first), to: timeOf(last) }),
  };
}

function timeOf(at: Micros): string {
  return new Date(microsToMillis(at)).toISOString();
}

interface Judged {
  readonly engine: RuleEngine;
  readonly judged: Judgement;
}

function exampleOf(
  { currency, exponent }: BacktestOptions,
  { id, outcome, scenario, transaction }: BacktestRow,
  features: TransactionFeatures,
  own: Judged,
  base: Judged,
): ExampleDecision {
  const reasons = (engine: RuleEngine) =>
    engine
      .assess(features)
      .reasons.filter(({ points, note }) => points !== 0 || note === 'error')
      .map((reason) => explainReason(reason, currency));
  return {
    id,
    at: timeOf(transaction.at),
    account: transaction.account,
    counterparty: transaction.counterparty ?? '',
    amount: formatAmount(transaction.amountMinor, exponent),
    label: outcome,
    scenario,
    score: own.judged.score,
    action: own.judged.action,
    reasons: reasons(own.engine),
    baseScore: base.judged.score,
    baseAction: base.judged.action,
    baseReasons: reasons(base.engine),
  };
}

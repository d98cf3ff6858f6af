import type { RateSummary } from './rate-counts.ts';
import type { ScoreCounts, ThresholdQuality } from './score-quality.ts';
import type { TransactionAction } from './transaction-decision.ts';

/**
 * What a back-test found: plain JSON, documented in docs/backtest.md. A change that takes something away or gives it
 * another meaning is another number behind the slash. Times are RFC 3339 UTC; money is a decimal string in the base
 * currency; shares and ratios are 0 to 1; scores and points are hundredths.
 */
export const BACKTEST_FORMAT = 'tradeguard-backtest/1';

export interface BacktestResult {
  readonly format: typeof BACKTEST_FORMAT;
  /** False when it was stopped before the end of the data: everything below is of what was read until then. */
  readonly complete: boolean;
  readonly currency: string;
  readonly rows: {
    /** Everything read, the rows before the period included: they warm the features up. */
    readonly read: number;
    /** Rows of the period, which the counts are of. */
    readonly period: number;
    /** Rows of the test window whose label is known, which the quality is of. */
    readonly tested: number;
    readonly frauds: number;
    readonly accounts: number;
    readonly counterparties: number;
  };
  /** First and last counted row; null without one. */
  readonly period: TimeRange | null;
  /** First and last row of the test window. */
  readonly test: TimeRange | null;
  /** Version that decisions are compared with. */
  readonly base: string;
  readonly reviewers: number;
  readonly ruleSets: readonly RuleSetResult[];
}

export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

export interface RuleSetResult {
  readonly version: string;
  readonly title: string;
  readonly thresholds: {
    readonly factorAbove: number;
    /** Above it a transaction counts as held; the rule set's own, or what was asked for. */
    readonly reviewAbove: number;
    readonly escalateAbove: number;
  };
  readonly decisions: {
    readonly settled: Share;
    /** Asked for a factor and not held. */
    readonly stepUp: Share;
    /** Held, at once or after a step-up. */
    readonly held: Share & { readonly value: string };
    readonly byAction: Readonly<Record<TransactionAction, number>>;
    /** A rule could not be computed. */
    readonly errors: number;
  };
  readonly againstBase: {
    readonly newlyHeld: Change;
    readonly newlyReleased: Change;
  };
  readonly rules: readonly RuleFirings[];
  readonly quality: RuleSetQuality;
  readonly alerts: AlertLoad;
  /** How many holds an hour are to be expected: what a breaker compares the live rate with. */
  readonly forecast: { readonly heldPerHour: RateSummary };
  readonly examples: {
    readonly newlyHeld: readonly ExampleDecision[];
    readonly newlyReleased: readonly ExampleDecision[];
    readonly missedFraud: readonly ExampleDecision[];
  };
}

export interface Share {
  readonly count: number;
  readonly share: number;
}

export interface Change {
  readonly count: number;
  readonly value: string;
  /** Those of them that are confirmed frauds, whatever the test window. */
  readonly frauds: number;
}

export interface RuleFirings {
  readonly id: string;
  readonly title: string;
  /** Rows to which the rule gave points. */
  readonly fired: number;
  readonly share: number;
  /** Those of them that are confirmed frauds. */
  readonly frauds: number;
  readonly errors: number;
  /** `[points, rows]`, ascending by points; rows without points are left out. */
  readonly points: ReadonlyArray<readonly [points: number, rows: number]>;
}

export interface RuleSetQuality {
  readonly averagePrecision: number | null;
  readonly auc: number | null;
  /** At the thresholds of the rule set. */
  readonly thresholds: ReadonlyArray<ThresholdQuality & { readonly name: string }>;
  /** Every 0.05. */
  readonly sweep: ReadonlyArray<ThresholdQuality & { readonly alertsPerDay: number }>;
  /** Rows of the test window by the `scenario` of the data; empty where it has none. */
  readonly scenarios: readonly ScenarioQuality[];
  readonly scores: ScoreCounts;
}

export interface ScenarioQuality {
  readonly scenario: string;
  readonly rows: number;
  readonly frauds: number;
  /** Frauds that were held. */
  readonly heldFrauds: number;
  readonly recall: number | null;
}

export interface AlertLoad {
  readonly perDay: RateSummary;
  readonly perReviewer: { readonly mean: number; readonly p50: number; readonly p95: number; readonly max: number };
  /** UTC days with holds; days without are left out. */
  readonly byDay: ReadonlyArray<readonly [day: string, held: number]>;
}

export interface ExampleDecision {
  readonly id: string;
  readonly at: string;
  readonly account: string;
  readonly counterparty: string;
  readonly amount: string;
  readonly label: 'fraud' | 'clean' | 'unknown';
  readonly scenario: string | null;
  readonly score: number;
  readonly action: TransactionAction;
  /** What fired, as reviewers read it. */
  readonly reasons: readonly string[];
  readonly baseScore: number;
  readonly baseAction: TransactionAction;
  readonly baseReasons: readonly string[];
}

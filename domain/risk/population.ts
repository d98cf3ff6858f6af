import type { TransactionType } from '../transaction.ts';
import { type AmountHistogram, bucketOf, countAmount, lowerBound } from './amount-histogram.ts';
import { LABEL_DELAY_DAYS } from './counterparty-state.ts';

/**
 * What is usual over all accounts, renewed once a UTC day from what is known by then. Decisions read it and never write
 * it, so it is no row that they would wait for.
 */
export interface PopulationState {
  readonly version: 1;
  /** Payments of days up to this one are in it. */
  readonly throughDay: number;
  /** Settled payments known to be clean, by type; three leading digits a bucket. */
  readonly clean: Readonly<Partial<Record<TransactionType, AmountHistogram>>>;
  /** Durations of ended runs of frauds: `[half days, count]`, ascending. */
  readonly runs: ReadonlyArray<readonly [halfDays: number, count: number]>;
}

export const POPULATION_DIGITS = 3;

/**
 * What is assumed of the duration of a compromise before any was seen to end: a month, counted as three observations, so
 * that the first short ones do not decide alone.
 */
export const ASSUMED_RUN_DAYS = 30;
const ASSUMED_RUNS = 3;

/** Before anything is known. */
export function emptyPopulation(): PopulationState {
  return { version: 1, throughDay: 0, clean: {}, runs: [] };
}

/** What one day adds. Amounts are those of settled payments that nobody reported within {@link LABEL_DELAY_DAYS} days. */
export interface PopulationDay {
  readonly day: number;
  readonly clean: Readonly<Partial<Record<TransactionType, AmountHistogram>>>;
  /** Durations in days of the runs whose end was seen on that day. */
  readonly endedRuns: readonly number[];
}

/** The population with one day more. */
export function foldDay(state: PopulationState, added: PopulationDay): PopulationState {
  const clean: Partial<Record<TransactionType, AmountHistogram>> = { ...state.clean };
  for (const [type, histogram] of Object.entries(added.clean) as [TransactionType, AmountHistogram][]) {
    clean[type] = merge(clean[type] ?? [], histogram);
  }
  let runs: AmountHistogram = state.runs;
  for (const days of added.endedRuns) {
    // Over before its first label was known: nothing could have been done about it, and it says nothing about the rest.
    if (days > LABEL_DELAY_DAYS) runs = countAmount(runs, Math.round(days * 2));
  }
  return { version: 1, throughDay: Math.max(state.throughDay, added.day), clean, runs };
}

/** The population as decisions ask it: by binary search in sums from the top. */
export interface Population {
  readonly throughDay: number;
  /** Days that a run of frauds lasts: the median of those that ended, and of what is assumed. */
  readonly typicalRunDays: number;
  /** Known clean payments of the type, and how many of them were at least as large as this amount (by bucket). */
  rank(type: TransactionType, amountMinor: bigint): { readonly clean: number; readonly atLeast: number };
}

/** Prepares a state for look-ups. */
export function preparePopulation(state: PopulationState): Population {
  const byType = new Map(
    (Object.entries(state.clean) as [TransactionType, AmountHistogram][]).map(([type, histogram]) => {
      const atLeast = new Array<number>(histogram.length);
      let sum = 0;
      for (let index = histogram.length - 1; index >= 0; index -= 1) {
        sum += histogram[index]?.[1] ?? 0;
        atLeast[index] = sum;
      }
      return [type, { histogram, atLeast, clean: sum }] as const;
    }),
  );
  return {
    throughDay: state.throughDay,
    typicalRunDays: typicalRunDays(state.runs),
    rank(type, amountMinor) {
      const found = byType.get(type);
      if (found === undefined || amountMinor <= 0n) return { clean: found?.clean ?? 0, atLeast: found?.clean ?? 0 };
      const index = lowerBound(found.histogram, bucketOf(amountMinor, POPULATION_DIGITS));
      return { clean: found.clean, atLeast: found.atLeast[index] ?? 0 };
    },
  };
}

function typicalRunDays(runs: PopulationState['runs']): number {
  const all = countAmount(runs, ASSUMED_RUN_DAYS * 2, ASSUMED_RUNS);
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [halfDays, count] of all) {
    seen += count;
    if (seen > total / 2) return halfDays / 2;
  }
  return ASSUMED_RUN_DAYS;
}

function merge(into: AmountHistogram, added: AmountHistogram): AmountHistogram {
  return added.reduce<AmountHistogram>((sum, [bucket, count]) => countAmount(sum, bucket, count), into);
}

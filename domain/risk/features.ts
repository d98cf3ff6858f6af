import { MICROS_PER_SECOND, type Micros, utcDay } from '../time.ts';
import type { TransactionType } from '../transaction.ts';

/**
 * What the transaction rules know about an account's past, kept as a small state that is folded forward one
 * transaction at a time. The live path stores it under the account's lock, a back-test keeps it in memory; both run
 * this code. Cost and size do not grow with history.
 *
 * Definitions:
 * - settled average: settled transactions of one type whose own time lies in the last 90 UTC days, the day of the
 *   transaction being judged included (daily buckets: day(t) - 90 < day <= day(t));
 * - velocity: recorded transactions, whatever became of them, with a time in (t - 3600 s, t], this one included;
 * - category count: all earlier recorded transactions, for life.
 */
export interface FeatureState {
  readonly version: 1;
  /** Time of the latest recorded transaction; 0 before the first. */
  readonly lastAt: Micros;
  /** Times inside the rolling hour, ascending, at most {@link MAX_RECENT}. */
  readonly recent: readonly Micros[];
  /** Settled amounts by type and UTC day, ascending by day. */
  readonly settled: Readonly<Partial<Record<TransactionType, readonly DayBucket[]>>>;
  readonly priorCount: number;
  /** Pairs, not an object: a category may be called `__proto__` or `constructor`. At most {@link MAX_CATEGORIES}. */
  readonly categories: ReadonlyArray<readonly [category: string, count: number]>;
}

/** One UTC day's settled transactions; the sum is minor units as a decimal string, since JSON has no bigint. */
export interface DayBucket {
  readonly day: number;
  readonly count: number;
  readonly sumMinor: string;
}

/** The part of a transaction the features depend on. `amountMinor` is in the base currency at the rate of its time. */
export interface FeatureTransaction {
  readonly at: Micros;
  readonly type: TransactionType;
  readonly amountMinor: bigint;
  readonly category: string;
}

/** What the rules judge; stored with the decision, so everything is JSON. */
export interface TransactionFeatures {
  readonly type: TransactionType;
  readonly amountMinor: string;
  readonly category: string;
  readonly settledCount: number;
  readonly settledSumMinor: string;
  readonly velocity: number;
  readonly priorCount: number;
  readonly priorInCategory: number;
}

export const AVERAGE_WINDOW_DAYS = 90;
export const VELOCITY_WINDOW: Micros = 3_600 * MICROS_PER_SECOND;

/** Beyond this many in an hour the count saturates; the newest are kept, so it saturates exactly. */
export const MAX_RECENT = 1_000;

/**
 * Beyond this many the rarest category is forgotten. Its share is then below 1/256, under every "unusual" threshold
 * we use, so forgetting it can only make it look as rare as it is.
 */
export const MAX_CATEGORIES = 256;

/** An account that has done nothing yet. */
export function emptyState(): FeatureState {
  return { version: 1, lastAt: 0, recent: [], settled: {}, priorCount: 0, categories: [] };
}

/** The time to give the next transaction: the database's clock, but always after the account's latest one. */
export function nextTime(state: FeatureState, clock: Micros): Micros {
  return Math.max(clock, state.lastAt + 1);
}

/**
 * The features of `tx` against the state before it, and the state that has seen it. The average learns only from
 * {@link applySettlement}. Throws RangeError when `tx` is older than the latest one: times are assigned in order
 * under the account's lock.
 */
export function fold(
  state: FeatureState,
  tx: FeatureTransaction,
): { readonly features: TransactionFeatures; readonly state: FeatureState } {
  if (!Number.isSafeInteger(tx.at) || tx.at < state.lastAt) {
    throw new RangeError(`transaction time ${tx.at} is not a whole number at or after ${state.lastAt}`);
  }
  const recent = [...state.recent.filter((at) => at > tx.at - VELOCITY_WINDOW), tx.at].slice(-MAX_RECENT);
  const average = settledTotal(state, tx.type, tx.at);
  const known = state.categories.find(([category]) => category === tx.category);
  const features: TransactionFeatures = {
    type: tx.type,
    amountMinor: tx.amountMinor.toString(),
    category: tx.category,
    settledCount: average.count,
    settledSumMinor: average.sum.toString(),
    velocity: recent.length,
    priorCount: state.priorCount,
    priorInCategory: known?.[1] ?? 0,
  };
  return {
    features,
    state: {
      version: 1,
      lastAt: tx.at,
      recent,
      settled: state.settled,
      priorCount: state.priorCount + 1,
      categories: countCategory(state.categories, tx.category),
    },
  };
}

/**
 * The state after `tx` settled, at once or later (a step-up passed, a hold approved). It is booked on the day of the
 * transaction's own time; buckets that left the window are dropped. Call exactly once a transaction, in the database
 * transaction that settles it.
 */
export function applySettlement(state: FeatureState, tx: Omit<FeatureTransaction, 'category'>): FeatureState {
  const oldest = utcDay(Math.max(state.lastAt, tx.at)) - AVERAGE_WINDOW_DAYS;
  const day = utcDay(tx.at);
  const buckets = (state.settled[tx.type] ?? []).filter((bucket) => bucket.day > oldest);
  const today = buckets.find((bucket) => bucket.day === day);
  const updated: DayBucket = {
    day,
    count: (today?.count ?? 0) + 1,
    sumMinor: (BigInt(today?.sumMinor ?? '0') + tx.amountMinor).toString(),
  };
  const others = buckets.filter((bucket) => bucket.day !== day);
  const next = day > oldest ? [...others, updated].toSorted((a, b) => a.day - b.day) : others;
  return { ...state, settled: { ...state.settled, [tx.type]: next } };
}

function settledTotal(state: FeatureState, type: TransactionType, at: Micros): { count: number; sum: bigint } {
  const last = utcDay(at);
  let count = 0;
  let sum = 0n;
  for (const bucket of state.settled[type] ?? []) {
    if (bucket.day <= last - AVERAGE_WINDOW_DAYS || bucket.day > last) continue;
    count += bucket.count;
    sum += BigInt(bucket.sumMinor);
  }
  return { count, sum };
}

function countCategory(categories: FeatureState['categories'], category: string): FeatureState['categories'] {
  const index = categories.findIndex(([name]) => name === category);
  if (index >= 0) return categories.with(index, [category, (categories[index]?.[1] ?? 0) + 1]);
  if (categories.length < MAX_CATEGORIES) return [...categories, [category, 1]];
  // On a tie the one seen first goes, so that the result does not depend on the name.
  const rarest = categories.reduce((least, entry) => (entry[1] < least[1] ? entry : least));
  return [...categories.filter((entry) => entry !== rarest), [category, 1]];
}

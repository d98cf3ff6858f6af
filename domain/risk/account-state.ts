import { MICROS_PER_DAY, MICROS_PER_SECOND, type Micros, utcDay } from '../time.ts';
import type { TransactionType } from '../transaction.ts';
import { type AmountHistogram, bucketOf, countAmount } from './amount-histogram.ts';

/**
 * What is known of an account's past, as a small state that is folded forward one transaction at a time. The live path
 * stores it under the account's lock, a back-test keeps it in memory; both run this code. Cost and size do not grow with
 * history.
 *
 * Windows of days are UTC days, the present one included; the rolling hour and 24 hours keep their times.
 */
export interface AccountState {
  readonly version: 2;
  /** Time of the latest recorded transaction; 0 before the first. */
  readonly lastAt: Micros;
  /** Times inside the rolling hour, ascending, at most {@link MAX_RECENT}. */
  readonly recent: readonly Micros[];
  /** Transactions of the rolling 24 hours that nobody was asked to confirm, ascending, at most {@link MAX_LATELY}. */
  readonly lately: readonly LatePayment[];
  readonly types: Readonly<Partial<Record<TransactionType, TypeHistory>>>;
  readonly priorCount: number;
  /** Pairs, not an object: a category may be called `__proto__` or `constructor`. At most {@link MAX_CATEGORIES}. */
  readonly categories: Counted;
  /** Counterparties paid, at most {@link MAX_PAYEES}, the one paid longest ago first. */
  readonly payees: Counted;
  /** Ascending, the last {@link MARKED_DAYS} days on which something of note happened. */
  readonly marks: readonly MarkedDay[];
  /** Time of the latest withdrawal or transfer; 0 before the first. */
  readonly lastOutAt: Micros;
}

type Counted = ReadonlyArray<readonly [name: string, count: number]>;

/** Where it went (see `destinationOf`), and what it was, in minor units of the base currency. */
export interface LatePayment {
  readonly at: Micros;
  readonly to: string;
  readonly minor: string;
}

/** What settled of one type. Sums are minor units of the base currency as decimal strings, since JSON has no bigint. */
export interface TypeHistory {
  /** By UTC day, ascending, the last {@link AVERAGE_WINDOW_DAYS} days. */
  readonly buckets: readonly DayBucket[];
  /** Totals of the buckets. */
  readonly count: number;
  readonly sumMinor: string;
  /** Totals for life. */
  readonly lifeCount: number;
  readonly lifeSumMinor: string;
  /** Amounts for life, two leading digits a bucket. */
  readonly amounts: AmountHistogram;
}

/** One UTC day's settled transactions. */
export interface DayBucket {
  readonly day: number;
  readonly count: number;
  readonly sumMinor: string;
}

export interface MarkedDay {
  readonly day: number;
  /** Transactions far above the account's own mean (see `isOwnAnomaly`). */
  readonly large: number;
  /** Confirmed frauds among the day's transactions. */
  readonly frauds: number;
  /** Those of them that the account's own behaviour explains. */
  readonly own: number;
}

export const AVERAGE_WINDOW_DAYS = 90;
export const VELOCITY_WINDOW: Micros = 3_600 * MICROS_PER_SECOND;
/** Payments within this time to one destination count as their sum. */
export const SPLIT_WINDOW: Micros = MICROS_PER_DAY;

/** Beyond this many in an hour the count saturates; the newest are kept, so it saturates exactly. */
export const MAX_RECENT = 1_000;
/** Beyond this many unconfirmed payments in 24 hours the oldest are forgotten; velocity has long fired by then. */
export const MAX_LATELY = 200;
/**
 * Beyond this many the rarest category is forgotten. Its share is then below 1/256, under every "unusual" threshold
 * we use, so forgetting it can only make it look as rare as it is.
 */
export const MAX_CATEGORIES = 256;
/** Beyond this many the counterparty paid longest ago is forgotten and counts as new again. */
export const MAX_PAYEES = 256;
/** Leading digits of the amounts' buckets. */
export const ACCOUNT_DIGITS = 2;
/** 30 days, the days until labels are known, and a margin for late ones. */
export const MARKED_DAYS = 60;

/** An account that has done nothing yet. */
export function emptyAccount(): AccountState {
  return {
    version: 2,
    lastAt: 0,
    recent: [],
    lately: [],
    types: {},
    priorCount: 0,
    categories: [],
    payees: [],
    marks: [],
    lastOutAt: 0,
  };
}

/** The time to give the next transaction: the database's clock, but always after the account's latest one. */
export function nextTime(state: Pick<AccountState, 'lastAt'>, clock: Micros): Micros {
  return Math.max(clock, state.lastAt + 1);
}

/** A type's history without the days that left the 90-day window as of `today`. */
export function historyOf(state: AccountState, type: TransactionType, today: number): TypeHistory {
  const history = state.types[type] ?? EMPTY_HISTORY;
  const oldest = today - AVERAGE_WINDOW_DAYS;
  if ((history.buckets[0]?.day ?? today) > oldest) return history;
  let { count } = history;
  let sum = BigInt(history.sumMinor);
  for (const bucket of history.buckets) {
    if (bucket.day > oldest) break;
    count -= bucket.count;
    sum -= BigInt(bucket.sumMinor);
  }
  const buckets = history.buckets.filter(({ day }) => day > oldest);
  return { ...history, buckets, count, sumMinor: sum.toString() };
}

/** Sums of the marks on days after `since`. */
export function marksAfter(state: AccountState, since: number): Omit<MarkedDay, 'day'> {
  let large = 0;
  let frauds = 0;
  let own = 0;
  for (let index = state.marks.length - 1; index >= 0; index -= 1) {
    const mark = state.marks[index];
    if (mark === undefined || mark.day <= since) break;
    large += mark.large;
    frauds += mark.frauds;
    own += mark.own;
  }
  return { large, frauds, own };
}

/** What of a transaction the account's state keeps. */
export interface AccountEvent {
  readonly at: Micros;
  readonly type: TransactionType;
  readonly amountMinor: bigint;
  readonly category: string;
  readonly counterparty: string | null;
  readonly isLarge: boolean;
}

/** The state that has seen the transaction. Averages learn only from {@link settleOnAccount}. */
export function countOnAccount(state: AccountState, tx: AccountEvent, history: TypeHistory): AccountState {
  const today = utcDay(tx.at);
  const isOut = tx.type === 'withdrawal' || tx.type === 'transfer';
  return {
    version: 2,
    lastAt: tx.at,
    recent: [...state.recent.filter((at) => at > tx.at - VELOCITY_WINDOW), tx.at].slice(-MAX_RECENT),
    lately: state.lately.filter(({ at }) => at > tx.at - SPLIT_WINDOW),
    types: history === state.types[tx.type] ? state.types : { ...state.types, [tx.type]: history },
    priorCount: state.priorCount + 1,
    categories: countCategory(state.categories, tx.category),
    payees: tx.counterparty === null ? state.payees : countPayee(state.payees, tx.counterparty),
    marks: tx.isLarge ? mark(state.marks, today, today, { large: 1 }) : state.marks,
    lastOutAt: isOut ? tx.at : state.lastOutAt,
  };
}

/** Remembers a payment that went through, or into a hold, without its owner being asked: split orders show by their sum. */
export function rememberUnconfirmed(state: AccountState, payment: LatePayment): AccountState {
  return { ...state, lately: [...state.lately, payment].slice(-MAX_LATELY) };
}

/**
 * The state after a transaction settled, at once or later (a step-up passed, a hold approved). It is booked on the day
 * of the transaction's own time. Call exactly once a transaction, in the database transaction that settles it.
 */
export function settleOnAccount(
  state: AccountState,
  tx: Pick<AccountEvent, 'at' | 'type' | 'amountMinor'>,
): AccountState {
  const today = utcDay(Math.max(state.lastAt, tx.at));
  const day = utcDay(tx.at);
  const history = historyOf(state, tx.type, today);
  const isInWindow = day > today - AVERAGE_WINDOW_DAYS;
  const plus = (sum: string) => (BigInt(sum) + tx.amountMinor).toString();
  return {
    ...state,
    types: {
      ...state.types,
      [tx.type]: {
        buckets: isInWindow ? addToDay(history.buckets, day, tx.amountMinor) : history.buckets,
        count: history.count + (isInWindow ? 1 : 0),
        sumMinor: isInWindow ? plus(history.sumMinor) : history.sumMinor,
        lifeCount: history.lifeCount + 1,
        lifeSumMinor: plus(history.lifeSumMinor),
        amounts:
          tx.amountMinor > 0n
            ? countAmount(history.amounts, bucketOf(tx.amountMinor, ACCOUNT_DIGITS))
            : history.amounts,
      },
    },
  };
}

/** The state that knows of a confirmed fraud among its transactions of `paidOn` (`by` 1), or of its correction (-1). */
export function markFraud(
  state: AccountState,
  paidOn: number,
  today: number,
  explained: boolean,
  by: 1 | -1,
): AccountState {
  return { ...state, marks: mark(state.marks, paidOn, today, { frauds: by, own: explained ? by : 0 }) };
}

const EMPTY_HISTORY: TypeHistory = {
  buckets: [],
  count: 0,
  sumMinor: '0',
  lifeCount: 0,
  lifeSumMinor: '0',
  amounts: [],
};

function addToDay(buckets: readonly DayBucket[], day: number, amountMinor: bigint): readonly DayBucket[] {
  const index = buckets.findLastIndex((bucket) => bucket.day <= day);
  const found = buckets[index];
  if (found?.day !== day) {
    return buckets.toSpliced(index + 1, 0, { day, count: 1, sumMinor: amountMinor.toString() });
  }
  return buckets.with(index, {
    day,
    count: found.count + 1,
    sumMinor: (BigInt(found.sumMinor) + amountMinor).toString(),
  });
}

function mark(
  marks: readonly MarkedDay[],
  day: number,
  today: number,
  by: Partial<Omit<MarkedDay, 'day'>>,
): readonly MarkedDay[] {
  const oldest = today - MARKED_DAYS;
  if (day < oldest) return marks;
  const kept = (marks[0]?.day ?? oldest) < oldest ? marks.filter((entry) => entry.day >= oldest) : marks;
  const index = kept.findLastIndex((entry) => entry.day <= day);
  const found = kept[index]?.day === day ? kept[index] : undefined;
  const changed: MarkedDay = {
    day,
    large: Math.max(0, (found?.large ?? 0) + (by.large ?? 0)),
    frauds: Math.max(0, (found?.frauds ?? 0) + (by.frauds ?? 0)),
    own: Math.max(0, (found?.own ?? 0) + (by.own ?? 0)),
  };
  return found === undefined ? kept.toSpliced(index + 1, 0, changed) : kept.with(index, changed);
}

function countCategory(categories: Counted, category: string): Counted {
  const index = categories.findIndex(([name]) => name === category);
  if (index >= 0) return categories.with(index, [category, (categories[index]?.[1] ?? 0) + 1]);
  if (categories.length < MAX_CATEGORIES) return [...categories, [category, 1]];
  // On a tie the one seen first goes, so that the result does not depend on the name.
  const rarest = categories.reduce((least, entry) => (entry[1] < least[1] ? entry : least));
  return [...categories.filter((entry) => entry !== rarest), [category, 1]];
}

/** Moves the counterparty to the end: what stands first was paid longest ago. */
function countPayee(payees: Counted, counterparty: string): Counted {
  const index = payees.findLastIndex(([name]) => name === counterparty);
  if (index < 0) return [...payees, [counterparty, 1] as const].slice(-MAX_PAYEES);
  const count = (payees[index]?.[1] ?? 0) + 1;
  return [...payees.toSpliced(index, 1), [counterparty, count]];
}

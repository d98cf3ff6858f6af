import { DomainError } from './errors.ts';
import { formatAmount, parseAmount } from './money.ts';
import { MICROS_PER_DAY, MICROS_PER_HOUR, type Micros } from './time.ts';
import type { TransactionType } from './transaction.ts';

/** How far a customer is trusted with amounts; staff change it. */
export const TIERS = ['basic', 'standard', 'premium'] as const;
export type Tier = (typeof TIERS)[number];
export const DEFAULT_TIER: Tier = 'standard';

/** What is counted together: withdrawals and transfers, deposits, buys and sells. */
export const LIMIT_GROUPS = ['money_out', 'deposit', 'trade'] as const;
export type LimitGroup = (typeof LIMIT_GROUPS)[number];

export const LIMIT_WINDOWS = ['per_transaction', 'rolling_24h', 'rolling_30d'] as const;
export type LimitWindow = (typeof LIMIT_WINDOWS)[number];

/** The most that is let through, by group and window; null: no limit. */
export type GroupLimits<T> = Readonly<Record<LimitWindow, T | null>>;
export type LimitTable<T> = Readonly<Record<Tier, Readonly<Record<LimitGroup, GroupLimits<T>>>>>;

const limits = (per_transaction: string, rolling_24h: string, rolling_30d: string): GroupLimits<string> => ({
  per_transaction,
  rolling_24h,
  rolling_30d,
});

/** Where `LIMITS` says nothing else; whole units of the base currency. */
export const DEFAULT_LIMITS: LimitTable<string> = {
  basic: {
    money_out: limits('5000', '10000', '50000'),
    deposit: limits('10000', '20000', '100000'),
    trade: limits('25000', '50000', '500000'),
  },
  standard: {
    money_out: limits('1000000', '2000000', '10000000'),
    deposit: limits('1000000', '5000000', '20000000'),
    trade: limits('5000000', '20000000', '100000000'),
  },
  premium: {
    money_out: limits('10000000', '20000000', '100000000'),
    deposit: limits('10000000', '50000000', '200000000'),
    trade: limits('50000000', '200000000', '1000000000'),
  },
};

/** The limits in minor units. @throws DomainError `amount_invalid` that names the limit which is no amount above zero */
export function limitsInMinor(table: LimitTable<string>, exponent: number): LimitTable<bigint> {
  return mapLimits(table, (text, where) => {
    try {
      return parseAmount(text, exponent);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      throw new DomainError('amount_invalid', `${where}: ${error.detail}`);
    }
  });
}

/** True for a word that names a tier. */
export function isTier(word: string): word is Tier {
  return (TIERS as readonly string[]).includes(word);
}

/** Which limits a transaction is held against. */
export function limitGroupOf(type: TransactionType): LimitGroup {
  switch (type) {
    case 'withdrawal':
    case 'transfer':
      return 'money_out';
    case 'deposit':
      return 'deposit';
    case 'buy':
    case 'sell':
      return 'trade';
  }
}

/** Start of an hour or a day, counted in hours or days since the epoch, and what was moved in it: minor units, decimal digits. */
type Bucket = readonly [start: number, sumMinor: string];

/**
 * What an account moved lately, in the base currency: everything that settled or may still settle, each on the hour and
 * the day of its own time. Its size does not grow with history. Kept with the account's features, under its lock.
 */
export interface LimitUsage {
  readonly version: 1;
  readonly groups: Readonly<
    Partial<Record<LimitGroup, { readonly hours: readonly Bucket[]; readonly days: readonly Bucket[] }>>
  >;
}

/** Whole hours and days before the present one that a window reaches into; the oldest of them counts in full. */
const HOURS_BACK = 24;
const DAYS_BACK = 30;

export function emptyUsage(): LimitUsage {
  return { version: 1, groups: {} };
}

/**
 * The usage with `amount` more at `at`; less with a negative amount (what was rejected, or settled for less). What left the
 * windows of `now` is dropped, and no bucket goes below zero.
 */
export function addUsage(
  usage: LimitUsage,
  group: LimitGroup,
  { at, now, amount }: { readonly at: Micros; readonly now: Micros; readonly amount: bigint },
): LimitUsage {
  const { hours = [], days = [] } = usage.groups[group] ?? {};
  return {
    version: 1,
    groups: {
      ...usage.groups,
      [group]: {
        hours: added(hours, hourOf(at), amount, hourOf(now) - HOURS_BACK),
        days: added(days, dayOf(at), amount, dayOf(now) - DAYS_BACK),
      },
    },
  };
}

/** What was moved in the window that ends at `now`. */
export function usedWithin(
  usage: LimitUsage,
  group: LimitGroup,
  window: Exclude<LimitWindow, 'per_transaction'>,
  now: Micros,
): bigint {
  const { hours = [], days = [] } = usage.groups[group] ?? {};
  return window === 'rolling_24h' ? sumSince(hours, hourOf(now) - HOURS_BACK) : sumSince(days, dayOf(now) - DAYS_BACK);
}

/** A limit that stands in the way. Minor units of the base currency. */
export interface LimitHit {
  readonly group: LimitGroup;
  readonly window: LimitWindow;
  readonly limit: bigint;
  /** The most that would be let through now. */
  readonly left: bigint;
}

/** The first limit that `amount` more would exceed, or null. Exactly the limit is let through. */
export function limitHit(
  limits: GroupLimits<bigint>,
  usage: LimitUsage,
  group: LimitGroup,
  { now, amount }: { readonly now: Micros; readonly amount: bigint },
): LimitHit | null {
  for (const window of LIMIT_WINDOWS) {
    const limit = limits[window];
    if (limit === null) continue;
    const left = leftOf(limit, window === 'per_transaction' ? 0n : usedWithin(usage, group, window, now));
    if (amount > left) return { group, window, limit, left };
  }
  return null;
}

/** One limit as its customer sees it; decimal strings of the base currency, null where there is no limit. */
export interface LimitView {
  readonly group: LimitGroup;
  readonly window: LimitWindow;
  readonly limit: string | null;
  /** Null for the limit of a single transaction. */
  readonly used: string | null;
  readonly left: string | null;
}

/** All limits of a tier with what is left of them. */
export function limitViews(
  table: Readonly<Record<LimitGroup, GroupLimits<bigint>>>,
  usage: LimitUsage,
  now: Micros,
  exponent: number,
): LimitView[] {
  const show = (minor: bigint) => formatAmount(minor, exponent);
  return LIMIT_GROUPS.flatMap((group) =>
    LIMIT_WINDOWS.map((window) => {
      const limit = table[group][window];
      const used = window === 'per_transaction' ? null : usedWithin(usage, group, window, now);
      return {
        group,
        window,
        limit: limit === null ? null : show(limit),
        used: used === null ? null : show(used),
        left: limit === null ? null : show(leftOf(limit, used ?? 0n)),
      };
    }),
  );
}

const hourOf = (at: Micros): number => Math.floor(at / MICROS_PER_HOUR);
const dayOf = (at: Micros): number => Math.floor(at / MICROS_PER_DAY);
const leftOf = (limit: bigint, used: bigint): bigint => (used < limit ? limit - used : 0n);

function sumSince(buckets: readonly Bucket[], oldest: number): bigint {
  return buckets.reduce((sum, [start, minor]) => (start >= oldest ? sum + BigInt(minor) : sum), 0n);
}

function added(buckets: readonly Bucket[], start: number, amount: bigint, oldest: number): readonly Bucket[] {
  const sum = BigInt(buckets.find(([of]) => of === start)?.[1] ?? '0') + amount;
  const others = buckets.filter(([of]) => of !== start && of >= oldest);
  if (sum <= 0n || start < oldest) return others;
  return [...others, [start, sum.toString()] as const].toSorted(([a], [b]) => a - b);
}

function mapLimits<T, U>(table: LimitTable<T>, change: (limit: T, where: string) => U): LimitTable<U> {
  const each = <K extends string, A, B>(of: Readonly<Record<K, A>>, make: (value: A, key: K) => B) =>
    Object.fromEntries(Object.entries<A>(of).map(([key, value]) => [key, make(value, key as K)])) as Record<K, B>;
  return each(table, (groups, tier) =>
    each(groups, (windows, group) =>
      each(windows, (limit, window) => (limit === null ? null : change(limit, `${tier}.${group}.${window}`))),
    ),
  );
}

import { MICROS_PER_HOUR, type Micros, utcDay } from '../time.ts';
import type { TransactionType } from '../transaction.ts';
import {
  ACCOUNT_DIGITS,
  type AccountState,
  countOnAccount,
  emptyAccount,
  historyOf,
  MAX_RECENT,
  markFraud,
  marksAfter,
  rememberUnconfirmed,
  SPLIT_WINDOW,
  type TypeHistory,
  VELOCITY_WINDOW,
} from './account-state.ts';
import { spreadOf } from './amount-histogram.ts';
import {
  advance,
  type CounterpartyState,
  counterpartyFacts,
  countFraud,
  countPayment,
  type EndedRun,
  emptyCounterparty,
  LABEL_DELAY_DAYS,
} from './counterparty-state.ts';
import type { Population } from './population.ts';
import { ratioUp } from './ratio.ts';

/** What the features depend on. Amounts are minor units of the base currency at the rate of the transaction's time. */
export interface FeatureTransaction {
  readonly at: Micros;
  readonly type: TransactionType;
  readonly amountMinor: bigint;
  /** Fraction digits of the base currency. */
  readonly exponent: number;
  readonly account: string;
  readonly category: string;
  readonly counterparty: string | null;
  readonly instrument: string | null;
  readonly ip: string | null;
  readonly access: Access;
}

/** How the person came in, and what lately changed about it. */
export interface Access {
  /** Risk of the session's login, 0 to 1, at the time of the login. */
  readonly loginRisk: number;
  readonly loginAt: Micros | null;
  /** The latest change of a credential, a device or the payout account; null where none is known. */
  readonly changedAt: Micros | null;
}

export const NO_ACCESS: Access = { loginRisk: 0, loginAt: null, changedAt: null };

/** The states a decision folds, and the population it reads. A transaction without a counterparty has no state of one. */
export interface FeatureStates {
  readonly account: AccountState;
  readonly counterparty: CounterpartyState | null;
  readonly population: Population;
}

/**
 * What rules may ask, stored with the decision: plain JSON, money in units of the base currency. `vocabulary.ts` says
 * what each one means. Ratios are rounded up to the next double (see `ratioUp`), so that `> 2` is exact.
 */
export interface TransactionFeatures {
  readonly at: number;
  readonly kind: TransactionType;
  readonly category: string;
  readonly account: string;
  readonly counterparty: string;
  readonly instrument: string;
  readonly ip: string;
  readonly amount: number;
  readonly settled_90d: number;
  readonly settled_sum_90d: number;
  readonly mean_90d: number;
  readonly amount_to_mean_90d: number;
  readonly amount_to_smoothed_mean_90d: number;
  readonly settled_ever: number;
  readonly mean_ever: number;
  readonly amount_to_mean_ever: number;
  readonly median_ever: number;
  readonly amount_to_median_ever: number;
  readonly amount_deviation: number;
  readonly count_1h: number;
  readonly split_count_24h: number;
  readonly split_sum_24h: number;
  readonly prior_count: number;
  readonly prior_in_category: number;
  readonly paid_before: number;
  readonly large_7d: number;
  readonly large_30d: number;
  readonly account_frauds_30d: number;
  readonly counterparty_payments: number;
  readonly counterparty_age_days: number;
  readonly counterparty_known_1d: number;
  readonly counterparty_known_7d: number;
  readonly counterparty_known_30d: number;
  readonly counterparty_frauds_1d: number;
  readonly counterparty_frauds_7d: number;
  readonly counterparty_frauds_30d: number;
  readonly counterparty_risk_1d: number;
  readonly counterparty_risk_7d: number;
  readonly counterparty_risk_30d: number;
  readonly counterparty_run_frauds: number;
  readonly counterparty_run_days: number;
  readonly counterparty_run_age: number;
  readonly population_clean: number;
  readonly population_share_above: number;
  readonly login_risk: number;
  readonly hours_since_access_change: number;
  readonly first_out_since_access_change: boolean;
}

/** `amount_to_smoothed_mean_90d` counts so many transactions of {@link SMOOTHING_AMOUNT} units until there are as many of one's own. */
export const SMOOTHING_COUNT = 5;
export const SMOOTHING_AMOUNT = 1_000n;

/** A transaction of more than {@link OWN_ANOMALY_RATIO} times the account's mean for life of its type, which has at least {@link OWN_ANOMALY_MIN} of them. */
export const OWN_ANOMALY_RATIO = 3;
export const OWN_ANOMALY_MIN = 5;

/** What a fraud that the payer's behaviour explains counts in a counterparty's risk. */
const OWN_FRAUD_WEIGHT = 0.25;
/** Clean payments that every counterparty is credited with, so that one fraud of one payment is no certainty. */
const CREDITED_PAYMENTS = 2;
/** A login's risk halves every day. */
const LOGIN_RISK_HALF_LIFE: Micros = 24 * MICROS_PER_HOUR;
/** Hours since a change that is not known. */
export const NEVER_HOURS = 1_000_000;
/** Scales a MAD to the standard deviation of a normal distribution (Hampel 1974). */
const MAD_SCALE = 1.4826;
/** A deviation is held against at least this share of the median: some accounts pay nearly the same every time. */
const MIN_SPREAD_SHARE = 0.05;

/** True when the payer's own behaviour explains a fraud: the amount is far from anything usual for the account. */
export function isOwnAnomaly(features: Pick<TransactionFeatures, 'settled_ever' | 'amount_to_mean_ever'>): boolean {
  return features.settled_ever >= OWN_ANOMALY_MIN && features.amount_to_mean_ever > OWN_ANOMALY_RATIO;
}

/**
 * The features of `tx` against the states before it, and the states that have seen it. Averages learn only from
 * `settleOnAccount`.
 *
 * @returns `ended`: runs of frauds at the counterparty that are known to be over now, for the population
 * @throws RangeError when `tx` is older than the account's latest one: times are assigned in order under its lock
 */
export function fold(
  states: FeatureStates,
  tx: FeatureTransaction,
): {
  readonly features: TransactionFeatures;
  readonly account: AccountState;
  readonly counterparty: CounterpartyState | null;
  readonly ended: readonly EndedRun[];
} {
  if (!Number.isSafeInteger(tx.at) || tx.at < states.account.lastAt) {
    throw new RangeError(`transaction time ${tx.at} is not a whole number at or after ${states.account.lastAt}`);
  }
  const today = utcDay(tx.at);
  const advanced = states.counterparty === null ? null : advance(states.counterparty, today);
  const history = historyOf(states.account, tx.type, today);
  const counterparty = advanced?.state ?? null;
  const features = compute({ ...states, counterparty }, history, tx);
  return {
    features,
    account: countOnAccount(states.account, { ...tx, isLarge: isOwnAnomaly(features) }, history),
    counterparty: counterparty === null ? null : countPayment(counterparty, today),
    ended: advanced?.ended ?? [],
  };
}

/** The features alone, for a question of "what if": nothing is folded. */
export function featuresOf(states: FeatureStates, tx: FeatureTransaction): TransactionFeatures {
  const today = utcDay(tx.at);
  const counterparty = states.counterparty === null ? null : advance(states.counterparty, today).state;
  return compute({ ...states, counterparty }, historyOf(states.account, tx.type, today), tx);
}

/**
 * The account once the decision was made: what went on without its owner's proof counts towards split orders. Only money
 * that leaves the account can be split away.
 */
export function afterDecision(account: AccountState, tx: FeatureTransaction, isConfirmed: boolean): AccountState {
  if (isConfirmed || !leaves(tx.type)) return account;
  return rememberUnconfirmed(account, { at: tx.at, to: destinationOf(tx), minor: tx.amountMinor.toString() });
}

/** A label that became known: a fraud was confirmed (`by` 1), or such a label was taken back (-1). */
export interface FraudLabel {
  readonly paidAt: Micros;
  readonly knownAt: Micros;
  /** Whether the payment was an anomaly of its account by itself (`isOwnAnomaly` of its stored features). */
  readonly ownAnomaly: boolean;
  readonly by: 1 | -1;
  /** For a correction: how the label had counted. */
  readonly explained?: boolean;
}

/**
 * The states that know of the label. A fraud is explained by the account when the payment itself stood out there, or
 * when others of the account did that were confirmed from the 30 days before it to the week after: the account was taken
 * over, and whom it paid says little.
 *
 * @returns `ended`: runs of frauds at the counterparty that are known to be over now, for the population
 */
export function applyLabel(
  states: Pick<FeatureStates, 'account' | 'counterparty'>,
  label: FraudLabel,
): {
  readonly account: AccountState;
  readonly counterparty: CounterpartyState | null;
  readonly explained: boolean;
  readonly ended: readonly EndedRun[];
} {
  const paidOn = utcDay(label.paidAt);
  const today = utcDay(label.knownAt);
  const explained = label.explained ?? (label.ownAnomaly || hasOwnFraudAround(states.account, paidOn));
  const advanced = states.counterparty === null ? null : advance(states.counterparty, today);
  return {
    account: markFraud(states.account, paidOn, today, explained, label.by),
    counterparty: advanced === null ? null : countFraud(advanced.state, paidOn, explained, label.by),
    explained,
    ended: advanced?.ended ?? [],
  };
}

function hasOwnFraudAround(account: AccountState, paidOn: number): boolean {
  return account.marks.some(
    ({ day, own }) => own > 0 && day > paidOn - OWN_FRAUD_DAYS && day <= paidOn + LABEL_DELAY_DAYS,
  );
}

const OWN_FRAUD_DAYS = 30;

/** True for the types by which money leaves an account for somebody else. */
export function leaves(type: TransactionType): boolean {
  return type === 'withdrawal' || type === 'transfer';
}

/** What "to one counterparty" means for split orders; a withdrawal without one goes to the owner's payout account. */
export function destinationOf(tx: Pick<FeatureTransaction, 'counterparty'>): string {
  return tx.counterparty ?? '';
}

/** States for what was never seen. */
export const unseen = { account: emptyAccount, counterparty: emptyCounterparty } as const;

function compute(states: FeatureStates, history: TypeHistory, tx: FeatureTransaction): TransactionFeatures {
  const { account, population } = states;
  const today = utcDay(tx.at);
  const unit = 10n ** BigInt(tx.exponent);
  const money = (minor: bigint) => ratioUp(minor, unit);
  const sum = BigInt(history.sumMinor);
  const lifeSum = BigInt(history.lifeSumMinor);
  const times = (total: bigint, count: number) =>
    count === 0 || total === 0n ? 0 : ratioUp(tx.amountMinor * BigInt(count), total);
  const mean = (total: bigint, count: number) => (count === 0 ? 0 : ratioUp(total, BigInt(count) * unit));
  const missing = Math.max(0, SMOOTHING_COUNT - history.count);
  const amount = money(tx.amountMinor);
  const spread = spreadOf(history.amounts, ACCOUNT_DIGITS);
  const scale = Number(unit);
  const median = (spread?.median ?? 0) / scale;
  const split = splitOf(account, tx);
  const counterparty = counterpartyFacts(states.counterparty ?? EMPTY_COUNTERPARTY, today);
  const [day, week, month] = counterparty.known;
  const rank = population.rank(tx.type, tx.amountMinor);
  return {
    at: tx.at,
    kind: tx.type,
    category: tx.category,
    account: tx.account,
    counterparty: tx.counterparty ?? '',
    instrument: tx.instrument ?? '',
    ip: tx.ip ?? '',
    amount,
    settled_90d: history.count,
    settled_sum_90d: money(sum),
    mean_90d: mean(sum, history.count),
    amount_to_mean_90d: times(sum, history.count),
    amount_to_smoothed_mean_90d: times(
      sum + BigInt(missing) * SMOOTHING_AMOUNT * unit,
      Math.max(SMOOTHING_COUNT, history.count),
    ),
    settled_ever: history.lifeCount,
    mean_ever: mean(lifeSum, history.lifeCount),
    amount_to_mean_ever: times(lifeSum, history.lifeCount),
    median_ever: median,
    amount_to_median_ever: median === 0 ? 0 : amount / median,
    amount_deviation: deviation(amount, median, (spread?.mad ?? 0) / scale),
    count_1h: Math.min(MAX_RECENT, countSince(account.recent, tx.at - VELOCITY_WINDOW) + 1),
    split_count_24h: split.count,
    split_sum_24h: money(split.sum),
    prior_count: account.priorCount,
    prior_in_category: countOf(account.categories, tx.category),
    paid_before: tx.counterparty === null ? 0 : countOf(account.payees, tx.counterparty),
    large_7d: marksAfter(account, today - 7).large,
    large_30d: marksAfter(account, today - 30).large,
    account_frauds_30d: marksAfter(account, today - LABEL_DELAY_DAYS - 30).frauds,
    counterparty_payments: counterparty.total,
    counterparty_age_days: counterparty.ageDays,
    counterparty_known_1d: day?.payments ?? 0,
    counterparty_known_7d: week?.payments ?? 0,
    counterparty_known_30d: month?.payments ?? 0,
    counterparty_frauds_1d: day?.frauds ?? 0,
    counterparty_frauds_7d: week?.frauds ?? 0,
    counterparty_frauds_30d: month?.frauds ?? 0,
    counterparty_risk_1d: riskOf(day),
    counterparty_risk_7d: riskOf(week),
    counterparty_risk_30d: riskOf(month),
    counterparty_run_frauds: counterparty.runFrauds,
    counterparty_run_days: counterparty.runAgeDays,
    counterparty_run_age: counterparty.runAgeDays / population.typicalRunDays,
    population_clean: rank.clean,
    population_share_above: rank.clean === 0 ? 1 : rank.atLeast / rank.clean,
    login_risk: loginRisk(tx),
    hours_since_access_change:
      tx.access.changedAt === null ? NEVER_HOURS : Math.max(0, tx.at - tx.access.changedAt) / MICROS_PER_HOUR,
    first_out_since_access_change:
      leaves(tx.type) && tx.access.changedAt !== null && account.lastOutAt < tx.access.changedAt,
  };
}

const EMPTY_COUNTERPARTY = emptyCounterparty();

function splitOf(account: AccountState, tx: FeatureTransaction): { count: number; sum: bigint } {
  let count = 1;
  let sum = tx.amountMinor;
  if (!leaves(tx.type)) return { count, sum };
  const to = destinationOf(tx);
  for (const earlier of account.lately) {
    if (earlier.to !== to || earlier.at <= tx.at - SPLIT_WINDOW) continue;
    count += 1;
    sum += BigInt(earlier.minor);
  }
  return { count, sum };
}

function riskOf(window: { payments: number; frauds: number; own: number } | undefined): number {
  if (window === undefined) return 0;
  return (window.frauds + OWN_FRAUD_WEIGHT * window.own) / (window.payments + CREDITED_PAYMENTS);
}

function deviation(amount: number, median: number, mad: number): number {
  return median === 0 ? 0 : (amount - median) / Math.max(MAD_SCALE * mad, MIN_SPREAD_SHARE * median);
}

function loginRisk({ at, access }: FeatureTransaction): number {
  if (access.loginAt === null) return access.loginRisk;
  return access.loginRisk * 0.5 ** (Math.max(0, at - access.loginAt) / LOGIN_RISK_HALF_LIFE);
}

/** How many of the ascending times lie after `since`. */
function countSince(times: readonly Micros[], since: Micros): number {
  let count = 0;
  for (let index = times.length - 1; index >= 0 && (times[index] ?? 0) > since; index -= 1) count += 1;
  return count;
}

function countOf(pairs: AccountState['categories'], name: string): number {
  // From the end: the counterparties paid lately stand there.
  for (let index = pairs.length - 1; index >= 0; index -= 1) {
    const pair = pairs[index];
    if (pair?.[0] === name) return pair[1];
  }
  return 0;
}

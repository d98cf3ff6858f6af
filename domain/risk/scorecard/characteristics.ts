import type { FeatureUnit } from '../vocabulary.ts';

/**
 * What a scorecard may be made of: a number of a transaction, in CEL over the vocabulary, and how risk is expected to move
 * with it. The list is fixed and knows no data: it holds every feature whose direction is plain before anything was
 * counted ("logical trend", Siddiqi 2017, chapter 10), and the interactions that fraud is described by. Limits within
 * expressions are those of the vocabulary itself (five of one's own, one typical run), none was read off a file.
 */
export interface Characteristic {
  /** Also the id of its rule. */
  readonly id: string;
  readonly title: string;
  /** CEL, number. */
  readonly of: string;
  /** CEL, bool: where the number says nothing. Those transactions are a class of their own, with its own points. */
  readonly unknown?: CharacteristicGap;
  /** Whether a larger number is expected to be riskier. Classes that say otherwise are merged. */
  readonly risk: 'rises' | 'falls';
  readonly unit: FeatureUnit;
  /** Every number is above it. -1 unless said otherwise. */
  readonly floor?: number;
}

export interface CharacteristicGap {
  readonly when: string;
  /** For people: what such a transaction is. */
  readonly title: string;
  readonly note?: 'no_history' | 'few_prior';
}

const FEW_OWN: CharacteristicGap = {
  when: 'settled_ever < 5.0',
  title: 'fewer than 5 settled before',
  note: 'few_prior',
};
const FEW_OWN_90D: CharacteristicGap = {
  when: 'settled_90d < 5.0',
  title: 'fewer than 5 settled in 90 days',
  note: 'few_prior',
};
const FEW_OF_ALL: CharacteristicGap = {
  when: 'population_clean < 1000.0',
  title: 'fewer than 1,000 clean ones known',
  note: 'few_prior',
};
const FEW_PRIOR: CharacteristicGap = {
  when: 'prior_count < 10.0',
  title: 'fewer than 10 earlier transactions',
  note: 'few_prior',
};
const NO_COUNTERPARTY: CharacteristicGap = { when: 'counterparty == ""', title: 'no counterparty' };
const NO_RUN: CharacteristicGap = { when: 'counterparty_run_frauds == 0.0', title: 'no run of frauds' };
const NO_OUTCOME = (days: number): CharacteristicGap => ({
  when: `counterparty_known_${days}d == 0.0`,
  title: 'no payment of known outcome',
  note: 'no_history',
});

/** Features as they are. */
const SINGLE: readonly Characteristic[] = [
  rising('amount', 'Amount', 'amount', 'money'),
  rising('amount_to_mean_ever', "Amount over the account's mean of its type", 'amount_to_mean_ever', 'ratio', FEW_OWN),
  rising(
    'amount_to_mean_90d',
    "Amount over the account's mean of its type, 90 days",
    'amount_to_mean_90d',
    'ratio',
    FEW_OWN_90D,
  ),
  rising(
    'amount_to_smoothed_mean_90d',
    "Amount over the account's smoothed mean, 90 days",
    'amount_to_smoothed_mean_90d',
    'ratio',
  ),
  rising(
    'amount_to_median_ever',
    "Amount over the account's median of its type",
    'amount_to_median_ever',
    'ratio',
    FEW_OWN,
  ),
  {
    ...rising(
      'amount_deviation',
      "Robust standard deviations over the account's median",
      'amount_deviation',
      'ratio',
      FEW_OWN,
    ),
    // A spread is at least 5 % of the median: nothing lies more than 20 of them below it.
    floor: -21,
  },
  falling(
    'population_share_above',
    'Share of known clean amounts that were as large',
    'population_share_above',
    'share',
    FEW_OF_ALL,
  ),
  falling('settled_ever', 'Settled transactions of the type before', 'settled_ever', 'count'),
  falling('prior_count', 'Earlier transactions of the account', 'prior_count', 'count'),
  falling(
    'category_share',
    'Share of the category among earlier transactions',
    'prior_count == 0.0 ? 0.0 : prior_in_category / prior_count',
    'share',
    FEW_PRIOR,
  ),
  falling(
    'paid_before',
    'Earlier payments of the account to this counterparty',
    'paid_before',
    'count',
    NO_COUNTERPARTY,
  ),
  rising('count_1h', 'Transactions within an hour', 'count_1h', 'count'),
  rising('split_count_24h', 'Unconfirmed payments to one counterparty in 24 hours', 'split_count_24h', 'count'),
  rising('large_7d', 'Other large amounts within 7 days', 'large_7d', 'count'),
  rising('large_30d', 'Other large amounts within 30 days', 'large_30d', 'count'),
  rising('account_frauds_30d', 'Confirmed frauds of the account', 'account_frauds_30d', 'count'),
  falling(
    'counterparty_payments',
    'Earlier payments to the counterparty, by anybody',
    'counterparty_payments',
    'count',
    NO_COUNTERPARTY,
  ),
  falling(
    'counterparty_age_days',
    'Days since the first payment to the counterparty',
    'counterparty_age_days',
    'days',
    NO_COUNTERPARTY,
  ),
  ...[1, 7, 30].map((days) =>
    rising(
      `counterparty_risk_${days}d`,
      `Smoothed share of frauds at the counterparty, ${days === 1 ? '1 day' : `${days} days`}`,
      `counterparty_risk_${days}d`,
      'share',
      NO_OUTCOME(days),
    ),
  ),
  rising(
    'counterparty_run_frauds',
    'Confirmed frauds in the run at the counterparty',
    'counterparty_run_frauds',
    'count',
  ),
  falling('counterparty_run_age', 'Age of that run, in typical durations', 'counterparty_run_age', 'ratio', NO_RUN),
  rising('login_risk', 'Risk of the login', 'login_risk', 'share'),
  falling(
    'hours_since_access_change',
    'Hours since a change of credentials, device or payout account',
    'hours_since_access_change',
    'hours',
  ),
];

/** Two features that say more together than one by one; each asks the second only where the first holds. */
const INTERACTIONS: readonly Characteristic[] = [
  rising(
    'run_frauds_fresh',
    'Confirmed frauds in a run younger than such runs usually last',
    'counterparty_run_age < 1.0 ? counterparty_run_frauds : 0.0',
    'count',
  ),
  falling(
    'run_age_repeated',
    'Age of a run of two or more frauds, in typical durations',
    'counterparty_run_age',
    'ratio',
    {
      when: 'counterparty_run_frauds < 2.0',
      title: 'no run of two frauds',
    },
  ),
  falling('run_age_single', 'Age of a run of one fraud, in typical durations', 'counterparty_run_age', 'ratio', {
    when: 'counterparty_run_frauds != 1.0',
    title: 'no run of one fraud',
  }),
  rising(
    'run_pace',
    'Frauds a day in the run at the counterparty',
    'counterparty_run_frauds / (counterparty_run_days + 1.0)',
    'ratio',
  ),
  rising(
    'risk_of_fresh_run',
    'Share of frauds at a counterparty whose run is younger than usual',
    'counterparty_run_age < 1.0 && counterparty_run_frauds >= 1.0 ? counterparty_risk_7d : 0.0',
    'share',
  ),
  rising(
    'repeated_large_amount',
    "Amount over the account's mean, within 7 days of another large one",
    'large_7d >= 1.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_after_account_fraud',
    "Amount over the account's mean, with confirmed frauds of the account",
    'account_frauds_30d >= 1.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_for_everybody',
    "Amount over the account's mean, where it is larger than every known clean one",
    'population_share_above == 0.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OF_ALL,
  ),
  rising(
    'large_to_new_counterparty',
    "Amount over the account's mean, paid to a counterparty for the first time",
    'counterparty != "" && paid_before == 0.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_to_risky_counterparty',
    "Amount over the account's mean, paid to a counterparty with confirmed frauds",
    'counterparty_frauds_30d >= 1.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_in_burst',
    "Amount over the account's mean, among two or more transactions within an hour",
    'count_1h >= 2.0 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_after_access_change',
    "Amount over the account's mean, first one out after a change of access",
    'first_out_since_access_change ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
  rising(
    'large_after_risky_login',
    "Amount over the account's mean, in a session whose login was risky",
    'login_risk > 0.5 ? amount_to_mean_ever : 0.0',
    'ratio',
    FEW_OWN,
  ),
];

/** All of them, in the order in which ties are decided. */
export const CHARACTERISTICS: readonly Characteristic[] = [...SINGLE, ...INTERACTIONS];

/** Every number of the characteristic is above this. */
export function floorOf({ floor = -1 }: Pick<Characteristic, 'floor'>): number {
  return floor;
}

function rising(id: string, title: string, of: string, unit: FeatureUnit, unknown?: CharacteristicGap): Characteristic {
  return { id, title, of, risk: 'rises', unit, ...(unknown === undefined ? {} : { unknown }) };
}

function falling(
  id: string,
  title: string,
  of: string,
  unit: FeatureUnit,
  unknown?: CharacteristicGap,
): Characteristic {
  return { ...rising(id, title, of, unit, unknown), risk: 'falls' };
}

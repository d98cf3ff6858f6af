import type { TransactionFeatures } from './features.ts';

/** Type of a feature in a rule's CEL expressions. Every number is a double: write `2.0` where two are multiplied. */
export type FeatureType = 'double' | 'string' | 'bool';

/** How a number reads to people: money is units of the base currency. */
export type FeatureUnit = 'money' | 'count' | 'ratio' | 'share' | 'days' | 'hours' | 'text' | 'flag';

export interface FeatureDefinition {
  readonly type: FeatureType;
  readonly unit: FeatureUnit;
  readonly description: string;
}

const text = (description: string): FeatureDefinition => ({ type: 'string', unit: 'text', description });
const number =
  (unit: FeatureUnit) =>
  (description: string): FeatureDefinition => ({
    type: 'double',
    unit,
    description,
  });
const count = number('count');
const money = number('money');
const ratio = number('ratio');
const share = number('share');
const days = number('days');

/** Everything rules may ask about a transaction: names, types and meanings. docs/rules.md shows this table. */
export const VOCABULARY: Readonly<Record<keyof TransactionFeatures, FeatureDefinition>> = {
  at: count('Time of the transaction, microseconds since 1970 UTC.'),
  kind: text('buy, sell, deposit, withdrawal or transfer.'),
  category: text('Category of the transaction.'),
  account: text('The trading account.'),
  counterparty: text('Whom it pays; empty where there is none.'),
  instrument: text('What it trades; empty where nothing is.'),
  ip: text('Address it was asked from; empty where unknown.'),
  amount: money('Amount in the base currency.'),
  settled_90d: count('Settled transactions of this type in 90 UTC days.'),
  settled_sum_90d: money('Their sum.'),
  mean_90d: money('Their mean; 0 without any.'),
  amount_to_mean_90d: ratio('Amount over that mean; 0 without any.'),
  amount_to_smoothed_mean_90d: ratio(
    'Amount over the mean of 90 days, where up to five missing transactions count as 1,000 units each.',
  ),
  settled_ever: count('Settled transactions of this type, ever.'),
  mean_ever: money('Their mean: harder to poison than that of 90 days.'),
  amount_to_mean_ever: ratio('Amount over that mean; 0 without any.'),
  median_ever: money('Median of their amounts, to two significant digits.'),
  amount_to_median_ever: ratio('Amount over that median; 0 without any.'),
  amount_deviation: ratio(
    'Distance from the median in robust standard deviations (1.4826 x MAD, at least 5 % of the median).',
  ),
  count_1h: count('Transactions of the account in the rolling hour, this one included, whatever became of them.'),
  split_count_24h: count('Payments to this counterparty in 24 hours that nobody confirmed, this one included.'),
  split_sum_24h: money('Their sum.'),
  prior_count: count('Earlier transactions of the account.'),
  prior_in_category: count('Earlier ones of this category.'),
  paid_before: count('Earlier payments of the account to this counterparty.'),
  large_7d: count('Earlier transactions in 7 days that were over 3 times the mean of their type (of five or more).'),
  large_30d: count('The same in 30 days.'),
  account_frauds_30d: count('Confirmed frauds among the payments of the account, of the 37 days up to now.'),
  counterparty_payments: count('Earlier payments to the counterparty, by anybody.'),
  counterparty_age_days: days('Days since the first of them.'),
  counterparty_known_1d: count('Payments to it of a day whose outcome is known, 7 days later.'),
  counterparty_known_7d: count('The same of 7 days.'),
  counterparty_known_30d: count('The same of 30 days.'),
  counterparty_frauds_1d: count('Confirmed frauds among them that the payer does not explain.'),
  counterparty_frauds_7d: count('The same of 7 days.'),
  counterparty_frauds_30d: count('The same of 30 days.'),
  counterparty_risk_1d: share('Smoothed share of frauds: (frauds + 0.25 x explained ones) / (known payments + 2).'),
  counterparty_risk_7d: share('The same of 7 days.'),
  counterparty_risk_30d: share('The same of 30 days.'),
  counterparty_run_frauds: count('Unexplained frauds at the counterparty since its last known clean day.'),
  counterparty_run_days: days('Days since that clean day: the run of frauds is at most so old. 0 without a run.'),
  counterparty_run_age: ratio('That age over the typical duration of such runs: at 1 most of them have ended.'),
  population_clean: count('Known clean payments of this type, of all accounts.'),
  population_share_above: share('Share of them that were at least as large. 1 while none is known.'),
  login_risk: share('Risk of the login it was asked in, halved every 24 hours since.'),
  hours_since_access_change: number('hours')(
    'Since the latest change of a credential, a device or the payout account.',
  ),
  first_out_since_access_change: {
    type: 'bool',
    unit: 'flag',
    description: 'Whether this is the first withdrawal or transfer since that change.',
  },
};

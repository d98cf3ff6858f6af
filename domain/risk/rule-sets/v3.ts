import { RULE_SET_FORMAT, type RuleSetDocument } from '../rule-set.ts';
import { FIRST_OUT_AFTER_CHANGE, LOGIN_RISK, UNUSUAL_CATEGORY, VELOCITY } from './shared-rules.ts';

/**
 * Version 3, "recommended": transparent rules that were held against labelled history (docs/detection.md has the
 * figures). Three kinds of evidence suffice alone to hold a payment: an amount far outside the account's own past, one
 * larger than any clean payment known, and a counterparty in a run of confirmed frauds.
 */
export const RULE_SET_V3: RuleSetDocument = {
  format: RULE_SET_FORMAT,
  title: 'Recommended',
  description:
    "The account's own distribution, what is known of the counterparty from delayed labels, bursts, and how the person came in.",
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  params: { run_fresh: 0.95, run_over: 1.1, single_settled: 0.4, min_population: 1000 },
  rules: [
    {
      id: 'amount_to_own_mean',
      title: "Amount over the account's mean of its type, for life",
      notes: [
        { when: 'settled_ever == 0.0', note: 'no_history' },
        { when: 'settled_ever < 5.0', note: 'few_prior' },
      ],
      of: 'amount_to_mean_ever',
      bands: [
        { above: 1.5, points: 2 },
        { above: 2, points: 12 },
        { above: 3, points: 75 },
        { above: 5, points: 85 },
      ],
      explain: { value: 'amount', baseline: 'mean_ever', threshold: '3.0 * mean_ever', unit: 'money' },
    },
    {
      id: 'repeated_large_amounts',
      title: 'Large amount within 7 days of another one',
      notes: [{ when: 'settled_ever < 5.0', note: 'few_prior' }],
      when: 'large_7d >= 1.0 && amount_to_mean_ever > 2.0',
      points: 60,
      explain: { value: 'large_7d', threshold: '1.0' },
    },
    {
      id: 'larger_than_any_clean',
      title: 'Larger than every known clean payment of its type, and unusual for the account',
      notes: [{ when: 'population_clean < min_population', note: 'few_prior' }],
      when: 'population_share_above == 0.0 && amount_to_mean_ever > 1.5',
      points: 75,
      explain: { value: 'amount', unit: 'money' },
    },
    {
      id: 'counterparty_run',
      title: 'Counterparty in a run of confirmed frauds, younger than such runs usually last',
      when: 'counterparty_run_frauds >= 2.0 && counterparty_run_age < run_fresh',
      points: 80,
      explain: { value: 'counterparty_run_frauds', baseline: 'counterparty_run_days', threshold: '2.0', unit: 'count' },
    },
    {
      id: 'counterparty_run_late',
      title: 'Counterparty in a run of confirmed frauds, about as old as such runs usually get',
      when: 'counterparty_run_frauds >= 2.0 && counterparty_run_age >= run_fresh && counterparty_run_age < 1.0',
      points: 63,
      explain: { value: 'counterparty_run_days', unit: 'days' },
    },
    {
      id: 'counterparty_run_fading',
      title: 'Counterparty in a run of confirmed frauds, older than such runs usually get',
      when: 'counterparty_run_frauds >= 2.0 && counterparty_run_age >= 1.0 && counterparty_run_age < run_over',
      points: 35,
      explain: { value: 'counterparty_run_days', unit: 'days' },
    },
    {
      id: 'counterparty_run_over',
      title: 'Counterparty with confirmed frauds that are probably over',
      when: 'counterparty_run_age >= (counterparty_run_frauds >= 2.0 ? run_over : 1.0)',
      points: 13,
      explain: { value: 'counterparty_run_days', unit: 'days' },
    },
    {
      id: 'counterparty_fraud',
      title: 'The latest known payment to the counterparty was a confirmed fraud, and no clean one is known for long',
      when: 'counterparty_run_frauds == 1.0 && counterparty_run_age >= single_settled && counterparty_run_age < 1.0',
      points: 57,
      explain: { value: 'counterparty_run_days', unit: 'days' },
    },
    {
      id: 'counterparty_fraud_lately',
      title: 'The latest known payment to the counterparty was a confirmed fraud',
      when: 'counterparty_run_frauds == 1.0 && counterparty_run_age < single_settled',
      points: 36,
      explain: { value: 'counterparty_run_days', unit: 'days' },
    },
    {
      id: 'counterparty_risk',
      title: 'Smoothed share of confirmed frauds at the counterparty, 30 days',
      notes: [{ when: 'counterparty_known_30d == 0.0', note: 'no_history' }],
      of: 'counterparty_risk_30d',
      bands: [
        { above: 0.05, points: 2 },
        { above: 0.2, points: 5 },
        { above: 0.5, points: 8 },
      ],
    },
    {
      id: 'account_frauds',
      title: 'Unusual amount of an account with confirmed frauds in 30 days',
      when: 'account_frauds_30d >= 1.0 && amount_to_mean_ever > 1.2',
      points: 5,
      explain: { value: 'account_frauds_30d', threshold: '1.0' },
    },
    {
      id: 'new_counterparty',
      title: 'First payment to this counterparty by an account with a history',
      when: 'counterparty != "" && paid_before == 0.0 && prior_count >= 10.0',
      points: 1,
      explain: { value: 'paid_before', threshold: '1.0' },
    },
    VELOCITY,
    UNUSUAL_CATEGORY,
    FIRST_OUT_AFTER_CHANGE,
    LOGIN_RISK,
  ],
};

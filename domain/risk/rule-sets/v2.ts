import { RULE_SET_FORMAT, type RuleSetDocument } from '../rule-set.ts';
import { FIRST_OUT_AFTER_CHANGE, LOGIN_RISK, UNUSUAL_CATEGORY, VELOCITY } from './shared-rules.ts';

/** Version 2: the specification's rules made fair to new accounts and small amounts, and the further documented ones. */
export const RULE_SET_V2: RuleSetDocument = {
  format: RULE_SET_FORMAT,
  title: 'Specification and further rules',
  description:
    'Amounts are held against a smoothed mean and only above 100.00; graded bands; new and risky counterparties; the first withdrawal after a change; the risk of the login.',
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  params: { smallest_amount: 100 },
  rules: [
    {
      id: 'amount_above_average',
      title: 'Amount above 2, 3 or 5 times the smoothed 90-day average of its type',
      when: 'amount > smallest_amount',
      of: 'amount_to_smoothed_mean_90d',
      bands: [
        { above: 2, points: 30 },
        { above: 3, points: 40 },
        { above: 5, points: 50 },
      ],
      explain: {
        baseline: 'mean_90d',
        value: 'amount',
        threshold: '2.0 * amount / amount_to_smoothed_mean_90d',
        unit: 'money',
      },
    },
    VELOCITY,
    UNUSUAL_CATEGORY,
    {
      id: 'new_counterparty',
      title: 'First payment to this counterparty by an account with a history',
      when: 'counterparty != "" && paid_before == 0.0 && prior_count >= 10.0',
      points: 10,
      explain: { value: 'paid_before', threshold: '1.0' },
    },
    {
      id: 'counterparty_risk',
      title: 'Share of confirmed frauds among the payments to this counterparty, 30 days',
      notes: [{ when: 'counterparty_known_30d == 0.0', note: 'no_history' }],
      of: 'counterparty_risk_30d',
      bands: [
        { above: 0.05, points: 10 },
        { above: 0.2, points: 30 },
        { above: 0.5, points: 60 },
      ],
    },
    FIRST_OUT_AFTER_CHANGE,
    LOGIN_RISK,
  ],
};

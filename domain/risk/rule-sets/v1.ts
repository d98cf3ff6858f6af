import { RULE_SET_FORMAT, type RuleSetDocument } from '../rule-set.ts';

/** Version 1: the three rules of the specification, with its weights and thresholds, literally. */
export const RULE_SET_V1: RuleSetDocument = {
  format: RULE_SET_FORMAT,
  title: 'Specification',
  description:
    'The three rules of the specification with their exact weights; one earlier transaction is history enough.',
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  rules: [
    {
      id: 'amount_above_average',
      title: 'Amount above 2 times the 90-day average of its type',
      notes: [{ when: 'settled_90d == 0.0', note: 'no_history' }],
      when: 'amount_to_mean_90d > 2.0',
      points: 30,
      explain: { value: 'amount', baseline: 'mean_90d', threshold: '2.0 * mean_90d', unit: 'money' },
    },
    {
      id: 'velocity',
      title: 'More than 5 transactions within 3600 seconds',
      when: 'count_1h > 5.0',
      points: 40,
      explain: { value: 'count_1h', threshold: '5.0' },
    },
    {
      id: 'unusual_category',
      title: 'Category of fewer than 2 % of the prior transactions',
      notes: [
        { when: 'prior_count == 0.0', note: 'no_history' },
        { when: 'prior_count < 10.0', note: 'few_prior' },
      ],
      when: 'prior_in_category * 100.0 < prior_count * 2.0',
      points: 20,
      explain: { value: 'prior_in_category', baseline: 'prior_count', threshold: 'prior_count * 0.02' },
    },
  ],
};

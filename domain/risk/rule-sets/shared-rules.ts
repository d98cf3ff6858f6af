import type { RuleDefinition } from '../rule-set.ts';

/** Rules that more than one published version has, word for word. A version that changes one writes its own. */

export const VELOCITY: RuleDefinition = {
  id: 'velocity',
  title: 'More than 5 transactions within 3600 seconds',
  when: 'count_1h > 5.0',
  points: 40,
  explain: { value: 'count_1h', threshold: '5.0' },
};

export const UNUSUAL_CATEGORY: RuleDefinition = {
  id: 'unusual_category',
  title: 'Category of fewer than 2 % of the prior transactions',
  notes: [
    { when: 'prior_count == 0.0', note: 'no_history' },
    { when: 'prior_count < 10.0', note: 'few_prior' },
  ],
  when: 'prior_in_category * 100.0 < prior_count * 2.0',
  points: 20,
  explain: { value: 'prior_in_category', baseline: 'prior_count', threshold: 'prior_count * 0.02' },
};

export const FIRST_OUT_AFTER_CHANGE: RuleDefinition = {
  id: 'first_out_after_change',
  title: 'First withdrawal or transfer within 72 hours of a change of credentials, device or payout account',
  when: 'first_out_since_access_change && hours_since_access_change < 72.0',
  points: 30,
  explain: { value: 'hours_since_access_change', threshold: '72.0' },
};

export const LOGIN_RISK: RuleDefinition = {
  id: 'login_risk',
  title: 'Asked in a session whose login was risky',
  of: 'login_risk',
  bands: [
    { above: 0.3, points: 10 },
    { above: 0.5, points: 20 },
    { above: 0.7, points: 30 },
  ],
};

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { emptyAccount, settleOnAccount, VELOCITY_WINDOW } from '../../domain/risk/account-state.ts';
import { featuresOf, type TransactionFeatures } from '../../domain/risk/features.ts';
import { errorReason, type Reason } from '../../domain/risk/reasons.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import { PUBLISHED_RULE_SETS } from '../../domain/risk/rule-sets/published.ts';
import { RULE_SET_V1 } from '../../domain/risk/rule-sets/v1.ts';
import { scoreAsFraction, scoreOf } from '../../domain/risk/score.ts';
import { decideTransaction } from '../../domain/risk/transaction-decision.ts';
import { calmFeatures, featureTx, NEW_ACCOUNT } from '../helpers/features.ts';

const V1 = compileRuleSet(RULE_SET_V1, 'v1');
const assess = (fields: Partial<TransactionFeatures>) => V1.assess(calmFeatures(fields));
const points = (fields: Partial<TransactionFeatures>, ruleId: string) =>
  assess(fields).reasons.find((reason) => reason.ruleId === ruleId)?.points;

/** The amount rule on an account where these amounts (minor units) settled. */
function amountRule(settled: readonly bigint[], amountMinor: bigint): Reason {
  const account = settled.reduce(
    (state, amount) => settleOnAccount(state, featureTx({ amountMinor: amount })),
    emptyAccount(),
  );
  const [reason] = V1.assess(featuresOf({ ...NEW_ACCOUNT, account }, featureTx({ amountMinor }))).reasons;
  if (reason?.ruleId !== 'amount_above_average') throw new Error('the first rule is another one');
  return reason;
}

describe('amount', () => {
  it('is unusual above twice the average, not at exactly twice', () => {
    expect(amountRule([10_000n], 20_000n).points).toBe(0);
    expect(amountRule([10_000n], 20_001n).points).toBe(30);
  });

  it('is compared without rounding', () => {
    // average 100.333..., twice 200.666...
    expect(amountRule([100n, 100n, 101n], 200n).points).toBe(0);
    expect(amountRule([100n, 100n, 101n], 201n).points).toBe(30);
    expect(amountRule([45_000_000_000_000_000n], 90_000_000_000_000_001n).points).toBe(30);
    expect(amountRule([45_000_000_000_000_000n], 90_000_000_000_000_000n).points).toBe(0);
  });

  it('has one prior transaction as history enough, and none as no_history', () => {
    expect(amountRule([1n], 3n).points).toBe(30);
    expect(amountRule([], 3n)).toMatchObject({ points: 0, note: 'no_history', baseline: null, threshold: null });
  });

  it('says value, baseline and threshold', () => {
    expect(amountRule([10_000n], 20_001n)).toMatchObject({
      value: 200.01,
      baseline: 100,
      threshold: 200,
      unit: 'money',
    });
  });
});

describe('velocity', () => {
  it('fires with the sixth in the hour', () => {
    expect(points({ count_1h: 5 }, 'velocity')).toBe(0);
    expect(points({ count_1h: 6 }, 'velocity')).toBe(40);
    expect(VELOCITY_WINDOW).toBe(3_600_000_000);
  });
});

describe('category', () => {
  it('is unusual below 2 % of at least 10 prior transactions', () => {
    expect(points({ prior_count: 100, prior_in_category: 2 }, 'unusual_category')).toBe(0);
    expect(points({ prior_count: 100, prior_in_category: 1 }, 'unusual_category')).toBe(20);
    expect(points({ prior_count: 10, prior_in_category: 0 }, 'unusual_category')).toBe(20);
    expect(points({ prior_count: 9, prior_in_category: 0 }, 'unusual_category')).toBe(0);
  });

  it('says that there is too little history', () => {
    const note = (prior_count: number) => assess({ prior_count, prior_in_category: 0 }).reasons[2]?.note;
    expect([note(0), note(9), note(10)]).toEqual(['no_history', 'few_prior', undefined]);
  });
});

describe('score', () => {
  it('is the sum of hundredths, at most 100', () => {
    const all = assess({ amount_to_mean_90d: 2.1, count_1h: 6, prior_in_category: 0 });
    expect(all).toMatchObject({ score: 90, ruleSetVersion: 'v1', hasError: false });
    expect(scoreAsFraction(all.score)).toBe(0.9);
    const heavy = (n: number): Reason => ({ ...errorReason('x', 'x'), points: n });
    expect(scoreOf([heavy(80), heavy(30)])).toBe(100);
    expect(scoreOf([])).toBe(0);
    expect(() => scoreOf([heavy(0.5)])).toThrow(RangeError);
    expect(() => scoreOf([heavy(-1)])).toThrow(RangeError);
  });

  it('has a reason for every rule, fired or not', () => {
    expect(assess({}).reasons.map(({ ruleId, points: p }) => [ruleId, p])).toEqual([
      ['amount_above_average', 0],
      ['velocity', 0],
      ['unusual_category', 0],
    ]);
  });
});

describe('decision', () => {
  const decide = (score: number, amountMinor = 1n, hasError = false) =>
    decideTransaction({ score, hasError }, amountMinor, 1_000_000n, RULE_SET_V1.thresholds);

  it.each([
    [0, 'settle', null],
    [50, 'settle', null],
    [51, 'step_up', null],
    [70, 'step_up', null],
    [71, 'quarantine', null],
    [80, 'quarantine', null],
    [81, 'quarantine', 'high'],
    [100, 'quarantine', 'high'],
  ])('at score %i is %s with incident %s', (score, action, incident) => {
    expect(decide(score)).toEqual({ action, incident });
  });

  it('asks for a step-up above 10,000, not at 10,000', () => {
    expect(decide(0, 1_000_000n).action).toBe('settle');
    expect(decide(0, 1_000_001n).action).toBe('step_up');
    expect(decide(70, 1_000_001n).action).toBe('step_up');
  });

  it('asks for the step-up first and holds then where both apply', () => {
    expect(decide(71, 1_000_000n)).toEqual({ action: 'quarantine', incident: null });
    expect(decide(71, 1_000_001n)).toEqual({ action: 'step_up_then_quarantine', incident: null });
    expect(decide(81, 1_000_001n)).toEqual({ action: 'step_up_then_quarantine', incident: 'high' });
  });

  it('is at least a step-up when a rule failed, never milder', () => {
    expect(decide(0, 1n, true).action).toBe('step_up');
    expect(decide(71, 1n, true).action).toBe('quarantine');
  });
});

describe('a rule that fails', () => {
  it('becomes an error reason, is reported, and leaves the others standing', () => {
    const reported: string[] = [];
    const broken = {
      ...calmFeatures({ count_1h: 6 }),
      amount_to_mean_90d: undefined,
    } as unknown as TransactionFeatures;
    const assessment = V1.assess(broken, [], (ruleId) => reported.push(ruleId));
    expect(assessment.hasError).toBe(true);
    expect(assessment.score).toBe(40);
    expect(assessment.reasons[0]).toMatchObject({ ruleId: 'amount_above_average', points: 0, note: 'error' });
    expect(reported).toEqual(['amount_above_average']);
    expect(V1.score(broken)).toBeNull();
  });

  it('counts also when it was a look-up outside', () => {
    const extra = [errorReason('exchange_rate', 'The rate is stale')];
    expect(V1.assess(calmFeatures(), extra)).toMatchObject({ hasError: true, score: 0 });
  });
});

describe('the published rule sets', () => {
  it('are the published documents, letter by letter: a change is another version', () => {
    const hashes = Object.entries(PUBLISHED_RULE_SETS).map(([version, document]) => [
      version,
      createHash('sha256').update(JSON.stringify(document)).digest('hex').slice(0, 16),
    ]);
    expect(hashes).toEqual([
      ['v1', 'afa823f0e936bd38'],
      ['v2', 'a5f8d486aec7ee38'],
      ['v3', '60d1d29efdd397e6'],
    ]);
  });

  it('v1 has the weights of the specification and nothing else', () => {
    expect(RULE_SET_V1.thresholds).toEqual({ factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 });
    expect(RULE_SET_V1.rules.map(({ id, points: weight }) => [id, weight])).toEqual([
      ['amount_above_average', 30],
      ['velocity', 40],
      ['unusual_category', 20],
    ]);
  });

  it('compile, each one', () => {
    for (const [version, document] of Object.entries(PUBLISHED_RULE_SETS)) {
      expect(compileRuleSet(document, version).assess(calmFeatures()).hasError, version).toBe(false);
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { TransactionFeatures } from '../../domain/risk/features.ts';
import { VELOCITY_WINDOW } from '../../domain/risk/features.ts';
import { errorReason, type Reason } from '../../domain/risk/reasons.ts';
import { LOGIN_RULE_SET_V1 } from '../../domain/risk/login-rule-set.ts';
import { scoreAsFraction, scoreOf } from '../../domain/risk/score.ts';
import { assessTransaction, decideTransaction } from '../../domain/risk/transaction-rules.ts';

const CALM: TransactionFeatures = {
  type: 'buy',
  amountMinor: '10000',
  category: 'other',
  settledCount: 3,
  settledSumMinor: '30000',
  velocity: 1,
  priorCount: 100,
  priorInCategory: 50,
};
const assess = (fields: Partial<TransactionFeatures>) => assessTransaction({ ...CALM, ...fields }, LOGIN_RULE_SET_V1);
const points = (fields: Partial<TransactionFeatures>, ruleId: string) =>
  assess(fields).reasons.find((reason) => reason.ruleId === ruleId)?.points;

describe('amount', () => {
  it('is unusual above twice the average, not at exactly twice', () => {
    expect(points({ amountMinor: '20000' }, 'amount_above_average')).toBe(0);
    expect(points({ amountMinor: '20001' }, 'amount_above_average')).toBe(30);
  });

  it('is compared without rounding', () => {
    // average 100.333..., twice 200.666...
    const thirds = { settledCount: 3, settledSumMinor: '301' };
    expect(points({ ...thirds, amountMinor: '200' }, 'amount_above_average')).toBe(0);
    expect(points({ ...thirds, amountMinor: '201' }, 'amount_above_average')).toBe(30);
    const huge = { settledCount: 1, settledSumMinor: '45000000000000000', amountMinor: '90000000000000001' };
    expect(points(huge, 'amount_above_average')).toBe(30);
  });

  it('has one prior transaction as history enough, and none as no_history', () => {
    expect(points({ settledCount: 1, settledSumMinor: '1', amountMinor: '3' }, 'amount_above_average')).toBe(30);
    const first = assess({ settledCount: 0, settledSumMinor: '0' });
    expect(first.reasons[0]).toMatchObject({ ruleId: 'amount_above_average', points: 0, note: 'no_history' });
  });

  it('says value, baseline and threshold', () => {
    expect(assess({ amountMinor: '20001' }).reasons[0]).toMatchObject({
      value: '20001',
      baseline: '10000',
      threshold: '20000',
    });
  });
});

describe('velocity', () => {
  it('fires with the sixth in the hour', () => {
    expect(points({ velocity: 5 }, 'velocity')).toBe(0);
    expect(points({ velocity: 6 }, 'velocity')).toBe(40);
    expect(VELOCITY_WINDOW).toBe(LOGIN_RULE_SET_V1.transaction.velocity.windowSeconds * 1_000_000);
  });
});

describe('category', () => {
  it('is unusual below 2 % of at least 10 prior transactions', () => {
    expect(points({ priorCount: 100, priorInCategory: 2 }, 'unusual_category')).toBe(0);
    expect(points({ priorCount: 100, priorInCategory: 1 }, 'unusual_category')).toBe(20);
    expect(points({ priorCount: 10, priorInCategory: 0 }, 'unusual_category')).toBe(20);
    expect(points({ priorCount: 9, priorInCategory: 0 }, 'unusual_category')).toBe(0);
  });

  it('says that there is too little history', () => {
    const note = (priorCount: number) => assess({ priorCount, priorInCategory: 0 }).reasons[2]?.note;
    expect([note(0), note(9), note(10)]).toEqual(['no_history', 'few_prior', undefined]);
  });
});

describe('score', () => {
  it('is the sum of hundredths, at most 100', () => {
    const all = assess({ amountMinor: '20001', velocity: 6, priorInCategory: 0 });
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
    decideTransaction({ score, hasError }, amountMinor, 1_000_000n, LOGIN_RULE_SET_V1.thresholds);

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
    const broken = { ...CALM, settledSumMinor: 'not a number', velocity: 6 };
    const assessment = assessTransaction(broken, LOGIN_RULE_SET_V1, [], (ruleId) => reported.push(ruleId));
    expect(assessment.hasError).toBe(true);
    expect(assessment.score).toBe(40);
    expect(assessment.reasons[0]).toMatchObject({ ruleId: 'amount_above_average', points: 0, note: 'error' });
    expect(reported).toEqual(['amount_above_average']);
  });

  it('counts also when it was a look-up outside', () => {
    const extra = [errorReason('exchange_rate', 'The rate is stale')];
    expect(assessTransaction(CALM, LOGIN_RULE_SET_V1, extra)).toMatchObject({ hasError: true, score: 0 });
  });
});

describe('rule set v1', () => {
  it('cannot be changed', () => {
    expect(() => {
      (LOGIN_RULE_SET_V1.transaction.velocity as { points: number }).points = 0;
    }).toThrow(TypeError);
    expect(Object.isFrozen(LOGIN_RULE_SET_V1)).toBe(true);
  });

  it('is the published document, number by number', () => {
    expect(LOGIN_RULE_SET_V1).toEqual({
      version: 'v1',
      thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
      login: {
        hour: { from: 2, to: 5, points: 20 },
        newLocation: { radiusKm: 100, forgetAfterDays: 180, points: 30 },
        impossibleTravel: { minDistanceKm: 100, speedAboveKmh: 900, defaultAccuracyKm: 50, points: 80 },
        failedRate: { minAttempts: 5, minPercent: 50, points: 20 },
        unknownDevice: { points: 20 },
        deviceChanged: { pointsPerClass: 15, maxPoints: 40 },
        impossibleDevice: { points: 50 },
        geoUnknown: { points: 10 },
      },
      transaction: {
        amount: { aboveTimesAverage: 2, windowDays: 90, minPrior: 1, points: 30 },
        velocity: { above: 5, windowSeconds: 3600, points: 40 },
        category: { minPrior: 10, belowPercent: 2, points: 20 },
      },
    });
  });
});

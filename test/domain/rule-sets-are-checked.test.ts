import { describe, expect, it } from 'vitest';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import {
  RULE_SET_FORMAT,
  type RuleDefinition,
  type RuleList,
  type RuleSetDocument,
  RuleSetError,
} from '../../domain/risk/rule-set.ts';
import { calmFeatures } from '../helpers/features.ts';

const RULE: RuleDefinition = { id: 'large', title: 'Large', when: 'amount > 1000.0', points: 40 };

const documentWith = (fields: Partial<RuleSetDocument>): RuleSetDocument => ({
  format: RULE_SET_FORMAT,
  title: 'Test',
  description: 'Test',
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  rules: [RULE],
  ...fields,
});

function faultsOf(fields: Partial<RuleSetDocument>) {
  try {
    compileRuleSet(documentWith(fields), 'test');
  } catch (error) {
    if (error instanceof RuleSetError) return error.faults;
    throw error;
  }
  return [];
}

describe('an expression that cannot be right is told with its place', () => {
  it.each<[string, Partial<RuleDefinition>, string, number | undefined, RegExp]>([
    ['an unknown feature', { when: 'amount > 1.0 && amuont < 2.0' }, '/rules/0/when', 16, /Unknown variable: amuont/],
    ['a comparison of number and text', { when: 'amount > "x"' }, '/rules/0/when', 0, /no such overload/],
    ['a syntax error', { when: 'amount > > 2.0' }, '/rules/0/when', 9, /Unexpected token/],
    ['a number for a condition', { when: 'amount' }, '/rules/0/when', 0, /must be a bool/],
    [
      'text for a baseline is fine, a bool is not',
      { explain: { baseline: 'amount > 1.0' } },
      '/rules/0/explain/baseline',
      0,
      /must be a value/,
    ],
  ])('%s', (_what, fields, pointer, position, message) => {
    const [fault] = faultsOf({ rules: [{ ...RULE, ...fields }] });
    expect(fault).toMatchObject({ pointer, ...(position === undefined ? {} : { position }) });
    expect(fault?.message).toMatch(message);
  });

  it('and all of them at once', () => {
    const bad = { ...RULE, when: 'nonsense' };
    expect(faultsOf({ rules: [bad, { ...bad, id: 'other' }] }).map(({ pointer }) => pointer)).toEqual([
      '/rules/0/when',
      '/rules/1/when',
    ]);
  });

  it('an expression too large to read is refused', () => {
    const [fault] = faultsOf({ rules: [{ ...RULE, when: Array(300).fill('amount > 1.0').join(' && ') }] });
    expect(fault?.pointer).toBe('/rules/0/when');
  });
});

describe('a shape that cannot be right is told', () => {
  const list = (fields: Partial<RuleList>): RuleList => ({
    name: 'l',
    effect: 'tag',
    match: 'ip',
    entries: [],
    ...fields,
  });
  it.each<[string, Partial<RuleSetDocument>, string]>([
    ['two rules of one id', { rules: [RULE, RULE] }, '/rules/1/id'],
    ['points without a condition', { rules: [{ id: 'a', title: 'A', points: 1 }] }, '/rules/0'],
    ['bands without a value', { rules: [{ id: 'a', title: 'A', bands: [{ above: 1, points: 1 }] }] }, '/rules/0'],
    ['both kinds', { rules: [{ ...RULE, of: 'amount', bands: [{ above: 1, points: 1 }] }] }, '/rules/0'],
    [
      'bands out of order',
      {
        rules: [
          {
            id: 'a',
            title: 'A',
            of: 'amount',
            bands: [
              { above: 2, points: 1 },
              { above: 1, points: 2 },
            ],
          },
        ],
      },
      '/rules/0/bands/1',
    ],
    ['a parameter that hides a feature', { params: { amount: 1 } }, '/params/amount'],
    [
      'thresholds out of order',
      { thresholds: { factorAbove: 80, reviewAbove: 70, escalateAbove: 90, highRiskAbove: 1 } },
      '/thresholds',
    ],
    ['two lists of one name', { lists: [list({}), list({})] }, '/lists/1/name'],
    ['a range that is none', { lists: [list({ entries: [{ value: '192.0.2.0/33' }] })] }, '/lists/0/entries/0/value'],
    [
      'an end that is no time',
      { lists: [list({ entries: [{ value: '::1', until: 'soon' }] })] },
      '/lists/0/entries/0/until',
    ],
    ['another format', { format: 'other' as typeof RULE_SET_FORMAT }, '/format'],
  ])('%s', (_what, fields, pointer) => {
    expect(faultsOf(fields).map((fault) => fault.pointer)).toContain(pointer);
  });
});

describe('a rule set', () => {
  it('grades a value by the last band that it exceeds', () => {
    const rule: RuleDefinition = {
      ...{ id: 'graded', title: 'Graded', of: 'amount' },
      bands: [
        { above: 10, points: 5 },
        { above: 100, points: 20 },
      ],
    };
    const engine = compileRuleSet(documentWith({ rules: [rule] }), 'test');
    const judged = (amount: number) => engine.assess(calmFeatures({ amount })).reasons[0];
    expect([10, 10.01, 100, 100.01].map((amount) => judged(amount)?.points)).toEqual([0, 5, 5, 20]);
    expect(judged(50)).toMatchObject({ value: 50, threshold: 10, unit: 'money' });
  });

  it('knows its parameters, and adds its base', () => {
    const rule = { ...RULE, when: 'amount > limit' };
    const engine = compileRuleSet(documentWith({ params: { limit: 5 }, base: -10, rules: [rule] }), 'test');
    expect(engine.assess(calmFeatures({ amount: 6 })).score).toBe(30);
    expect(engine.assess(calmFeatures({ amount: 5 })).score).toBe(0);
    expect([6, 5].map((amount) => engine.score(calmFeatures({ amount })))).toEqual([30, 0]);
    expect(engine.assess(calmFeatures({ amount: 5 })).reasons[0]).toMatchObject({ ruleId: 'base', points: -10 });
  });

  it('scores as it assesses, whatever the lists', () => {
    const lists: RuleList[] = [
      { name: 'bad', effect: 'deny', match: 'counterparty', entries: [{ value: 'mule' }] },
      {
        name: 'good',
        effect: 'allow',
        match: 'account',
        entries: [{ value: 'trusted', until: '2030-01-01T00:00:00Z' }],
      },
      { name: 'office', effect: 'tag', match: 'ip', entries: [{ value: '192.0.2.0/24' }, { value: '2001:db8::/32' }] },
    ];
    const rules = [RULE, { id: 'outside', title: 'Not from the office', when: '!on_office', points: 15 }];
    const engine = compileRuleSet(documentWith({ lists, rules }), 'test');
    const both = (fields: Parameters<typeof calmFeatures>[0]) => {
      const features = calmFeatures({ amount: 2000, at: Date.parse('2029-01-01') * 1000, ...fields });
      const { score, reasons } = engine.assess(features);
      expect(engine.score(features)).toBe(score);
      return [score, reasons.filter(({ note }) => note === 'allow_listed').length];
    };
    expect(both({})).toEqual([55, 0]);
    expect(both({ ip: '192.0.2.77' })).toEqual([40, 0]);
    expect(both({ ip: '2001:db8::1' })).toEqual([40, 0]);
    expect(both({ ip: '2001:db9::1' })).toEqual([55, 0]);
    expect(both({ counterparty: 'mule' })).toEqual([100, 0]);
    expect(both({ account: 'trusted' })).toEqual([0, 2]);
    expect(both({ account: 'trusted', at: Date.parse('2030-01-01') * 1000 })).toEqual([55, 0]);
    // Denied and allowed is denied.
    expect(both({ account: 'trusted', counterparty: 'mule' })).toEqual([100, 0]);
  });
});

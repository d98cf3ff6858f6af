import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BacktestOptions, type BacktestRow, createBacktest, runBacktest } from '../../domain/risk/backtest.ts';
import { NO_ACCESS } from '../../domain/risk/features.ts';
import { createHistory, LABEL_DELAY } from '../../domain/risk/history.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import { RULE_SET_FORMAT, type RuleSetDocument } from '../../domain/risk/rule-set.ts';
import type { KnownOutcome } from '../../domain/risk/rule-set-tally.ts';
import { PUBLISHED_RULE_SETS } from '../../domain/risk/rule-sets/published.ts';
import { decideTransaction } from '../../domain/risk/transaction-decision.ts';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const START = 17_700 * DAY;

const v1 = compileRuleSet(PUBLISHED_RULE_SETS.v1 as RuleSetDocument, 'v1');
const v2 = compileRuleSet(PUBLISHED_RULE_SETS.v2 as RuleSetDocument, 'v2');
const v3 = compileRuleSet(PUBLISHED_RULE_SETS.v3 as RuleSetDocument, 'v3');

const OPTIONS: BacktestOptions = {
  engines: [v3],
  base: v1,
  period: { from: null, to: null },
  test: { from: null, to: null },
  reviewAbove: null,
  stepUpAmountMinor: 50_000n,
  currency: 'USD',
  exponent: 2,
  reviewers: 2,
};

const step = fc.record({
  gap: fc.oneof(fc.integer({ min: 0, max: 30 * HOUR }), fc.constantFrom(0, DAY, 8 * DAY)),
  amountMinor: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 900, max: 1_400 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 90_000 }) },
  ),
  account: fc.constantFrom('a', 'a', 'b'),
  counterparty: fc.constantFrom('x', 'x', 'y', null),
  scenario: fc.constantFrom('', 'takeover', null),
  outcome: fc.constantFrom<KnownOutcome>('clean', 'clean', 'fraud', 'unknown'),
});

const recorded = fc.array(step, { maxLength: 120 }).map((steps) => {
  let at = START;
  return steps.map(({ gap, amountMinor, account, counterparty, scenario, outcome }, n): BacktestRow => {
    at += gap;
    return {
      id: `t${n}`,
      outcome,
      scenario,
      transaction: {
        at,
        type: 'withdrawal',
        amountMinor: BigInt(amountMinor),
        exponent: 2,
        account,
        category: 'other',
        counterparty,
        instrument: null,
        ip: null,
        access: NO_ACCESS,
        settledAt: at,
        fraudKnownAt: outcome === 'fraud' ? at + LABEL_DELAY : null,
        isConfirmed: false,
      },
    };
  });
});

function judge(rows: readonly BacktestRow[], options: BacktestOptions) {
  const backtest = createBacktest(options);
  for (const row of rows) backtest.observe(row);
  return backtest.result(true);
}

function scoresOf(rows: readonly BacktestRow[], engines = [v1, v2, v3]): number[][] {
  const backtest = createBacktest({ ...OPTIONS, engines });
  return rows.map((row) => {
    const scores = new Float64Array(engines.length);
    backtest.observe(row, scores);
    return [...scores];
  });
}

describe('a back-test', () => {
  it('never lets a label change a score before it is known', () => {
    fc.assert(
      fc.property(
        recorded,
        fc.nat(),
        fc.array(fc.boolean(), { minLength: 120, maxLength: 120 }),
        (rows, pick, other) => {
          fc.pre(rows.length > 0);
          const now = rows[pick % rows.length] as BacktestRow;
          // Labels that become known after `now` are drawn anew, those of its future included.
          const altered = rows.map((row, n): BacktestRow => {
            const { transaction } = row;
            if (transaction.at + LABEL_DELAY <= now.transaction.at) return row;
            const isFraud = other[n] === true;
            const fraudKnownAt = isFraud ? transaction.at + LABEL_DELAY : null;
            return { ...row, outcome: isFraud ? 'fraud' : 'clean', transaction: { ...transaction, fraudKnownAt } };
          });
          const until = rows.findLastIndex((row) => row.transaction.at <= now.transaction.at) + 1;
          expect(scoresOf(altered).slice(0, until)).toEqual(scoresOf(rows).slice(0, until));
        },
      ),
    );
  });

  it('lets a label count from the moment it is known', () => {
    const row = (n: number, at: number, isFraud: boolean): BacktestRow => ({
      id: `${n}`,
      outcome: isFraud ? 'fraud' : 'clean',
      scenario: null,
      transaction: {
        ...FIRST.transaction,
        at,
        account: `payer${n}`,
        settledAt: at,
        fraudKnownAt: isFraud ? at + LABEL_DELAY : null,
      },
    });
    const rows = [row(0, START, true), row(1, START, true), row(2, START + LABEL_DELAY - 1, false)];
    const scores = scoresOf([...rows, row(3, START + LABEL_DELAY, false)], [v3]);
    expect(scores).toEqual([[0], [0], [0], [85]]);
  });

  it('finds what a straightforward run over all rows finds', () => {
    fc.assert(
      fc.property(recorded, fc.integer({ min: 0, max: 40 }), (rows, testFromDay) => {
        const from = START + testFromDay * DAY;
        const [found] = judge(rows, { ...OPTIONS, test: { from, to: null } }).ruleSets;
        const history = createHistory();
        const judged = rows.map((row) => {
          const features = history.observe(row.transaction);
          const decide = (engine: typeof v1) => {
            const assessment = engine.assess(features);
            const { action } = decideTransaction(assessment, row.transaction.amountMinor, 50_000n, engine.thresholds);
            return { assessment, action, held: action.endsWith('quarantine') };
          };
          return { row, own: decide(v3), base: decide(v1) };
        });
        const held = judged.filter(({ own }) => own.held);
        const tested = judged.filter(({ row }) => row.transaction.at >= from && row.outcome !== 'unknown');
        const frauds = tested.filter(({ row }) => row.outcome === 'fraud');
        const cents = held.reduce((sum, { row }) => sum + Number(row.transaction.amountMinor), 0);
        expect(found?.decisions.held).toMatchObject({ count: held.length, value: (cents / 100).toFixed(2) });
        expect(found?.decisions.byAction).toEqual(
          Object.fromEntries(
            ['settle', 'step_up', 'quarantine', 'step_up_then_quarantine'].map((action) => [
              action,
              judged.filter(({ own }) => own.action === action).length,
            ]),
          ),
        );
        expect(found?.againstBase.newlyHeld.count).toBe(
          judged.filter(({ own, base }) => own.held && !base.held).length,
        );
        expect(found?.againstBase.newlyReleased.count).toBe(
          judged.filter(({ own, base }) => !own.held && base.held).length,
        );
        expect(found?.quality.thresholds.find(({ name }) => name === 'held')).toMatchObject({
          flagged: tested.filter(({ own }) => own.assessment.score > 70).length,
          truePositives: frauds.filter(({ own }) => own.assessment.score > 70).length,
          falseNegatives: frauds.filter(({ own }) => own.assessment.score <= 70).length,
        });
        for (const { id, fired, points } of found?.rules ?? []) {
          const given = judged.map(
            ({ own }) => own.assessment.reasons.find(({ ruleId }) => ruleId === id)?.points ?? 0,
          );
          expect(fired).toBe(given.filter((one) => one !== 0).length);
          for (const [value, count] of points) expect(given.filter((one) => one === value)).toHaveLength(count);
        }
        const takeovers = frauds.filter(({ row }) => row.scenario === 'takeover');
        if (takeovers.length > 0) {
          expect(found?.quality.scenarios.find(({ scenario }) => scenario === 'takeover')).toMatchObject({
            frauds: takeovers.length,
            heldFrauds: takeovers.filter(({ own }) => own.held).length,
          });
        }
        const hours = Map.groupBy(held, ({ row }) => Math.floor(row.transaction.at / HOUR));
        expect(found?.forecast.heldPerHour).toMatchObject({
          total: held.length,
          max: Math.max(0, ...[...hours.values()].map(({ length }) => length)),
        });
        const missed = frauds
          .filter(({ own }) => !own.held)
          .toSorted((a, b) => Number(b.row.transaction.amountMinor - a.row.transaction.amountMinor))
          .slice(0, 10);
        expect(found?.examples.missedFraud.map(({ id }) => id)).toEqual(missed.map(({ row }) => row.id));
      }),
    );
  });

  it('finds of several rule sets at once what it finds of each alone', () => {
    fc.assert(
      fc.property(recorded, (rows) => {
        const together = judge(rows, { ...OPTIONS, engines: [v1, v2, v3], base: v2 });
        const alone = [v1, v2, v3].flatMap(
          (engine) => judge(rows, { ...OPTIONS, engines: [engine], base: v2 }).ruleSets,
        );
        expect(together.ruleSets).toEqual(alone);
      }),
      { numRuns: 40 },
    );
  });

  it('warms up with what lies before its period, and counts nothing of it', () => {
    fc.assert(
      fc.property(recorded, (rows) => {
        const from = START + 20 * DAY;
        const whole = scoresOf(rows, [v3]).flat();
        const result = judge(rows, { ...OPTIONS, period: { from, to: START + 60 * DAY } });
        const within = rows.map(({ transaction }) => transaction.at >= from && transaction.at < START + 60 * DAY);
        const tested = rows.map(({ outcome }, n) => within[n] === true && outcome !== 'unknown');
        expect(result.rows).toMatchObject({
          read: rows.length,
          period: within.filter(Boolean).length,
          tested: tested.filter(Boolean).length,
        });
        const { fraud = [], clean = [] } = result.ruleSets[0]?.quality.scores ?? {};
        for (let score = 0; score <= 100; score += 1) {
          expect((fraud[score] ?? 0) + (clean[score] ?? 0)).toBe(
            whole.filter((one, n) => tested[n] === true && one === score).length,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  it('asks for a factor where a rule fails, and counts the rest of its points', () => {
    const document: RuleSetDocument = {
      format: RULE_SET_FORMAT,
      title: 'Broken',
      description: '',
      thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
      rules: [
        { id: 'always', title: 'Always', when: 'true', points: 20 },
        { id: 'divides', title: 'Divides by nothing', when: '1 / int(settled_90d) > 5', points: 10 },
      ],
    };
    const [found] = judge([FIRST], {
      ...OPTIONS,
      engines: [compileRuleSet(document, 'broken')],
    }).ruleSets;
    expect(found?.decisions).toMatchObject({ errors: 1, byAction: { step_up: 1 } });
    expect(found?.quality.scores.clean[20]).toBe(1);
    expect(found?.rules.map(({ fired, errors }) => [fired, errors])).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it('holds above another threshold where one is given', () => {
    const rows = Array.from({ length: 7 }, (_, n) => of('a', START + n * DAY, n === 6 ? 100_000 : 1_000));
    const held = (reviewAbove: number | null) =>
      judge(rows, { ...OPTIONS, engines: [v1], reviewAbove }).ruleSets[0]?.decisions.held.count;
    expect([held(null), held(30), held(29)]).toEqual([0, 0, 1]);
  });

  it('stops between two pages and says so', async () => {
    const controller = new AbortController();
    async function* pages() {
      yield [of('a', START, 100)];
      controller.abort();
      yield [of('a', START + 1, 100)];
    }
    const result = await runBacktest(pages(), OPTIONS, { signal: controller.signal });
    expect(result).toMatchObject({ complete: false, rows: { read: 1 } });
  });
});

function of(account: string, at: number, amountMinor: number): BacktestRow {
  return {
    id: `${account}${at}`,
    outcome: 'clean',
    scenario: null,
    transaction: {
      at,
      type: 'withdrawal',
      amountMinor: BigInt(amountMinor),
      exponent: 2,
      account,
      category: 'other',
      counterparty: 'x',
      instrument: null,
      ip: null,
      access: NO_ACCESS,
      settledAt: at,
      fraudKnownAt: null,
      isConfirmed: false,
    },
  };
}

const FIRST = of('a', START, 1_000);

import { formatAmount } from '../money.ts';
import { MICROS_PER_HOUR, type Micros, microsToMillis, utcDay } from '../time.ts';
import type {
  AlertLoad,
  Change,
  ExampleDecision,
  RuleFirings,
  RuleSetQuality,
  RuleSetResult,
  ScenarioQuality,
  Share,
} from './backtest-result.ts';
import { createRateCounts } from './rate-counts.ts';
import type { RuleEngine } from './rule-engine.ts';
import { averagePrecision, emptyCounts, qualityAbove, rocArea } from './score-quality.ts';
import type { TransactionAction } from './transaction-decision.ts';

/** What became known of a recorded transaction; `unknown` ones count in everything but the quality. */
export type KnownOutcome = 'fraud' | 'clean' | 'unknown';

/** What one rule set made of one transaction. */
export interface Judgement {
  readonly score: number;
  readonly hasError: boolean;
  readonly action: TransactionAction;
}

/** A transaction to count. */
export interface TallyRow {
  readonly at: Micros;
  readonly amountMinor: bigint;
  readonly outcome: KnownOutcome;
  readonly scenario: string | null;
  /** Within the test window: its outcome counts in the quality. */
  readonly isTested: boolean;
}

export interface TallyOptions {
  readonly exponent: number;
  readonly reviewers: number;
  /** Scores above it count as held. */
  readonly reviewAbove: number;
}

/** The time that was counted, and that whose outcomes were; null without any row. */
export interface CountedTime {
  readonly period: { readonly first: Micros; readonly last: Micros } | null;
  readonly test: { readonly first: Micros; readonly last: Micros } | null;
}

const EXAMPLES = 10;
const SWEEP_STEP = 5;
/** Memory must not grow with the data; nobody reads more. */
const MAX_SCENARIOS = 500;
export const OTHER_SCENARIOS = '(others)';

/** True for what waits for a reviewer, at once or once the owner has confirmed it. */
export function isHeld(action: TransactionAction): boolean {
  return action === 'quarantine' || action === 'step_up_then_quarantine';
}

/** Counts what one rule set decides, in memory that does not grow with the rows. */
export function createRuleSetTally(engine: RuleEngine, options: TallyOptions) {
  const { rules } = engine.document;
  const byAction = { settle: 0, step_up: 0, quarantine: 0, step_up_then_quarantine: 0 };
  const firings = rules.map(() => ({ frauds: 0, errors: 0, points: new Map<number, number>() }));
  const scenarios = new Map<string, { rows: number; frauds: number; heldFrauds: number }>();
  const scores = emptyCounts();
  const days = createRateCounts();
  const hours = createRateCounts();
  const newlyHeld = createChange(options.exponent);
  const newlyReleased = createChange(options.exponent);
  const missedFraud = createExamples();
  let rows = 0;
  let errors = 0;
  let heldMinor = 0n;

  function countPoints(points: Float64Array, outcome: KnownOutcome): void {
    for (let index = 0; index < firings.length; index += 1) {
      const given = points[index] as number;
      if (given === 0) continue;
      const rule = firings[index] as (typeof firings)[number];
      if (Number.isNaN(given)) {
        rule.errors += 1;
        continue;
      }
      rule.points.set(given, (rule.points.get(given) ?? 0) + 1);
      if (outcome === 'fraud') rule.frauds += 1;
    }
  }

  function countOutcome({ outcome, scenario }: TallyRow, { score }: Judgement, held: boolean): void {
    if (outcome === 'unknown') return;
    const counts = outcome === 'fraud' ? scores.fraud : scores.clean;
    counts[score] = (counts[score] ?? 0) + 1;
    if (scenario === null) return;
    const name = scenarios.has(scenario) || scenarios.size < MAX_SCENARIOS ? scenario : OTHER_SCENARIOS;
    let counted = scenarios.get(name);
    if (counted === undefined) {
      counted = { rows: 0, frauds: 0, heldFrauds: 0 };
      scenarios.set(name, counted);
    }
    counted.rows += 1;
    if (outcome === 'fraud') {
      counted.frauds += 1;
      if (held) counted.heldFrauds += 1;
    }
  }

  return {
    /**
     * Counts one transaction.
     * @param points what each rule gave, by its index
     * @param base what the rule set that is compared with made of it
     * @param explain called for the few that are kept as examples
     */
    count(
      row: TallyRow,
      judged: Judgement,
      points: Float64Array,
      base: Judgement,
      explain: () => ExampleDecision,
    ): void {
      rows += 1;
      byAction[judged.action] += 1;
      if (judged.hasError) errors += 1;
      countPoints(points, row.outcome);
      const held = isHeld(judged.action);
      if (held) {
        heldMinor += row.amountMinor;
        days.add(utcDay(row.at));
        hours.add(Math.floor(row.at / MICROS_PER_HOUR));
      }
      if (row.isTested) {
        countOutcome(row, judged, held);
        if (row.outcome === 'fraud' && !held) missedFraud.offer(row.amountMinor, explain);
      }
      const wasHeld = isHeld(base.action);
      if (held !== wasHeld) (held ? newlyHeld : newlyReleased).add(row, explain);
    },

    /** The result; rows may follow, and count in the next one. */
    result({ period, test }: CountedTime): RuleSetResult {
      const share = (count: number): Share => ({ count, share: rows === 0 ? 0 : count / rows });
      const firstDay = utcDay(period?.first ?? 0);
      const lastDay = period === null ? firstDay - 1 : utcDay(period.last);
      const perDay = days.summary(firstDay, lastDay);
      const each = (held: number) => held / options.reviewers;
      const { factorAbove, escalateAbove } = engine.thresholds;
      return {
        version: engine.version,
        title: engine.document.title,
        thresholds: { factorAbove, reviewAbove: options.reviewAbove, escalateAbove },
        decisions: {
          settled: share(byAction.settle),
          stepUp: share(byAction.step_up),
          held: {
            ...share(byAction.quarantine + byAction.step_up_then_quarantine),
            value: formatAmount(heldMinor, options.exponent),
          },
          byAction: { ...byAction },
          errors,
        },
        againstBase: { newlyHeld: newlyHeld.result(), newlyReleased: newlyReleased.result() },
        rules: rules.map(({ id, title }, index) =>
          firingsOf(id, title, firings[index] as (typeof firings)[number], rows),
        ),
        quality: qualityOf(),
        alerts: {
          perDay,
          perReviewer: {
            mean: each(perDay.mean),
            p50: each(perDay.p50),
            p95: each(perDay.p95),
            max: each(perDay.max),
          },
          byDay: days.entries().map(([day, held]): AlertLoad['byDay'][number] => [dateOf(day), held]),
        },
        forecast: { heldPerHour: heldPerHour() },
        examples: {
          newlyHeld: newlyHeld.examples(),
          newlyReleased: newlyReleased.examples(),
          missedFraud: missedFraud.list(),
        },
      };

      function heldPerHour() {
        const first = Math.floor((period?.first ?? 0) / MICROS_PER_HOUR);
        return hours.summary(first, period === null ? first - 1 : Math.floor(period.last / MICROS_PER_HOUR));
      }

      function qualityOf(): RuleSetQuality {
        const testDays = test === null ? 0 : utcDay(test.last) - utcDay(test.first) + 1;
        const named = [
          ['step-up', factorAbove],
          ['held', options.reviewAbove],
          ['escalated', escalateAbove],
        ] as const;
        return {
          averagePrecision: averagePrecision(scores),
          auc: rocArea(scores),
          thresholds: named.map(([name, above]) => ({ name, ...qualityAbove(scores, above) })),
          sweep: Array.from({ length: 100 / SWEEP_STEP }, (_, step) => {
            const quality = qualityAbove(scores, step * SWEEP_STEP);
            return { ...quality, alertsPerDay: testDays === 0 ? 0 : quality.flagged / testDays };
          }),
          scenarios: [...scenarios].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(scenarioOf),
          scores: { fraud: [...scores.fraud], clean: [...scores.clean] },
        };
      }
    },
  };
}

export type RuleSetTally = ReturnType<typeof createRuleSetTally>;

function firingsOf(
  id: string,
  title: string,
  { frauds, errors, points }: { frauds: number; errors: number; points: ReadonlyMap<number, number> },
  rows: number,
): RuleFirings {
  const fired = [...points.values()].reduce((sum, count) => sum + count, 0);
  return {
    id,
    title,
    fired,
    share: rows === 0 ? 0 : fired / rows,
    frauds,
    errors,
    points: [...points].toSorted(([a], [b]) => a - b),
  };
}

function scenarioOf([scenario, counted]: readonly [
  string,
  { readonly rows: number; readonly frauds: number; readonly heldFrauds: number },
]): ScenarioQuality {
  return { scenario, ...counted, recall: counted.frauds === 0 ? null : counted.heldFrauds / counted.frauds };
}

function dateOf(day: number): string {
  return new Date(microsToMillis(day * 24 * MICROS_PER_HOUR)).toISOString().slice(0, 10);
}

/** Transactions that another rule set decides otherwise. */
function createChange(exponent: number) {
  const examples = createExamples();
  let count = 0;
  let frauds = 0;
  let minor = 0n;
  return {
    add({ amountMinor, outcome }: TallyRow, explain: () => ExampleDecision): void {
      count += 1;
      minor += amountMinor;
      if (outcome === 'fraud') frauds += 1;
      examples.offer(amountMinor, explain);
    },
    result: (): Change => ({ count, value: formatAmount(minor, exponent), frauds }),
    examples: () => examples.list(),
  };
}

/** The largest by amount, the earlier first where two are as large: explained only when they are kept. */
function createExamples() {
  const kept: Array<{ readonly amountMinor: bigint; readonly example: ExampleDecision }> = [];
  return {
    offer(amountMinor: bigint, explain: () => ExampleDecision): void {
      const last = kept[EXAMPLES - 1];
      if (last !== undefined && last.amountMinor >= amountMinor) return;
      const at = kept.findIndex((entry) => entry.amountMinor < amountMinor);
      kept.splice(at < 0 ? kept.length : at, 0, { amountMinor, example: explain() });
      kept.length = Math.min(kept.length, EXAMPLES);
    },
    list: () => kept.map(({ example }) => example),
  };
}

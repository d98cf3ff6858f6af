import type {
  BacktestResult,
  Change,
  ExampleDecision,
  RuleSetQuality,
  RuleSetResult,
  Share,
} from '../domain/risk/backtest-result.ts';
import { table } from './replay-report.ts';

/** The result as people read it, for a terminal or a log: plain text, no colour. */
export function renderBacktest(result: BacktestResult): string {
  return [
    ...(result.complete ? [] : ['PARTIAL: stopped before the end of the data.', '']),
    ...heading(result),
    ...(result.ruleSets.length < 2 ? [] : ['', comparison(result)]),
    ...result.ruleSets.flatMap((ruleSet) => ['', ...renderRuleSet(ruleSet, result)]),
  ].join('\n');
}

function heading({ rows, period, test }: BacktestResult): string[] {
  const span = (range: BacktestResult['period']) => (range === null ? 'none' : `${range.from} to ${range.to}`);
  return [
    `${rows.read} rows read, ${rows.accounts} accounts, ${rows.counterparties} counterparties`,
    `period: ${rows.period} rows, ${span(period)}`,
    `tested: ${rows.tested} rows with a known label, ${rows.frauds} of them frauds, ${span(test)}`,
  ];
}

/** Several rule sets side by side. */
function comparison({ ruleSets, base }: BacktestResult): string {
  return table(
    ['rule set', 'held', 'newly held', 'released', 'precision', 'recall', 'F1', 'AP', 'AUC'],
    ruleSets.map((ruleSet) => {
      const { quality, decisions, againstBase } = ruleSet;
      const held = quality.thresholds.find(({ name }) => name === 'held');
      return [
        ruleSet.version === base ? `${ruleSet.version} (base)` : ruleSet.version,
        `${decisions.held.count}`,
        `${againstBase.newlyHeld.count}`,
        `${againstBase.newlyReleased.count}`,
        percent(held?.precision ?? null),
        percent(held?.recall ?? null),
        decimal(held?.f1 ?? null),
        decimal(quality.averagePrecision),
        decimal(quality.auc),
      ];
    }),
  );
}

function renderRuleSet(ruleSet: RuleSetResult, { base, currency, reviewers }: BacktestResult): string[] {
  const { decisions, againstBase, alerts, quality, forecast } = ruleSet;
  const share = (label: string, { count, share: of }: Share, value = '') => [label, `${count}`, percent(of), value];
  const change = (label: string, of: Change) => [
    label,
    `${of.count}`,
    `${of.frauds} fraud(s)`,
    `${of.value} ${currency}`,
  ];
  const load = forecast.heldPerHour;
  return [
    `== ${ruleSet.version}: ${ruleSet.title}`,
    '',
    table(
      ['decision', 'rows', 'share', 'value'],
      [
        share('settled at once', decisions.settled),
        share('step-up', decisions.stepUp),
        share('held', decisions.held, `${decisions.held.value} ${currency}`),
        ...(ruleSet.version === base
          ? []
          : [
              change(`  newly, against ${base}`, againstBase.newlyHeld),
              change(`  no longer, against ${base}`, againstBase.newlyReleased),
            ]),
        ...(decisions.errors > 0 ? [['a rule failed', `${decisions.errors}`, '', '']] : []),
      ],
    ),
    '',
    table(
      ['rule', 'fired', 'share', 'frauds', 'points x rows'],
      ruleSet.rules.map(({ id, fired, share: of, frauds, points, errors }) => [
        id,
        `${fired}`,
        percent(of),
        `${frauds}`,
        [...points.map(([given, rows]) => `${given} x ${rows}`), ...(errors > 0 ? [`failed x ${errors}`] : [])].join(
          ', ',
        ),
      ]),
    ),
    '',
    ...renderQuality(quality),
    '',
    `alerts per day: mean ${round(alerts.perDay.mean)}, p50 ${alerts.perDay.p50}, p95 ${alerts.perDay.p95}, max ${alerts.perDay.max}` +
      ` (${alerts.perDay.slots} days); per reviewer of ${reviewers}: p50 ${round(alerts.perReviewer.p50)}, p95 ${round(alerts.perReviewer.p95)}, max ${round(alerts.perReviewer.max)}`,
    `forecast, held per hour: mean ${round(load.mean)}, p50 ${load.p50}, p99 ${load.p99}, max ${load.max} (${load.slots} hours)`,
    ...renderExamples('newly held', ruleSet.examples.newlyHeld, base),
    ...renderExamples('newly released', ruleSet.examples.newlyReleased, base),
    ...renderExamples('frauds not held', ruleSet.examples.missedFraud, base),
  ];
}

function renderQuality(quality: RuleSetQuality): string[] {
  return [
    `average precision ${decimal(quality.averagePrecision)}, AUC ${decimal(quality.auc)}`,
    '',
    table(
      ['threshold', 'above', 'flagged', 'right', 'precision', 'recall', 'F1'],
      quality.thresholds.map((at) => [
        at.name,
        (at.above / 100).toFixed(2),
        `${at.flagged}`,
        `${at.truePositives}`,
        percent(at.precision),
        percent(at.recall),
        decimal(at.f1),
      ]),
    ),
    '',
    table(
      ['score above', 'flagged', 'precision', 'recall', 'alerts/day'],
      quality.sweep.map((at) => [
        (at.above / 100).toFixed(2),
        `${at.flagged}`,
        percent(at.precision),
        percent(at.recall),
        round(at.alertsPerDay),
      ]),
    ),
    ...(quality.scenarios.length === 0
      ? []
      : [
          '',
          table(
            ['scenario', 'rows', 'frauds', 'held', 'recall'],
            quality.scenarios.map((of) => [
              of.scenario || '(none)',
              `${of.rows}`,
              `${of.frauds}`,
              `${of.heldFrauds}`,
              percent(of.recall),
            ]),
          ),
        ]),
  ];
}

function renderExamples(title: string, examples: readonly ExampleDecision[], base: string): string[] {
  if (examples.length === 0) return [];
  return [
    '',
    `${title}, the largest:`,
    ...examples.flatMap((of) => [
      `  ${of.id} ${of.at} ${of.account} -> ${of.counterparty || '-'} ${of.amount} (${of.label}): ` +
        `${(of.score / 100).toFixed(2)} ${of.action}, ${base} ${(of.baseScore / 100).toFixed(2)} ${of.baseAction}`,
      ...of.reasons.map((reason) => `      ${reason}`),
      ...(of.reasons.length === 0 ? ['      no rule gave points'] : []),
    ]),
  ];
}

const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(2)} %`);
const decimal = (value: number | null): string => (value === null ? '-' : value.toFixed(4));
const round = (value: number): string => String(Number(value.toFixed(2)));

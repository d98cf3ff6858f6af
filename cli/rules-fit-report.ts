import type { Discrimination } from '../domain/risk/scorecard/evaluation.ts';
import type { ReportCharacteristic, ScorecardReport } from '../domain/risk/scorecard/report.ts';
import { table } from './replay-report.ts';
import type { FittedRules } from './rules-fit-run.ts';

/** The proposal as people read it. */
export function renderFit({ windows, document, report }: FittedRules, out: string | undefined): string {
  return [
    document.title,
    `learned from ${windows.warmUpTo} to ${windows.validationTo}, tested from ${windows.testFrom} to ${windows.testTo}`,
    `trial: trained to ${windows.trainTo}, validated from ${windows.validationFrom}`,
    `base ${report.base}; ${report.pointsToDoubleOdds.toFixed(1)} points double the odds of fraud`,
    '',
    ...report.characteristics.flatMap((one) => [...renderCharacteristic(one), '']),
    ...renderQuality(report),
    '',
    'expected and found frauds by score, of the test (without one: of the validation)',
    table(
      ['score', 'transactions', 'expected', 'frauds'],
      report.calibration
        .filter(({ transactions }) => transactions > 0)
        .map(({ above, to, transactions, expected, frauds }) => [
          to === 0 ? '0' : `over ${above} to ${to}`,
          transactions.toFixed(0),
          expected.toFixed(1),
          frauds.toFixed(0),
        ]),
    ),
    '',
    table(
      ['held above', 'flagged', 'precision', 'recall'],
      report.thresholds.map(({ above, flagged, precision, recall }) => [
        (above / 100).toFixed(2),
        flagged.toFixed(0),
        percent(precision),
        percent(recall),
      ]),
    ),
    '',
    `population stability (PSI) between what was learned from and the test: ${decimal(report.stability)}`,
    `left out: ${report.excluded.map(({ id, why }) => `${id} (${why.replaceAll('_', ' ')})`).join(', ') || 'none'}`,
    ...report.warnings.map((warning) => `WARNING: ${warning}`),
    '',
    out === undefined
      ? 'Nothing was written: --out FILE writes the document.'
      : `Written to ${out}. Look at it, back-test it (tradeguard backtest --rule-set ${out}), then: tradeguard rules save ${out}`,
  ].join('\n');
}

function renderCharacteristic({
  id,
  title,
  of,
  informationValue,
  coefficient,
  stability,
  classes,
}: ReportCharacteristic) {
  return [
    `${title} [${id}: ${of}]`,
    `information value ${informationValue.toFixed(3)}, coefficient ${coefficient.toFixed(3)}, PSI ${decimal(stability)}`,
    table(
      ['class', 'transactions', 'frauds', 'fraud rate', 'WoE', 'points'],
      classes.map((part) => [
        part.unknown ? 'unknown' : rangeOf(part),
        part.transactions.toFixed(0),
        part.frauds.toFixed(0),
        percent(part.eventRate),
        part.woe.toFixed(2),
        String(part.points),
      ]),
    ),
  ];
}

function rangeOf({ above, to }: { readonly above: number | null; readonly to: number | null }): string {
  if (above === null) return to === null ? 'all' : `up to ${to}`;
  return to === null ? `over ${above}` : `over ${above} to ${to}`;
}

function renderQuality({ learned, validation, test, others }: ScorecardReport): string[] {
  const line = (name: string, of: Discrimination) => [
    name,
    of.transactions.toFixed(0),
    String(of.frauds),
    decimal(of.averagePrecision),
    decimal(of.auc),
    decimal(of.gini),
    decimal(of.ks),
    of.review.flagged.toFixed(0),
    percent(of.review.precision),
    percent(of.review.recall),
  ];
  return [
    table(
      ['on', 'transactions', 'frauds', 'AP', 'AUC', 'Gini', 'KS', 'held', 'precision', 'recall'],
      [
        line('what it learned from', learned),
        line('validation (trial)', validation),
        ...(test === null ? [] : [line('test', test)]),
        ...Object.entries(others).map(([name, of]) => line(`test, ${name}`, of)),
      ],
    ),
  ];
}

const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(2)} %`);
const decimal = (value: number | null): string => (value === null ? '-' : value.toFixed(3));

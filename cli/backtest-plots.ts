import type { BacktestResult, RuleSetResult } from '../domain/risk/backtest-result.ts';
import { qualityAbove } from '../domain/risk/score-quality.ts';
import { type Axis, type Plot, renderPlot, type Series } from './svg-plot.ts';

const SHARE = (label: string): Axis => ({ label, from: 0, to: 1 });
const DAY_MS = 86_400_000;

/** Plots that show all rule sets in one, as SVG with a title each. */
export function comparisonPlots({ ruleSets, period }: BacktestResult): Array<{ title: string; svg: string }> {
  return [
    precisionRecall(ruleSets),
    roc(ruleSets),
    sweep(ruleSets),
    ...(period === null ? [] : [alertsPerDay(ruleSets, period)]),
  ].map(drawn);
}

/** Scores of frauds and of clean transactions; counts on a logarithmic axis, since frauds are rare. */
export function scoreHistogram({ quality: { scores }, version }: RuleSetResult): { title: string; svg: string } {
  const bins = (counts: readonly number[]): Series['points'] =>
    Array.from({ length: 21 }, (_, bin) => [
      bin / 20,
      counts.slice(bin * 5, bin * 5 + 5).reduce((sum, count) => sum + count, 0),
    ]);
  const [clean, fraud] = [bins(scores.clean), bins(scores.fraud)];
  return drawn({
    title: `Scores of ${version}, by label`,
    x: { label: 'score', from: -0.05, to: 1.05, format: (value) => value.toFixed(1) },
    y: { label: 'transactions', from: 0, to: highest([clean, fraud]), log: true },
    series: [
      { name: 'clean', points: clean, shape: 'bars', colour: 0 },
      { name: 'fraud', points: fraud, shape: 'bars', colour: 1 },
    ],
  });
}

function drawn(plot: Plot): { title: string; svg: string } {
  return { title: plot.title, svg: renderPlot(plot) };
}

/** Every threshold there is, the strictest first. */
function qualities({ quality }: RuleSetResult) {
  return Array.from({ length: 102 }, (_, index) => qualityAbove(quality.scores, 100 - index));
}

function precisionRecall(ruleSets: readonly RuleSetResult[]): Plot {
  return {
    title: 'Precision and recall',
    x: SHARE('recall'),
    y: SHARE('precision'),
    series: ruleSets.map((ruleSet, colour) => ({
      name: ruleSet.version,
      colour,
      shape: 'line',
      points: qualities(ruleSet).flatMap(({ precision, recall }) =>
        precision === null || recall === null ? [] : [[recall, precision] as const],
      ),
    })),
  };
}

function roc(ruleSets: readonly RuleSetResult[]): Plot {
  return {
    title: 'ROC: frauds found against false alarms',
    x: SHARE('share of the clean ones flagged'),
    y: SHARE('recall'),
    series: ruleSets.map((ruleSet, colour) => ({
      name: ruleSet.version,
      colour,
      shape: 'line',
      points: qualities(ruleSet).flatMap(({ falsePositiveRate, recall }) =>
        falsePositiveRate === null || recall === null ? [] : [[falsePositiveRate, recall] as const],
      ),
    })),
  };
}

function sweep(ruleSets: readonly RuleSetResult[]): Plot {
  const points = ({ quality }: RuleSetResult, of: 'precision' | 'recall'): Series['points'] =>
    quality.sweep.flatMap((at) => {
      const share = at[of];
      return share === null ? [] : [[at.above / 100, share] as const];
    });
  return {
    title: 'Recall, and precision (dashed), by threshold',
    x: SHARE('held above this score'),
    y: SHARE('share'),
    series: ruleSets.flatMap((ruleSet, colour): Series[] => [
      { name: `recall of ${ruleSet.version}`, colour, shape: 'line', points: points(ruleSet, 'recall') },
      {
        name: `precision of ${ruleSet.version}`,
        colour,
        shape: 'line',
        dashed: true,
        points: points(ruleSet, 'precision'),
      },
    ]),
  };
}

function alertsPerDay(
  ruleSets: readonly RuleSetResult[],
  period: { readonly from: string; readonly to: string },
): Plot {
  const first = Math.floor(Date.parse(period.from) / DAY_MS);
  const last = Math.floor(Date.parse(period.to) / DAY_MS);
  const dayOf = (day: string) => Math.floor(Date.parse(day) / DAY_MS);
  const series = ruleSets.map((ruleSet, colour): Series => {
    const held = new Map(ruleSet.alerts.byDay.map(([day, count]) => [dayOf(day), count]));
    const points = Array.from(
      { length: last - first + 1 },
      (_, at) => [first + at, held.get(first + at) ?? 0] as const,
    );
    return { name: ruleSet.version, colour, shape: 'steps', points };
  });
  return {
    title: 'Held per day',
    x: {
      label: 'day',
      from: first,
      to: Math.max(last, first + 1),
      format: (day) => new Date(day * DAY_MS).toISOString().slice(0, 10),
    },
    y: { label: 'held', from: 0, to: highest(series.map(({ points }) => points)) },
    series,
  };
}

function highest(series: ReadonlyArray<Series['points']>): number {
  return series.reduce((most, points) => points.reduce((so, [, y]) => Math.max(so, y), most), 1);
}

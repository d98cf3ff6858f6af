import type { BacktestResult, ExampleDecision, RuleSetResult } from '../domain/risk/backtest-result.ts';
import { comparisonPlots, scoreHistogram } from './backtest-plots.ts';
import { colourClass, escapeText } from './svg-plot.ts';

/** Nothing is loaded and nothing runs, whatever the data holds. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The result as one page that needs nothing else: no script, no request, light or dark as the reader has it. */
export function renderBacktestPage(result: BacktestResult): string {
  const { ruleSets, rows, complete } = result;
  const title = `Back-test: ${ruleSets.map(({ version }) => version).join(', ')}`;
  const plots = comparisonPlots(result).map((plot) => figure(plot));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeText(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
${complete ? '' : '<p class="warning">Partial: stopped before the end of the data.</p>'}
<p>${rows.read} rows read, ${rows.accounts} accounts, ${rows.counterparties} counterparties.
Counted: ${rows.period} rows, ${span(result.period)}.
Held against labels: ${rows.tested} rows, ${rows.frauds} of them frauds, ${span(result.test)}.</p>
${summary(result)}
<ul class="legend">${ruleSets.map(({ version }, colour) => `<li class="${colourClass(colour)}"><i></i>${escapeText(version)}</li>`).join('')}</ul>
<div class="plots">${plots.join('')}</div>
${ruleSets.map((ruleSet) => section(ruleSet, result)).join('\n')}
</body>
</html>
`;
}

function summary({ ruleSets, base, currency, reviewers }: BacktestResult): string {
  return table(
    [
      'rule set',
      'settled',
      'step-up',
      'held',
      `value held, ${currency}`,
      `newly held, against ${base}`,
      'released',
      'precision',
      'recall',
      'F1',
      'average precision',
      'AUC',
      'held a day: p50, p95, max',
      `per reviewer of ${reviewers}: p95`,
      'held an hour: p50, p99, max',
    ],
    ruleSets.map(({ version, decisions, againstBase, quality, alerts, forecast }) => {
      const held = quality.thresholds.find(({ name }) => name === 'held');
      const { perDay } = alerts;
      const { heldPerHour } = forecast;
      return [
        version,
        counted(decisions.settled),
        counted(decisions.stepUp),
        counted(decisions.held),
        decisions.held.value,
        `${againstBase.newlyHeld.count} (${againstBase.newlyHeld.frauds} frauds)`,
        `${againstBase.newlyReleased.count} (${againstBase.newlyReleased.frauds} frauds)`,
        percent(held?.precision ?? null),
        percent(held?.recall ?? null),
        decimal(held?.f1 ?? null),
        decimal(quality.averagePrecision),
        decimal(quality.auc),
        `${perDay.p50}, ${perDay.p95}, ${perDay.max}`,
        alerts.perReviewer.p95.toFixed(1),
        `${heldPerHour.p50}, ${heldPerHour.p99}, ${heldPerHour.max}`,
      ];
    }),
  );
}

function section(ruleSet: RuleSetResult, { base }: BacktestResult): string {
  const { quality, rules, examples } = ruleSet;
  const at = table(
    ['threshold', 'above', 'flagged', 'right', 'precision', 'recall', 'F1'],
    quality.thresholds.map((of) => [
      of.name,
      (of.above / 100).toFixed(2),
      `${of.flagged}`,
      `${of.truePositives}`,
      percent(of.precision),
      percent(of.recall),
      decimal(of.f1),
    ]),
  );
  const sweep = table(
    ['score above', 'flagged', 'precision', 'recall', 'alerts a day'],
    quality.sweep.map((of) => [
      (of.above / 100).toFixed(2),
      `${of.flagged}`,
      percent(of.precision),
      percent(of.recall),
      of.alertsPerDay.toFixed(2),
    ]),
  );
  const fired = table(
    ['rule', 'fired', 'share', 'frauds', 'failed', 'points x rows'],
    rules.map((of) => [
      of.title,
      `${of.fired}`,
      percent(of.share),
      `${of.frauds}`,
      `${of.errors}`,
      of.points.map(([points, count]) => `${points} x ${count}`).join(', '),
    ]),
  );
  const scenarios = table(
    ['scenario', 'rows', 'frauds', 'held', 'recall'],
    quality.scenarios.map((of) => [
      of.scenario || '(none)',
      `${of.rows}`,
      `${of.frauds}`,
      `${of.heldFrauds}`,
      percent(of.recall),
    ]),
  );
  return `<section>
<h2>${escapeText(ruleSet.version)}: ${escapeText(ruleSet.title)}</h2>
<h3>Rules</h3>
${fired}
<div class="plots">${figure(scoreHistogram(ruleSet), '<ul class="legend"><li class="s0"><i></i>clean</li><li class="s1"><i></i>fraud</li></ul>')}</div>
<h3>Against the labels</h3>
${at}
${quality.scenarios.length === 0 ? '' : scenarios}
<details><summary>Every threshold</summary>${sweep}</details>
${exampleList(`Newly held, against ${base}`, examples.newlyHeld, base)}
${exampleList(`Newly released, against ${base}`, examples.newlyReleased, base)}
${exampleList('Frauds that were not held', examples.missedFraud, base)}
</section>`;
}

function exampleList(title: string, examples: readonly ExampleDecision[], base: string): string {
  if (examples.length === 0) return '';
  const items = examples.map((of) => {
    const facts = `${of.id}, ${of.at}, ${of.account} to ${of.counterparty || 'nobody'}, ${of.amount}, ${of.label}${of.scenario ? `, scenario ${of.scenario}` : ''}`;
    const own = `${(of.score / 100).toFixed(2)} ${of.action}`;
    const other = `${base}: ${(of.baseScore / 100).toFixed(2)} ${of.baseAction}`;
    return `<li><b>${escapeText(facts)}</b><br>${escapeText(own)}${reasonList(of.reasons)}${escapeText(other)}${reasonList(of.baseReasons)}</li>`;
  });
  return `<details><summary>${escapeText(title)}: the ${examples.length} largest</summary><ol>${items.join('')}</ol></details>`;
}

function reasonList(reasons: readonly string[]): string {
  const shown = reasons.length === 0 ? ['no rule gave points'] : reasons;
  return `<ul>${shown.map((reason) => `<li>${escapeText(reason)}</li>`).join('')}</ul>`;
}

function figure({ title, svg }: { readonly title: string; readonly svg: string }, below = ''): string {
  return `<figure><figcaption>${escapeText(title)}</figcaption>${svg}${below}</figure>`;
}

function table(header: readonly string[], lines: ReadonlyArray<readonly string[]>): string {
  const row = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${row(header, 'th')}</thead><tbody>${lines.map((line) => row(line, 'td')).join('')}</tbody></table></div>`;
}

const counted = ({ count, share }: { readonly count: number; readonly share: number }) =>
  `${count} (${percent(share)})`;
const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(2)} %`);
const decimal = (value: number | null): string => (value === null ? '-' : value.toFixed(4));
const span = (range: BacktestResult['period']): string => (range === null ? 'none' : `${range.from} to ${range.to}`);

/** Colours of Okabe and Ito, which people who see fewer of them can tell apart; lighter ones in the dark. */
const STYLE = `
:root { color-scheme: light dark; --text: #1a1a1a; --soft: #5c5c5c; --line: #d9d9d9; --back: #ffffff;
  --s0: #0072b2; --s1: #d55e00; --s2: #00795a; --s3: #a64d79; --s4: #8a6d00; --s5: #3f51b5; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --soft: #a8a8a8; --line: #3a3a3a; --back: #161616;
  --s0: #56b4e9; --s1: #ff8a3d; --s2: #2fc99a; --s3: #e39ac3; --s4: #f0d24a; --s5: #9fa8da; } }
body { margin: 0 auto; max-width: 1080px; padding: 16px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h2 { margin-top: 40px; border-top: 1px solid var(--line); padding-top: 16px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: 4px 10px 4px 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 16px; }
figure { margin: 0; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; max-width: 620px; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); stroke-width: 1; }
.line { fill: none; stroke: currentColor; stroke-width: 2; }
.dashed { stroke-dasharray: 5 4; }
.fill { fill: currentColor; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; }
.legend i { display: inline-block; width: 12px; height: 12px; margin-right: 6px; background: currentColor; }
.warning { border-left: 4px solid var(--s1); padding-left: 12px; font-weight: 600; }
summary { cursor: pointer; font-weight: 600; margin: 8px 0; }
details li { margin-bottom: 8px; overflow-wrap: anywhere; }
`;

import type { Quality, ReplayReport } from './replay-tally.ts';

/** The report as people read it, for a terminal or a log: plain text, no colour. */
export function renderReport(report: ReplayReport): string {
  const { verdicts, outcomes, quality } = report;
  const share = (count: number) => (report.rows === 0 ? '' : `${((100 * count) / report.rows).toFixed(2)} %`);
  const line = (label: string, count: number, depth = 0) => [
    `${'  '.repeat(depth)}${label}`,
    String(count),
    share(count),
  ];
  return [
    table(
      ['decision', 'rows', 'share'],
      [
        line('settled at once', verdicts.settled),
        line('step-up', verdicts.step_up),
        line('passed, settled', outcomes.stepUpPassed, 1),
        line('passed, then held', outcomes.stepUpThenHeld, 1),
        line('expired, rejected', outcomes.stepUpExpired, 1),
        line('held for review', verdicts.held + outcomes.stepUpThenHeld),
        line('approved, settled', outcomes.heldApproved, 1),
        line('rejected', outcomes.heldRejected, 1),
        line('rejected for another reason', outcomes.rejected),
        line('not accepted', verdicts.not_accepted),
        ...(outcomes.unfinished > 0 ? [line('not finished', outcomes.unfinished)] : []),
        line('all', report.rows),
      ],
    ),
    ...(Object.keys(report.codes).length > 0
      ? [
          `codes: ${Object.entries(report.codes)
            .map(([code, count]) => `${code} ${count}`)
            .join(', ')}`,
        ]
      : []),
    '',
    table(
      ['against the labels', 'flagged', 'right', 'precision', 'recall'],
      [qualityLine('held', quality.held), qualityLine('step-up or held', quality.stepUpOrHeld)],
    ),
    `${report.fraud} of ${report.rows} rows carry label 1.`,
    '',
    table(
      ['scenario', 'rows', 'step-up', 'held'],
      Object.entries(report.scenarios)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, counts]) => [name || '(none)', `${counts.rows}`, `${counts.stepUp}`, `${counts.held}`]),
    ),
    '',
    `verdict: p50 ${milliseconds(report.verdictMs.p50)}, p99 ${milliseconds(report.verdictMs.p99)}`,
  ].join('\n');
}

function qualityLine(label: string, { flagged, truePositives, precision, recall }: Quality): string[] {
  return [label, String(flagged), String(truePositives), percent(precision), percent(recall)];
}

const percent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(1)} %`);
const milliseconds = (ms: number | null): string => (ms === null ? '-' : `${ms.toFixed(1)} ms`);

/** Columns of even width: the first to the left, numbers to the right. */
export function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) => Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const render = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [render(header), widths.map((width) => '-'.repeat(width)).join('  '), ...lines.map(render)].join('\n');
}

import { ACCEPTED_RISKS, OWNERS } from './accepted-risks.ts';
import { type Finding, SEVERITIES, type Status } from './finding.ts';

export interface Evidence {
  /** ISO date of the run. */
  date: string;
  commit: string;
  node: string;
  findings: readonly Finding[];
}

const STATUSES: readonly Status[] = ['met', 'not met', 'unknown'];

/** The document that the evidence makes. It says nothing that is not in the evidence or in the accepted risks. */
export function reportOf({ date, commit, node, findings }: Evidence): string {
  const count = (severity: string, status: Status) =>
    findings.filter((one) => one.severity === severity && one.status === status).length;
  const accepted = findings.filter(({ id, status }) => status !== 'met' && ACCEPTED_RISKS[id] !== undefined);
  const undecided = findings.filter(({ id, status }) => status === 'not met' && ACCEPTED_RISKS[id] === undefined);
  return [
    '# Production security audit',
    '',
    'Made by `npm run evidence`, which brings up an installation under the rules of production, asks it, and runs the',
    "repository's checks. Do not edit it: run the command again. Each claim stands with what was run or asked and what came of",
    'it. `unknown` is no pass: nothing was observed, or only a person can tell.',
    '',
    ...table(
      ['examined', ''],
      [
        ['date', date],
        ['commit', commit],
        ['Node', node],
        ['findings', String(findings.length)],
      ],
    ),
    '',
    '## Summary',
    '',
    ...table(
      ['severity', ...STATUSES],
      SEVERITIES.map((severity) => [severity, ...STATUSES.map((status) => String(count(severity, status)))]),
    ),
    '',
    undecided.length === 0
      ? 'Nothing that is not met is without a decision.'
      : `Not met and not accepted: ${undecided.map(({ id }) => `\`${id}\``).join(', ')}.`,
    '',
    ...SEVERITIES.flatMap((severity) => [
      `## Findings of ${severity} severity`,
      '',
      ...table(
        ['id', 'claim', 'status', 'evidence', 'owner'],
        findings
          .filter((one) => one.severity === severity)
          .map(({ id, claim, status, source, observed, area }) => [
            `\`${id}\``,
            claim,
            status,
            `${source} → ${observed}`,
            OWNERS[area] ?? '',
          ]),
      ),
      '',
    ]),
    '## Accepted risks',
    '',
    ...table(
      ['id', 'reason', 'owner', 'until'],
      accepted.map(({ id }) => {
        const { reason, owner, until } = ACCEPTED_RISKS[id] ?? { reason: '', owner: '', until: '' };
        return [`\`${id}\``, reason, owner, until];
      }),
    ),
    '',
  ].join('\n');
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)];
}

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { registerRulesFit } from './rules-fit.ts';
import { faultLine, type StaffApi, type StaffFlags, withStaffApi } from './staff-api.ts';

interface Flags extends StaffFlags {
  readonly json?: boolean;
}

const BASE = '/api/admin/security/rule-sets';
const POLL_MS = 500;

// biome-ignore lint/suspicious/noExplicitAny: the API's answers, printed member by member
type Body = any;

/** `tradeguard rules ...`: rule sets from a terminal, through the API, as the person whose session it is. */
export function registerRules(program: Command): void {
  const rules = program.command('rules').description('rule sets: what decides about transactions');
  registerRulesFit(rules);
  const command = (name: string, description: string) =>
    rules
      .command(name)
      .description(description)
      .option('--url <origin>', 'of the API; else the installation in the data folder', process.env.TRADEGUARD_URL)
      .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
      .option('--code <totp>', 'a code of your authenticator, where a fresh factor is needed')
      .option('--json', 'print JSON');

  /** A command that calls the API and prints its answer. */
  const calls = (name: string, args: string, description: string, run: Call, print: (body: Body) => string) => {
    const made = command(`${name} ${args}`.trim(), description);
    made.action((...given: unknown[]) => {
      const flags = made.opts() as Flags & Record<string, string>;
      return withStaffApi(flags, async (api) => {
        const body = await run(api, given as string[], flags);
        console.log(flags.json ? JSON.stringify(body, null, 2) : print(body));
      });
    });
    return made;
  };

  calls(
    'list',
    '',
    'every version and what it is doing',
    (api) => api.get(BASE),
    ({ items }) => items.map(listLine).join('\n'),
  );
  calls(
    'show',
    '<version>',
    'one version, its document and its life',
    (api, [v]) => api.get(of(v)),
    (body) => JSON.stringify(body, null, 2),
  );
  calls(
    'diff',
    '<from> <to>',
    'what would change if <to> took the place of <from>',
    (api, [from, to]) => api.get(`${of(to)}/diff?against=${encodeURIComponent(from ?? '')}`),
    (body) => JSON.stringify(body, null, 2),
  );
  calls(
    'vocabulary',
    '',
    'what rules may ask',
    (api) => api.get(`${BASE}/vocabulary`),
    ({ features }) => features.map(featureLine).join('\n'),
  );
  calls(
    'save',
    '<file>',
    'save a document as a draft; it is never changed again',
    (api, [file], { version }) =>
      api.post(BASE, { ...(version === undefined ? {} : { version }), document: readDocumentFile(file) }),
    ({ version, sha256 }) => `Saved as ${version}, SHA-256 ${sha256}.`,
  ).option('--version <name>', 'its name; else the next rN');
  calls('shadow', '<version>', 'let it judge beside every decision, without effect', step('shadow'), statusLine);
  calls('retire', '<version>', 'take a draft or a shadow out of use', step('retire'), statusLine);
  calls('backtest', '<version>', 'judge a past period by it and wait for the report', backtest, reportText)
    .requiredOption('--from <time>', 'RFC 3339')
    .requiredOption('--to <time>', 'RFC 3339');
  calls(
    'propose',
    '<version>',
    'propose that it decides; somebody else approves',
    async (api, [version], { reason, report }) =>
      api.post(`${of(version)}/propose`, { reason, reportId: report ?? (await latestReport(api, version)) }),
    ({ version, replaces, reportId }) => `${version} is proposed in the place of ${replaces}, by report ${reportId}.`,
  )
    .requiredOption('--reason <text>', 'why')
    .option('--report <id>', 'the back-test; else the latest of this version');
  calls(
    'approve',
    '<version>',
    'let a proposed version decide',
    (api, [version], { reason }) => api.post(`${of(version)}/approve`, { reason }),
    ({ version, replaced }) => `${version} decides now; ${replaced} is retired.`,
  ).requiredOption('--reason <text>', 'why');

  rules
    .command('check <file>')
    .description('everything that is wrong with a document, with the place; needs no server')
    .option('--json', 'print JSON')
    .action(check);
}

type Call = (api: StaffApi, args: string[], flags: Flags & Record<string, string>) => Promise<Body>;

const of = (version: string | undefined) => `${BASE}/${encodeURIComponent(version ?? '')}`;

function step(name: 'shadow' | 'retire'): Call {
  return (api, [version]) => api.post(`${of(version)}/${name}`);
}

async function check(file: string, flags: { json?: boolean }): Promise<void> {
  const { checkRuleSet } = await import('../platform/rule-set-document.ts');
  const { faults } = checkRuleSet(readDocumentFile(file));
  const valid = faults.length === 0;
  if (flags.json) console.log(JSON.stringify({ valid, faults }));
  else console.log(valid ? `${file} can be saved.` : [`${file} has faults:`, ...faults.map(faultLine)].join('\n'));
  process.exitCode = valid ? 0 : 1;
}

function readDocumentFile(file: string | undefined): unknown {
  const text = readFileSync(file ?? '', 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is no JSON: ${(error as Error).message}`);
  }
}

async function backtest(api: StaffApi, [version]: string[], { from, to }: Record<string, string>): Promise<Body> {
  let run = await api.post(`${of(version)}/backtests`, { from, to });
  while (run.finishedAt === null) {
    if (process.stderr.isTTY) process.stderr.write(`\r${run.rowsDone} of ${run.rowsTotal ?? '?'} transactions`);
    await sleep(POLL_MS);
    run = await api.get(`${of(version)}/backtests/${run.backtestId}`);
  }
  if (process.stderr.isTTY) process.stderr.write('\n');
  if (run.status !== 'succeeded') throw new Error(`The back-test ended ${run.status}: ${run.reason ?? ''}`);
  return run;
}

async function latestReport(api: StaffApi, version: string | undefined): Promise<string> {
  const { items } = await api.get(`${of(version)}/backtests`);
  const found = items.find(({ status }: Body) => status === 'succeeded');
  if (found === undefined) throw new Error(`There is no back-test of ${version}: tradeguard rules backtest ${version}`);
  return found.backtestId;
}

function listLine({ version, status, origin, rules, lately, title }: Body): string {
  const doing = `${lately.decided} judged, ${lately.held} held in ${lately.hours} h`;
  return `${version.padEnd(12)} ${status.padEnd(8)} ${origin.padEnd(9)} ${String(rules).padStart(3)} rules  ${doing}  ${title}`;
}

function featureLine({ name, type, unit, description }: Body): string {
  return `${name.padEnd(32)} ${type.padEnd(7)} ${unit.padEnd(6)} ${description}`;
}

const statusLine = ({ version, status }: Body) => `${version} is ${status === 'shadow' ? 'in the shadow' : status}.`;

function reportText({ backtestId, result }: Body): string {
  const { rows, held, forecast, against, labels, quality } = result;
  const measure = (value: number | null) => (value === null ? '-' : value.toFixed(3));
  return [
    `Report ${backtestId}`,
    `${rows} decisions, ${held} held (${(forecast.share * 100).toFixed(2)} %); in an hour ${forecast.perHour.mean.toFixed(2)} on average, ${forecast.perHour.p99} at the 99th percentile, ${forecast.perHour.max} at most.`,
    `Beside ${against.version}: ${against.newlyHeld} newly held, ${against.newlyReleased} no longer held.`,
    `Labels: ${labels.fraud} frauds, ${labels.clean} clean, ${labels.unknown} unknown. Precision ${measure(quality.precision)}, recall ${measure(quality.recall)}, AP ${measure(quality.averagePrecision)}, AUC ${measure(quality.auc)}.`,
  ].join('\n');
}

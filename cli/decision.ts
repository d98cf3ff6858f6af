import { type Command, InvalidArgumentError } from 'commander';
import type { RecordedDecisionRow } from '../db/recorded-decisions.ts';
import type { Tx } from '../db/sql.ts';
import type { DecisionCheck, KnownVersion } from './decision-check.ts';

interface ReplayFlags {
  readonly dataDir: string;
  readonly all?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly json?: boolean;
}

const PAGE = 500;
/** Differences that are printed; the rest is counted. */
const MAX_SHOWN = 20;

/** `tradeguard decision ...`: what auditors do with old decisions. */
export function registerDecision(program: Command): void {
  program
    .command('decision')
    .description('decisions about transactions')
    .command('replay')
    .description(
      'decide again from the stored features and rule set; exit status 0 when score, reasons and action are the same to the byte, 1 when not',
    )
    .argument('[transactionId]', 'one decision')
    .option('--all', 'every decision, or those of a period')
    .option('--from <time>', 'with --all: from then on, RFC 3339', parseTime)
    .option('--to <time>', 'with --all: before then', parseTime)
    .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
    .option('--json', 'print the result as JSON')
    .action(replay);
}

async function replay(transactionId: string | undefined, flags: ReplayFlags): Promise<void> {
  if ((transactionId === undefined) !== (flags.all === true)) throw new Error('Name one transaction, or give --all.');
  if (!flags.all && (flags.from !== undefined || flags.to !== undefined)) {
    throw new Error('--from and --to belong to --all.');
  }
  if (transactionId !== undefined && !UUID.test(transactionId)) throw new Error(`${transactionId} is no id.`);
  const [{ createOrm }, { installationConfig }, { checkDecision }] = await Promise.all([
    import('../db/orm.ts'),
    import('./installation-config.ts'),
    import('./decision-check.ts'),
  ]);
  const { databaseUrl } = installationConfig(flags.dataDir);
  const db = await createOrm({ databaseUrl, poolMax: 2, applicationName: 'tradeguard-decision' });
  const tally = createTally(flags.json !== true);
  try {
    const versions = createVersions();
    for await (const row of decisions(() => db.fork(), transactionId, flags)) {
      tally.add(row, checkDecision(row, await versions.get(db.fork(), row.rule_set_version)));
    }
  } finally {
    await db.close();
  }
  if (tally.counts.decisions === 0 && transactionId !== undefined) {
    throw new Error(`There is no transaction ${transactionId}.`);
  }
  const { decisions: n, identical, different, notReplayable } = tally.counts;
  console.log(
    flags.json
      ? JSON.stringify({ ...tally.counts, findings: tally.findings })
      : `${n} decision(s): ${identical} the same to the byte, ${different} different, ${notReplayable} not replayable.`,
  );
  process.exitCode = different === 0 ? 0 : 1;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Before the first and after the last decision there can be. */
const EVER = { from: '1970-01-01T00:00:00Z', to: '9999-01-01T00:00:00Z' };

async function* decisions(
  fork: () => Tx,
  transactionId: string | undefined,
  flags: ReplayFlags,
): AsyncGenerator<RecordedDecisionRow> {
  const { decisionById, decisionsBetween } = await import('../db/recorded-decisions.ts');
  if (transactionId !== undefined) {
    yield* await decisionById(fork(), transactionId);
    return;
  }
  const period = { from: flags.from ?? EVER.from, to: flags.to ?? EVER.to };
  let after: { at: string; id: string } | null = null;
  for (;;) {
    const page: RecordedDecisionRow[] = await decisionsBetween(fork(), { ...period, after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { at: last.created_at, id: last.id };
  }
}

/** Rule sets by version, each compiled once. */
function createVersions() {
  const known = new Map<string, KnownVersion | undefined>();
  async function read(tx: Tx, version: string): Promise<KnownVersion | undefined> {
    const [{ findDocument }, { compileRuleSet }] = await Promise.all([
      import('../db/rule-sets.ts'),
      import('../domain/risk/rule-engine.ts'),
    ]);
    const document = await findDocument(tx, version);
    if (document === undefined) return undefined;
    try {
      return compileRuleSet(document, version);
    } catch (error) {
      return { unreadable: (error as Error).message };
    }
  }
  return {
    async get(tx: Tx, version: string): Promise<KnownVersion | undefined> {
      if (!known.has(version)) known.set(version, await read(tx, version));
      return known.get(version);
    },
  };
}

function createTally(prints: boolean) {
  const counts = { decisions: 0, identical: 0, different: 0, notReplayable: 0 };
  const findings: object[] = [];
  return {
    counts,
    findings,
    add({ id, rule_set_version }: RecordedDecisionRow, check: DecisionCheck): void {
      counts.decisions += 1;
      if (check.outcome === 'identical') {
        counts.identical += 1;
        return;
      }
      if (check.outcome === 'different') counts.different += 1;
      else counts.notReplayable += 1;
      if (findings.length >= MAX_SHOWN) return;
      findings.push({ transactionId: id, version: rule_set_version, ...check });
      if (!prints) return;
      console.log(
        `${id} (${rule_set_version}): ${check.outcome === 'different' ? 'DIFFERENT' : `not replayable: ${check.why}`}`,
      );
      if (check.outcome !== 'different') return;
      for (const { what, stored, now } of check.differences) console.log(`  ${what}: was ${stored}, is ${now}`);
    },
  };
}

function parseTime(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError('Write a time such as 2026-11-25T00:00:00Z.');
  return new Date(at).toISOString();
}

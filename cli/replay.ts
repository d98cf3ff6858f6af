import { type Command, InvalidArgumentError } from 'commander';
import type { ApiClient } from './api-client.ts';
import type { ReplayRow } from './replay-file.ts';
import type { ReplayReport } from './replay-tally.ts';
import { createRequestSigner, type SigningKey } from './request-signer.ts';

export interface ReplayOptions {
  readonly dataDir: string;
  readonly endpoints?: string;
  readonly limit?: number;
  readonly concurrency: number;
  readonly json?: boolean;
}

/** What came of a replay: its report, and whether it reached the end of the file (or the limit). */
export interface ReplayResult {
  readonly complete: boolean;
  readonly seconds: number;
  /** Rows that this run sent; the report also counts those of earlier runs. */
  readonly sent: number;
  readonly journal: string;
  readonly report: ReplayReport;
}

/** Bounds of what two reviewers and one importer may be: an installation may ask for two approvals. */
const REVIEWERS = 2;

/** `tradeguard replay FILE`: recorded transactions through the live API and workers. docs/replay.md tells the details. */
export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description('send recorded transactions (CSV, .gz too) through a running installation; resumes after Ctrl-C')
    .argument('<file>', 'columns tx_id,ts,account,counterparty,amount,label,scenario and maybe type,category,currency')
    .option('--data-dir <folder>', 'data folder of the running installation', process.env.DATA_DIR || '.data')
    .option('--endpoints <file>', 'its endpoints.json, where that lies elsewhere')
    .option('--limit <rows>', 'only so many rows from the beginning', positive)
    .option('--concurrency <n>', 'transactions on their way at once', positive, 8)
    .option('--json', 'print the report as JSON')
    .action(async (file: string, options: ReplayOptions) => {
      const interrupted = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
      const result = await runReplay(file, options, interrupted.signal);
      if (!result.complete) {
        console.error(`\nStopped. What was done is kept in ${result.journal}; the same command goes on from there.`);
        process.exitCode = 130;
        return;
      }
      if (options.json) console.log(JSON.stringify(result, null, 2));
      else await printReport(result);
    });
}

function positive(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('Write a whole number above 0.');
  return Number(value);
}

async function printReport({ report, sent, seconds }: ReplayResult): Promise<void> {
  const { renderReport } = await import('./replay-report.ts');
  console.log(`\n${renderReport(report)}`);
  console.log(
    `this run: ${sent} rows in ${seconds.toFixed(1)} s, ${(sent / Math.max(seconds, 0.001)).toFixed(1)} rows/s`,
  );
}

/**
 * Replays a file against a running installation. Progress goes to the error output.
 *
 * @throws ReplayFileError for a file that cannot be replayed; in a sentence when the installation does not take imports
 */
export async function runReplay(path: string, options: ReplayOptions, signal: AbortSignal): Promise<ReplayResult> {
  const [{ scanFile }, { openInstance }, { openJournal }, { createTally }, { driveReplay }] = await Promise.all([
    import('./replay-file.ts'),
    import('./replay-instance.ts'),
    import('./replay-journal.ts'),
    import('./replay-tally.ts'),
    import('./replay-driver.ts'),
  ]);
  const file = await scanFile(path);
  const limit = Math.min(options.limit ?? file.rows, file.rows);
  const instance = await openInstance(options, file.sha256);
  const journal = openJournal(instance.dataDir, file.sha256);
  const tally = createTally();
  for (const entry of journal.earlier) tally.add(entry);
  const names = Array.from({ length: REVIEWERS }, (_, n) => `reviewer ${n + 1}`);
  const actors = await Promise.all([
    instance.imports.openSession('importer', 'importer'),
    ...names.map((name) => instance.imports.openSession('reviewer', name)),
  ]);
  const [importer, ...reviewers] = actors;
  const progress = await startProgress(limit, Math.min(tally.size, limit));
  const started = performance.now();
  let sent = 0;
  let signingKey: SigningKey | undefined;
  try {
    signingKey = await importerKey(instance.api, importer.token);
    await driveReplay({
      instance,
      file,
      limit,
      concurrency: options.concurrency,
      journal,
      tally,
      importer,
      sign: createRequestSigner(signingKey),
      reviewers,
      signal,
      onRow: (row) => {
        sent += 1;
        progress.advance(row, sent / ((performance.now() - started) / 1000));
      },
    });
  } catch (error) {
    // The pauses between two tries end with the signal.
    if ((error as Error).name !== 'AbortError') throw error;
  } finally {
    progress.stop();
    journal.close();
    if (signingKey !== undefined) await instance.imports.revokeKey(importer, signingKey.keyId);
    await Promise.all(actors.map((actor) => instance.imports.closeSession(actor)));
    await instance.close();
  }
  const seconds = (performance.now() - started) / 1000;
  return { complete: !signal.aborted, seconds, sent, journal: journal.path, report: tally.report() };
}

/** A key to sign with as the importer, whose session has a fresh factor. @throws in a sentence when there are too many */
async function importerKey(api: ApiClient, token: string): Promise<SigningKey> {
  const answer = await api.post('/api/signing-keys', { token, body: {} });
  if (answer.status === 201) return answer.body;
  throw new Error(`The importer got no signing key: ${answer.status} ${answer.body?.detail ?? ''}`.trimEnd());
}

/** A bar on a terminal; a line every ten seconds elsewhere. */
async function startProgress(total: number, done: number) {
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    format: '{bar} {percentage} % | {value}/{total} rows | {rate}/s | ETA {eta_formatted} | {time}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
    hideCursor: true,
    etaBuffer: 200,
  });
  bar.start(total, done, { rate: '-', time: '-' });
  return {
    advance: (row: ReplayRow, rate: number) => bar.increment(1, { rate: rate.toFixed(1), time: row.ts }),
    stop: () => bar.stop(),
  };
}

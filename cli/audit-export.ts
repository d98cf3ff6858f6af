import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError } from 'commander';
import type { Exported } from '../activities/audit-export.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

interface Flags extends AuditFlags {
  readonly out: string;
  readonly from?: number;
  readonly to?: number;
}

/** `tradeguard audit export`: a folder that `tradeguard-verify` verifies without the database. */
export function registerAuditExport(audit: Command): void {
  audit
    .command('export')
    .description(
      'write entries, checkpoints and keys into a folder for an auditor; exit status 1 when the log is not sound',
    )
    .requiredOption('--out <folder>', 'is made; must not exist yet')
    .option('--from <seq>', 'first entry', sequenceNumber)
    .option('--to <seq>', 'the entry behind the last', sequenceNumber)
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: Flags) => withAuditTools(flags, (tools) => run(flags, tools)));
}

async function run(flags: Flags, { db, audit, auditKey, publisher, tell }: AuditTools): Promise<void> {
  const [{ createAuditExport }, { ExportError }] = await Promise.all([
    import('../activities/audit-export.ts'),
    import('../activities/export-files.ts'),
  ]);
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Error('The export was stopped; nothing is left of it.'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const bar = new SingleBar({
    format: '{phase} {bar} {percentage}% | {value} of {total} entries | ETA {eta_formatted}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  });
  let shown: string | undefined;
  try {
    const exported = await createAuditExport({ db, audit, auditKey, publisher }).exportTo({
      dir: resolve(flags.out),
      ...(flags.from === undefined ? {} : { from: flags.from }),
      ...(flags.to === undefined ? {} : { to: flags.to }),
      threads: availableParallelism(),
      signal: stop.signal,
      onProgress({ phase, done, total }) {
        const name = phase === 'verify' ? 'verified' : 'written ';
        if (shown !== phase) bar.start(total, done, { phase: name });
        shown = phase;
        bar.update(done, { phase: name });
      },
    });
    bar.stop();
    tell(jsonOf(exported), sentencesOf(exported, flags.out));
    process.exitCode = exported.verification.valid ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ExportError) && !stop.signal.aborted) throw error;
    bar.stop();
    console.error((error as Error).message);
    process.exitCode = stop.signal.aborted ? 130 : 1;
  } finally {
    bar.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function sequenceNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Write the number of an entry, from 0 on.');
  return number;
}

function jsonOf({ from, to, checkpoints, verification, manifestSha256, verifierKey }: Exported) {
  const { valid, checked, firstInvalidSeq, reason } = verification;
  return { from, to, checkpoints, valid, checked, firstInvalidSeq, reason, manifestSha256, verifierKey };
}

function sentencesOf({ from, to, checkpoints, verification, verifierKey }: Exported, out: string): string {
  const { valid, reason, firstInvalidSeq } = verification;
  const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
  const verdict = valid ? 'Sound.' : `NOT SOUND: ${reason}${place}. The manifest says so, signed.`;
  return [
    `${verdict} ${to - from} entries (${from} to ${to - 1}) and ${checkpoints} checkpoints are in ${out}.`,
    `Verify it with: tradeguard-verify ${out} --key '${verifierKey}'`,
  ].join('\n');
}

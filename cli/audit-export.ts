import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Exported } from '../activities/audit-export.ts';
import { archiveOption, archivesOf } from './audit-archive.ts';
import { withProgress } from './audit-progress.ts';
import { type AuditFlags, type AuditTools, dataDirOption, sequenceNumber, withAuditTools } from './audit-tools.ts';

interface Flags extends AuditFlags {
  readonly out: string;
  readonly from?: number;
  readonly to?: number;
  readonly archive?: string[];
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
    .addOption(archiveOption())
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: Flags) => withAuditTools(flags, (tools) => run(flags, tools)));
}

async function run(flags: Flags, tools: AuditTools): Promise<void> {
  const { db, audit, auditKey, publisher, tell } = tools;
  const archives = await archivesOf(tools, flags.archive);
  const [{ createAuditExport }, { ExportError }] = await Promise.all([
    import('../activities/audit-export.ts'),
    import('../activities/export-files.ts'),
  ]);
  await withProgress(
    {
      phases: { verify: 'verified', write: 'written ' },
      stopped: 'The export was stopped; nothing is left of it.',
      refusal: (error) => (error instanceof ExportError ? error.message : undefined),
    },
    async ({ signal, onProgress, endBar }) => {
      const exported = await createAuditExport({ db, audit, auditKey, publisher }).exportTo({
        dir: resolve(flags.out),
        archives,
        ...(flags.from === undefined ? {} : { from: flags.from }),
        ...(flags.to === undefined ? {} : { to: flags.to }),
        ...{ threads: availableParallelism(), signal, onProgress },
      });
      endBar();
      tell(jsonOf(exported), sentencesOf(exported, flags.out));
      process.exitCode = exported.verification.valid ? 0 : 1;
    },
  );
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

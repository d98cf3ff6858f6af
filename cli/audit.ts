import { availableParallelism } from 'node:os';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { Verification } from '../db/audit-verify.ts';
import { registerAuditCheckpoint } from './audit-checkpoint.ts';
import { registerAuditEvidence } from './audit-evidence.ts';
import { registerAuditExport } from './audit-export.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

/** `tradeguard audit ...`: what auditors do at a terminal. */
export function registerAudit(program: Command): void {
  const audit = program.command('audit').description('the append-only audit log');
  audit
    .command('verify')
    .description('recompute the whole log; exit status 0 when it is sound, 1 when it is not or cannot be read')
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action((flags: AuditFlags) => withAuditTools(flags, verify));
  registerAuditCheckpoint(audit);
  registerAuditEvidence(audit);
  registerAuditExport(audit);
}

async function verify({ db, audit, auditKey, publisher, tell }: AuditTools): Promise<void> {
  const { createAuditVerifier } = await import('../db/audit-verify.ts');
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} entries | {rate}/s | ETA {eta_formatted}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
  });
  try {
    const started = performance.now();
    let isShown = false;
    const result = await createAuditVerifier({ db, auditKeys: [auditKey] }).verify({
      published: await publisher.evidence(),
      threads: availableParallelism(),
      onProgress({ head, total }) {
        const rate = Math.round((head.seq + 1) / ((performance.now() - started) / 1000));
        if (!isShown) bar.start(total, head.seq + 1, { rate });
        isShown = true;
        bar.update(head.seq + 1, { rate });
      },
    });
    bar.stop();
    tell(jsonOf(result), sentence(result));
    process.exitCode = result.valid ? 0 : 1;
    await db.transaction((tx) =>
      audit.append(tx, {
        action: 'audit.verified',
        actor: { kind: 'operator' },
        subject: { kind: 'audit_log', id: 'command-line' },
        outcome: result.valid ? 'success' : 'failure',
        details: jsonOf(result),
      }),
    );
  } finally {
    bar.stop();
  }
}

function jsonOf({ valid, checked, unsealed, firstInvalidSeq, reason, head, checkpoints }: Verification) {
  return { valid, checked, unsealed, firstInvalidSeq, reason, headHash: head.hash.toString('hex'), checkpoints };
}

function sentence({ valid, checked, unsealed, firstInvalidSeq, reason, head, checkpoints }: Verification): string {
  const waiting = unsealed > 0 ? `, ${unsealed} more wait for their seal` : '';
  if (valid) {
    const told = `${checkpoints} published ${checkpoints === 1 ? 'checkpoint agrees' : 'checkpoints agree'}`;
    return `Sound: ${checked} entries${waiting}; ${told}. Head ${head.hash.toString('hex')}.`;
  }
  const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
  return `NOT SOUND: ${reason}${place}. ${checked} entries before it are as they were written${waiting}.`;
}

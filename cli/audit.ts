import type { Command } from 'commander';
import { registerAuditArchive } from './audit-archive.ts';
import { registerAuditCheckpoint } from './audit-checkpoint.ts';
import { registerAuditEvidence } from './audit-evidence.ts';
import { registerAuditExport } from './audit-export.ts';
import { registerAuditShred } from './audit-shred.ts';
import { registerAuditVerify } from './audit-verify.ts';

/** `tradeguard audit ...`: what auditors do at a terminal. */
export function registerAudit(program: Command): void {
  const audit = program.command('audit').description('the append-only audit log');
  registerAuditVerify(audit);
  registerAuditArchive(audit);
  registerAuditCheckpoint(audit);
  registerAuditEvidence(audit);
  registerAuditExport(audit);
  registerAuditShred(audit);
}

import type { KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import type { AuditLog } from '../db/audit.ts';
import type { Database } from '../db/orm.ts';
import { type AuditFlags, type AuditTools, dataDirOption, withAuditTools } from './audit-tools.ts';

interface Flags extends AuditFlags {
  readonly user?: string;
  readonly reason?: string;
  readonly fromExport?: string[];
}

/** `tradeguard audit shred`: whom the log speaks of is made unreadable for ever, and again after a restore. */
export function registerAuditShred(audit: Command): void {
  audit
    .command('shred')
    .description(
      'destroy the key of what the log holds sealed about somebody, for ever; entries, account and profile stay as they are',
    )
    .option('--user <id>', 'whose; the account is disabled and has no money and no open orders')
    .option('--reason <text>', 'why; it does not go into the log')
    .option('--from-export <folder...>', 'after a restore: everybody whose key was destroyed, as the exports say')
    .addOption(dataDirOption())
    .option('--json', 'print the result as JSON')
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const { user, reason, fromExport } = flags;
  if ((user === undefined) === (fromExport === undefined)) throw new Error('Write either --user or --from-export.');
  if (user !== undefined && !reason?.trim()) throw new Error('Write --reason: why it is erased.');
  await withAuditTools(flags, (tools) =>
    user === undefined ? shredFrom(tools, fromExport ?? []) : shredOne(tools, user, reason?.trim() ?? ''),
  );
}

async function shredOne(tools: AuditTools, user: string, reason: string): Promise<void> {
  const { erasedAt } = await eraseOne(tools, user, reason);
  tools.tell({ userId: user, erasedAt }, `What the log holds sealed about ${user} is unreadable since ${erasedAt}.`);
}

async function shredFrom(tools: AuditTools, folders: readonly string[]): Promise<void> {
  const { again, known, refused } = await eraseFrom(tools, folders);
  if (refused > 0) process.exitCode = 1;
  const forged = refused === 0 ? '' : ` ${refused} entries are not of this installation, and were not followed.`;
  tools.tell({ again, known, refused }, `Destroyed again: ${again} of the ${known} that the exports name.${forged}`);
}

interface Deps {
  db: Database;
  audit: AuditLog;
  auditKey: KeyObject;
}

async function eraseOne({ db, audit }: Deps, userId: string, reason: string): Promise<{ erasedAt: string }> {
  const { eraseAuditIdentity } = await import('../db/subject-erasure.ts');
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(userId))
    throw new Error(`${userId} is no id of an account.`);
  if (reason.length > 500) throw new Error('A reason has up to 500 characters.');
  const actor = { kind: 'operator' } as const;
  return db.transaction((tx) => eraseAuditIdentity(tx, { audit }, { userId, reason, actor }));
}

async function eraseFrom({ db, audit, auditKey }: Deps, folders: readonly string[]) {
  const [{ shreddingsOfExport }, { eraseAgain }] = await Promise.all([
    import('../activities/export-shreddings.ts'),
    import('../db/subject-erasure.ts'),
  ]);
  const subjects = new Set<string>();
  let refused = 0;
  for (const folder of folders) {
    const found = await shreddingsOfExport(folder, auditKey);
    for (const subject of found.subjects) subjects.add(subject);
    refused += found.refused;
  }
  const shreddings = [...subjects].map((subject) => ({ subject, reason: 'erased before, as an export says' }));
  const again = await db.transaction((tx) => eraseAgain(tx, { audit }, shreddings, 'export'));
  return { again, known: subjects.size, refused };
}

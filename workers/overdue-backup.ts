import { createHash } from 'node:crypto';
import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Logger } from 'pino';
import { lastGoodBackupAt } from '../db/backups.ts';
import type { Database } from '../db/orm.ts';
import { isBackupOverdue } from '../domain/backup.ts';
import { uuidV8 } from '../security/uuid.ts';
import { type BackupInput, type TaskQueues, workflowIds } from '../workflows/contract.ts';

const HOUR_MS = 3_600_000;

/**
 * To be called at boot: when the last good backup is too old (the machine was off at night, or there never was one) it
 * starts one now. Workers that boot at once start the same one; where it fails, the next boot within the hour does not
 * try again.
 *
 * @returns whether a backup was started
 */
export async function startOverdueBackup(deps: {
  client: Client;
  db: Database;
  queues: TaskQueues;
  log: Logger;
  now?: number;
}): Promise<boolean> {
  const { client, db, queues, log, now = Date.now() } = deps;
  const last = await lastGoodBackupAt(db.fork());
  if (!isBackupOverdue(last, now)) return false;
  const occasion = `${queues.background}:${last ?? 'never'}:${Math.floor(now / HOUR_MS)}`;
  const backupId = uuidV8(createHash('sha256').update(occasion).digest());
  const input: BackupInput = { backupId, trigger: 'boot', requestedBy: null, queues };
  try {
    await client.workflow.start('backup', {
      workflowId: workflowIds.backup(backupId),
      taskQueue: queues.background,
      args: [input],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: 'Backup, since the last good one is too old',
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
  log.info({ backupId, last }, 'the last good backup is too old, making one now');
  return true;
}

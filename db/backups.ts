import type { BackupPhase, BackupStatus, BackupTrigger } from '../domain/backup.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditLog } from './audit.ts';
import { endVerb, type PageRequest, pageParams, type RunEnd, runEvent, runsPage } from './backup-runs.ts';
import { row, rows, run, type Tx } from './sql.ts';

/** A backup run as it stands; times are PostgreSQL text. */
export interface BackupRun {
  id: string;
  trigger: BackupTrigger;
  requested_by: string | null;
  workflow_id: string | null;
  status: BackupStatus;
  phase: BackupPhase;
  bytes_done: string;
  started_at: string;
  finished_at: string | null;
  reason: string | null;
  snapshot_at: string | null;
  file_bytes: string | null;
  dump_bytes: string | null;
  file_sha256: string | null;
  table_count: number | null;
  row_count: string | null;
  audit_seq: string | null;
  postgres_version: string | null;
  copied_at: string | null;
  copy_failure: string | null;
  deleted_at: string | null;
}

const RUN_COLUMNS = `id, trigger, requested_by, workflow_id, status, phase, bytes_done, started_at, finished_at, reason,
  snapshot_at, file_bytes, dump_bytes, file_sha256, table_count, row_count, audit_seq, postgres_version, copied_at,
  copy_failure, deleted_at`;
/** What a finished backup is, for lists; the manifest holds more. */
export interface WrittenBackup {
  createdAt: string;
  fileBytes: number;
  dumpBytes: number;
  fileSha256: string;
  tableCount: number;
  rowCount: number;
  auditSeq: number;
  postgresVersion: string;
}

/** The file was written and read back: whatever comes now, there is a good backup. */
export async function recordWritten(tx: Tx, id: string, written: WrittenBackup): Promise<void> {
  await run(
    tx,
    `update backup_run set phase = 'copy', seen_at = clock_timestamp(), snapshot_at = $2, file_bytes = $3, dump_bytes = $4,
            file_sha256 = $5, table_count = $6, row_count = $7, audit_seq = $8, postgres_version = $9
      where id = $1 and status = 'running'`,
    [
      id,
      written.createdAt,
      written.fileBytes,
      written.dumpBytes,
      written.fileSha256,
      written.tableCount,
      written.rowCount,
      written.auditSeq,
      written.postgresVersion,
    ],
  );
}

export async function recordCopied(tx: Tx, id: string): Promise<void> {
  await run(tx, 'update backup_run set copied_at = clock_timestamp(), copy_failure = null where id = $1', [id]);
}

/**
 * Ends a backup run. One whose file is good has succeeded, whatever happened after that: then only the copy failed.
 * @returns the row as it ended, undefined when it was final already or unknown
 */
export async function finishBackupRun(
  tx: Tx,
  { audit }: { audit: AuditLog },
  id: string,
  end: RunEnd,
): Promise<BackupRun | undefined> {
  const reason = end.status === 'failed' ? end.reason : null;
  const ended = await row<BackupRun>(
    tx,
    `update backup_run
        set status = case when snapshot_at is null then $2 else 'succeeded' end, finished_at = clock_timestamp(),
            reason = case when snapshot_at is null then $3 end,
            copy_failure = case when snapshot_at is not null then $3 end
      where id = $1 and status = 'running' returning ${RUN_COLUMNS}`,
    [id, end.status, reason],
  );
  if (ended === undefined) return undefined;
  await audit.append(
    tx,
    runEvent('backup', id, endVerb(ended.status), ended, {
      reason: ended.reason,
      fileBytes: numberOrNull(ended.file_bytes),
      fileSha256: ended.file_sha256,
      copied: ended.copied_at !== null,
      copyFailure: ended.copy_failure,
    }),
  );
  return ended;
}

/** Records that a backup was deleted for its age. */
export async function recordDeleted(
  tx: Tx,
  { audit }: { audit: AuditLog },
  deleted: { id: string; place: 'folder' | 'copy'; createdAt: string },
): Promise<void> {
  if (deleted.place === 'folder') {
    await run(tx, 'update backup_run set deleted_at = clock_timestamp() where id = $1', [deleted.id]);
  }
  await audit.append(
    tx,
    runEvent('backup', deleted.id, 'deleted', null, { place: deleted.place, createdAt: deleted.createdAt }),
  );
}

export async function recordRestored(
  tx: Tx,
  { audit }: { audit: AuditLog },
  restored: { backupId: string; createdAt: string; forced: boolean },
): Promise<void> {
  await audit.append(tx, {
    ...runEvent('backup', restored.backupId, 'restored', null, {
      createdAt: restored.createdAt,
      forced: restored.forced,
      restoreId: uuidV7(),
    }),
    actor: { kind: 'operator' },
  });
}

/** When the state of the newest good backup was taken, as PostgreSQL text; null when there is none. */
export async function lastGoodBackupAt(tx: Tx): Promise<string | null> {
  const last = await row<{ at: string | null }>(
    tx,
    `select max(snapshot_at) as at from backup_run where status = 'succeeded' and deleted_at is null`,
  );
  return last?.at ?? null;
}

export function readBackupRun(tx: Tx, id: string): Promise<BackupRun | undefined> {
  return row<BackupRun>(tx, `select ${RUN_COLUMNS} from backup_run where id = $1`, [id]);
}

export function listBackupRuns(tx: Tx, page: PageRequest): Promise<BackupRun[]> {
  return rows<BackupRun>(tx, runsPage('backup_run', RUN_COLUMNS), pageParams(page));
}

const numberOrNull = (text: string | null) => (text === null ? null : Number(text));

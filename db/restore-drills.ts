import type { BackupStatus, BackupTrigger, DrillPhase } from '../domain/backup.ts';
import type { AuditLog } from './audit.ts';
import { endVerb, type PageRequest, pageParams, type RunEnd, runEvent, runsPage } from './backup-runs.ts';
import { row, rows, type Tx } from './sql.ts';

/** A restore drill as it stands; times are PostgreSQL text. */
export interface RestoreDrill {
  id: string;
  backup_id: string | null;
  trigger: BackupTrigger;
  requested_by: string | null;
  workflow_id: string | null;
  status: BackupStatus;
  phase: DrillPhase;
  /** Bytes restored, then entries of the audit log verified. */
  bytes_done: string;
  started_at: string;
  finished_at: string | null;
  reason: string | null;
  tables_checked: number | null;
  rows_checked: string | null;
  audit_checked: string | null;
}

const DRILL_COLUMNS = `id, backup_id, trigger, requested_by, workflow_id, status, phase, bytes_done, started_at, finished_at, reason,
  tables_checked, rows_checked, audit_checked`;

export interface DrillResult {
  tables: number;
  rows: number;
  auditEntries: number;
}

/** Ends a drill. @returns the row as it ended, undefined when it was final already or unknown */
export async function finishDrill(
  tx: Tx,
  { audit }: { audit: AuditLog },
  id: string,
  end: Exclude<RunEnd, { status: 'succeeded' }> | { status: 'succeeded'; result: DrillResult },
): Promise<RestoreDrill | undefined> {
  const result = end.status === 'succeeded' ? end.result : null;
  const ended = await row<RestoreDrill>(
    tx,
    `update restore_drill set status = $2, finished_at = clock_timestamp(), reason = $3, tables_checked = $4,
            rows_checked = $5, audit_checked = $6
      where id = $1 and status = 'running' returning ${DRILL_COLUMNS}`,
    [
      id,
      end.status,
      end.status === 'failed' ? end.reason : null,
      result?.tables ?? null,
      result?.rows ?? null,
      result?.auditEntries ?? null,
    ],
  );
  if (ended === undefined) return undefined;
  await audit.append(
    tx,
    runEvent('restore_drill', id, endVerb(ended.status), ended, {
      backupId: ended.backup_id,
      reason: ended.reason,
      ...(result ?? {}),
    }),
  );
  return ended;
}

/** Which backup a drill is about; remembered, so that its next attempt takes the same one. */
export async function chooseForDrill(tx: Tx, drillId: string, backupId: string): Promise<string> {
  const chosen = await row<{ backup_id: string }>(
    tx,
    'update restore_drill set backup_id = coalesce(backup_id, $2) where id = $1 returning backup_id',
    [drillId, backupId],
  );
  return chosen?.backup_id ?? backupId;
}

/** The last drill that came to a result; undefined when there was none. */
export function lastDrill(tx: Tx): Promise<RestoreDrill | undefined> {
  return row<RestoreDrill>(
    tx,
    `select ${DRILL_COLUMNS} from restore_drill where status in ('succeeded', 'failed') order by started_at desc limit 1`,
  );
}

export function readDrill(tx: Tx, id: string): Promise<RestoreDrill | undefined> {
  return row<RestoreDrill>(tx, `select ${DRILL_COLUMNS} from restore_drill where id = $1`, [id]);
}

export function listDrills(tx: Tx, page: PageRequest): Promise<RestoreDrill[]> {
  return rows<RestoreDrill>(tx, runsPage('restore_drill', DRILL_COLUMNS), pageParams(page));
}

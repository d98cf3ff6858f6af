import { type BackupStatus, type BackupTrigger, RUN_LOST_AFTER_MS } from '../domain/backup.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { row, rows, run, type Tx } from './sql.ts';

/** Who wants a backup or a drill. */
export interface RunRequest {
  id: string;
  trigger: BackupTrigger;
  requestedBy: string | null;
  workflowId: string | null;
}

/** Backups and restore drills are runs of one shape: one at a time, with progress, ended once. */
export type Kind = 'backup' | 'restore_drill';
const TABLE: Readonly<Record<Kind, string>> = { backup: 'backup_run', restore_drill: 'restore_drill' };
const FIRST_PHASE: Readonly<Record<Kind, string>> = { backup: 'dump', restore_drill: 'restore' };

/** A backup whose file was good when its process died is a good backup all the same. */
const GIVE_UP: Readonly<Record<Kind, string>> = {
  backup: `status = case when snapshot_at is null then 'failed' else 'succeeded' end,
    reason = case when snapshot_at is null then 'lost' end, copy_failure = case when snapshot_at is not null then 'lost' end`,
  restore_drill: `status = 'failed', reason = 'lost'`,
};

/**
 * Writes the row of a new run, unless one runs already: one backup and one drill at a time. A run that shows no sign of
 * life any more is given up first.
 *
 * @returns whether it may go on; true again for a repeat with the same id
 */
export async function beginRun(
  tx: Tx,
  { audit }: { audit: AuditLog },
  kind: Kind,
  request: RunRequest,
): Promise<boolean> {
  const table = TABLE[kind];
  const lost = await rows<{ id: string; status: BackupStatus }>(
    tx,
    `update ${table} set ${GIVE_UP[kind]}, finished_at = clock_timestamp()
      where status = 'running' and id <> $1 and seen_at < clock_timestamp() - make_interval(secs => $2)
      returning id, status`,
    [request.id, RUN_LOST_AFTER_MS / 1_000],
  );
  for (const { id, status } of lost) {
    await audit.append(tx, runEvent(kind, id, endVerb(status), null, { reason: 'lost' }));
  }
  const begun = await run(
    tx,
    `insert into ${table} (id, trigger, requested_by, workflow_id, status, phase)
     values ($1, $2, $3, $4, 'running', $5) on conflict do nothing`,
    [request.id, request.trigger, request.requestedBy, request.workflowId, FIRST_PHASE[kind]],
  );
  if (begun === 1) {
    await audit.append(tx, runEvent(kind, request.id, 'started', request, { trigger: request.trigger }));
    return true;
  }
  return (await row(tx, `select id from ${table} where id = $1 and status = 'running'`, [request.id])) !== undefined;
}

/** Shows how far a run is, and that it lives. @returns false when it was ended or given up meanwhile */
export async function showProgress(tx: Tx, kind: Kind, id: string, phase: string, bytes: number): Promise<boolean> {
  const touched = await run(
    tx,
    `update ${TABLE[kind]} set phase = $2, bytes_done = $3, seen_at = clock_timestamp()
      where id = $1 and status = 'running'`,
    [id, phase, bytes],
  );
  return touched > 0;
}

export type RunEnd = { status: 'succeeded' } | { status: 'cancelled' } | { status: 'failed'; reason: string };

export interface PageRequest {
  limit: number;
  before: { at: string; id: string } | null;
}

/** A page of rows, newest first. */
export const runsPage = (table: string, columns: string) =>
  `select ${columns} from ${table}
    where $2::timestamptz is null or (started_at, id) < ($2::timestamptz, $3::uuid)
    order by started_at desc, id desc limit $1`;
export const pageParams = ({ limit, before }: PageRequest) => [limit, before?.at ?? null, before?.id ?? null];

/** The audit entry of something that happened to a run. */
export function runEvent(
  kind: Kind,
  id: string,
  verb: 'started' | 'completed' | 'failed' | 'cancelled' | 'deleted' | 'restored',
  who: { trigger: BackupTrigger; requestedBy?: string | null; requested_by?: string | null } | null,
  details: Record<string, unknown>,
): AuditEvent {
  const user = who?.requestedBy ?? who?.requested_by ?? null;
  return {
    action: `${kind}.${verb}`,
    actor: user !== null ? { kind: 'user', id: user } : { kind: who?.trigger === 'cli' ? 'operator' : 'system' },
    subject: { kind, id },
    outcome: verb === 'failed' || verb === 'cancelled' ? 'failure' : 'success',
    details,
  };
}

/** How the audit log calls the end of a run. */
export function endVerb(status: BackupStatus): 'completed' | 'failed' | 'cancelled' {
  return status === 'failed' || status === 'cancelled' ? status : 'completed';
}

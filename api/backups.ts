import { z } from 'zod';
import type { AuditEvent } from '../db/audit.ts';
import { type BackupRun, listBackupRuns, readBackupRun } from '../db/backups.ts';
import { listDrills, type RestoreDrill, readDrill } from '../db/restore-drills.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { BACKUP_PHASES, BACKUP_STATUSES, BACKUP_TRIGGERS, DRILL_PHASES } from '../domain/backup.ts';
import { DomainError } from '../domain/errors.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { RunAcceptance } from '../workflows/contract.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { type Access, principalOf, type Route, type RouteContext, route } from './route.ts';

const BASE = '/api/admin/backups';
const readers: Access = { kind: 'session', roles: ['admin', 'auditor'], ownership: 'none' };
const operators: Access = { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true };

const when = z.iso.datetime();
const runShape = {
  workflowId: z.string().nullable().describe('Null for a run at a terminal'),
  status: z.enum(BACKUP_STATUSES),
  trigger: z.enum(BACKUP_TRIGGERS),
  requestedBy: z.uuid().nullable(),
  startedAt: when,
  finishedAt: when.nullable(),
  /** A stable code of what went wrong, for instance `dump_failed`. */
  reason: z.string().nullable(),
};
const backupSchema = z.object({
  backupId: z.uuid(),
  ...runShape,
  phase: z.enum(BACKUP_PHASES),
  bytesDone: z.number(),
  /** Set once the file was written and read back whole. */
  createdAt: when.nullable(),
  fileBytes: z.number().nullable(),
  dumpBytes: z.number().nullable(),
  fileSha256: z.string().nullable(),
  tables: z.number().nullable(),
  rows: z.number().nullable(),
  auditSeq: z.number().nullable(),
  postgresVersion: z.string().nullable(),
  copiedAt: when.nullable(),
  copyFailure: z.string().nullable(),
  deletedAt: when.nullable(),
});
const drillSchema = z.object({
  drillId: z.uuid(),
  backupId: z.uuid().nullable(),
  ...runShape,
  phase: z.enum(DRILL_PHASES),
  /** Bytes restored, then entries of the audit log verified. */
  done: z.number(),
  tablesChecked: z.number().nullable(),
  rowsChecked: z.number().nullable(),
  auditEntriesChecked: z.number().nullable(),
});
nameSchemas({ Backup: backupSchema, RestoreDrill: drillSchema });
const nothing = z.strictObject({});
const listQuery = z.object(pageQuery);

/** Backups and restore drills for administrators: lists, starting and stopping a run. Restoring is done at a terminal. */
export function createBackupRoutes({ db, audit, gateway }: ApiDeps): Route[] {
  /** The run itself is recorded by whoever does it; this is about who asked. */
  async function record(context: RouteContext, action: string, subject: AuditEvent['subject']): Promise<void> {
    const principal = principalOf(context);
    await db.transaction((tx) =>
      audit.append(tx, {
        action,
        actor: { kind: 'user', id: principal.userId },
        subject,
        outcome: 'success',
        ip: context.request.ip,
        userAgent: context.request.userAgent,
        requestId: context.request.requestId,
      }),
    );
  }

  async function cancel(workflowId: string | null): Promise<void> {
    if (workflowId === null || !(await gateway.cancelRun(workflowId))) {
      throw new DomainError('not_cancellable', 'It has ended, or it was started at a terminal: stop it there.');
    }
  }

  async function knownBackup(id: string): Promise<BackupRun> {
    const found = await readBackupRun(db.fork(), id);
    if (found === undefined) throw new DomainError('not_found', 'There is no such backup.');
    return found;
  }

  async function knownDrill(id: string): Promise<RestoreDrill> {
    const found = await readDrill(db.fork(), id);
    if (found === undefined) throw new DomainError('not_found', 'There is no such restore drill.');
    return found;
  }

  return [
    route({
      method: 'get',
      path: BASE,
      name: 'listBackups',
      summary: 'Backup runs, newest first',
      access: readers,
      query: listQuery,
      responses: { 200: { description: 'One page', schema: listSchema('BackupList', backupSchema) } },
      async handler({ query }) {
        const before = decodeCursor(query.cursor);
        const found = await listBackupRuns(db.fork(), { limit: query.limit + 1, before });
        const page = pageOf(found, query.limit, ({ started_at, id }) => ({ at: started_at, id }));
        return { status: 200, body: { items: page.items.map(viewOfBackup), nextCursor: page.nextCursor } };
      },
    }),
    route({
      method: 'post',
      path: BASE,
      name: 'startBackup',
      summary: 'Make a backup now',
      access: operators,
      body: nothing,
      responses: {
        202: { description: 'It has begun: see Location', schema: backupSchema, headers: ['Location'] },
        409: { description: 'Another backup is running' },
        503: { description: 'Backups are off, or the programs they need are missing' },
      },
      async handler(context) {
        const id = uuidV7();
        refuse(await gateway.startBackup(id, principalOf(context).userId));
        await record(context, 'backup.requested', { kind: 'backup', id });
        const body = viewOfBackup(await knownBackup(id));
        return { status: 202, headers: { Location: `${BASE}/${id}` }, body };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/restore-drills`,
      name: 'listRestoreDrills',
      summary: 'Restore drills, newest first',
      access: readers,
      query: listQuery,
      responses: { 200: { description: 'One page', schema: listSchema('RestoreDrillList', drillSchema) } },
      async handler({ query }) {
        const before = decodeCursor(query.cursor);
        const found = await listDrills(db.fork(), { limit: query.limit + 1, before });
        const page = pageOf(found, query.limit, ({ started_at, id }) => ({ at: started_at, id }));
        return { status: 200, body: { items: page.items.map(viewOfDrill), nextCursor: page.nextCursor } };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/restore-drills/{drillId}`,
      name: 'getRestoreDrill',
      summary: 'Progress or result of a restore drill',
      access: readers,
      params: z.object({ drillId: z.uuid() }),
      responses: { 200: { description: 'As it stands', schema: drillSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: viewOfDrill(await knownDrill(params.drillId)) }),
    }),
    route({
      method: 'post',
      path: `${BASE}/restore-drills/{drillId}/cancel`,
      name: 'cancelRestoreDrill',
      summary: 'Stop a restore drill; its database is dropped',
      access: operators,
      params: z.object({ drillId: z.uuid() }),
      body: nothing,
      responses: {
        202: { description: 'It is being stopped', schema: drillSchema },
        409: { description: 'It has ended already' },
      },
      async handler(context) {
        const { drillId } = context.params;
        const drill = await knownDrill(drillId);
        await cancel(drill.status === 'running' ? drill.workflow_id : null);
        await record(context, 'restore_drill.cancel_requested', { kind: 'restore_drill', id: drillId });
        return { status: 202, body: viewOfDrill(drill) };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/{backupId}`,
      name: 'getBackup',
      summary: 'Progress or result of a backup',
      access: readers,
      params: z.object({ backupId: z.uuid() }),
      responses: { 200: { description: 'As it stands', schema: backupSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: viewOfBackup(await knownBackup(params.backupId)) }),
    }),
    route({
      method: 'post',
      path: `${BASE}/{backupId}/cancel`,
      name: 'cancelBackup',
      summary: 'Stop a backup; nothing of it stays',
      access: operators,
      params: z.object({ backupId: z.uuid() }),
      body: nothing,
      responses: {
        202: { description: 'It is being stopped', schema: backupSchema },
        409: { description: 'It has ended already' },
      },
      async handler(context) {
        const { backupId } = context.params;
        const run = await knownBackup(backupId);
        await cancel(run.status === 'running' ? run.workflow_id : null);
        await record(context, 'backup.cancel_requested', { kind: 'backup', id: backupId });
        return { status: 202, body: viewOfBackup(run) };
      },
    }),
    route({
      method: 'post',
      path: `${BASE}/{backupId}/restore-drill`,
      name: 'startRestoreDrill',
      summary: 'Restore this backup into a database of its own, check it, and drop it',
      access: operators,
      params: z.object({ backupId: z.uuid() }),
      body: nothing,
      responses: {
        202: { description: 'It has begun: see Location', schema: drillSchema, headers: ['Location'] },
        404: { description: 'Unknown backup' },
        409: { description: 'Another drill is running, or there is no file of this backup (any more)' },
        503: { description: 'Drills are off, or the programs they need are missing' },
      },
      async handler(context) {
        const { backupId } = context.params;
        const run = await knownBackup(backupId);
        if (run.status !== 'succeeded' || run.deleted_at !== null) {
          throw new DomainError('illegal_transition', 'There is no file of this backup.');
        }
        const drillId = uuidV7();
        refuse(await gateway.startRestoreDrill(drillId, backupId, principalOf(context).userId));
        await record(context, 'restore_drill.requested', { kind: 'restore_drill', id: drillId });
        const body = viewOfDrill(await knownDrill(drillId));
        return { status: 202, headers: { Location: `${BASE}/restore-drills/${drillId}` }, body };
      },
    }),
  ];
}

/** @throws DomainError when the run did not begin */
function refuse(acceptance: RunAcceptance): void {
  if (acceptance.status === 'accepted') return;
  if (acceptance.code === 'already_running') throw new DomainError('backup_running', acceptance.detail);
  throw new DomainError('backups_unavailable', acceptance.detail, { reason: acceptance.code });
}

function viewOfBackup(run: BackupRun): z.input<typeof backupSchema> {
  return {
    backupId: run.id,
    ...viewOfRun(run),
    phase: run.phase,
    bytesDone: Number(run.bytes_done),
    createdAt: isoOrNull(run.snapshot_at),
    fileBytes: numberOrNull(run.file_bytes),
    dumpBytes: numberOrNull(run.dump_bytes),
    fileSha256: run.file_sha256,
    tables: run.table_count,
    rows: numberOrNull(run.row_count),
    auditSeq: numberOrNull(run.audit_seq),
    postgresVersion: run.postgres_version,
    copiedAt: isoOrNull(run.copied_at),
    copyFailure: run.copy_failure,
    deletedAt: isoOrNull(run.deleted_at),
  };
}

function viewOfDrill(drill: RestoreDrill): z.input<typeof drillSchema> {
  return {
    drillId: drill.id,
    backupId: drill.backup_id,
    ...viewOfRun(drill),
    phase: drill.phase,
    done: Number(drill.bytes_done),
    tablesChecked: drill.tables_checked,
    rowsChecked: numberOrNull(drill.rows_checked),
    auditEntriesChecked: numberOrNull(drill.audit_checked),
  };
}

function viewOfRun(run: BackupRun | RestoreDrill) {
  return {
    workflowId: run.workflow_id,
    status: run.status,
    trigger: run.trigger,
    requestedBy: run.requested_by,
    startedAt: iso(run.started_at),
    finishedAt: isoOrNull(run.finished_at),
    reason: run.reason,
  };
}

const numberOrNull = (text: string | null) => (text === null ? null : Number(text));

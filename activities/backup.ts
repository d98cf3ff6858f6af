import { ApplicationFailure, Context } from '@temporalio/activity';
import { beginRun, type Kind, type RunRequest, showProgress } from '../db/backup-runs.ts';
import { finishBackupRun } from '../db/backups.ts';
import { openIncident, resolveIncidentFor } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import { chooseForDrill, type DrillResult, finishDrill } from '../db/restore-drills.ts';
import type { Tx } from '../db/sql.ts';
import { BackupError, type BackupPhase, type DrillPhase } from '../domain/backup.ts';
import type { IncidentCause } from '../domain/incident.ts';
import type { FollowUps, RunAcceptance } from '../workflows/contract.ts';
import type { RunControl } from './backup-runner.ts';
import type { ActivityDeps } from './deps.ts';

/** How often a long activity says that it lives, and how often its row shows how far it is. */
const HEARTBEAT_MS = 5_000;
const PROGRESS_MS = 2_000;

export type BackupRunRequest = Omit<RunRequest, 'workflowId'>;
type Incidents = Pick<FollowUps, 'incidents'>;

/** How a run ended, as far as its workflow knows. */
export type RunEnding<R = undefined> =
  | { status: 'succeeded'; result: R }
  | { status: 'cancelled' }
  | { status: 'failed'; reason: string };

/** Backups and restore drills as long activities: they tell their progress, go on after a crash, and can be cancelled. */
export function createBackupActivities(deps: ActivityDeps) {
  const { db, audit, backups, log, production } = deps;

  async function begin(kind: Kind, request: BackupRunRequest, backupId: string | null): Promise<RunAcceptance> {
    const refusal = await refusalOf(() => backups.assertReady(kind));
    if (refusal) {
      const { code, message } = refusal;
      log.warn({ kind, trigger: request.trigger, code }, message);
      return { status: 'refused', code, detail: message };
    }
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? null;
    const begun = await db.transaction(async (tx) => {
      const mayGoOn = await beginRun(tx, { audit }, kind, { ...request, workflowId });
      if (mayGoOn && backupId !== null) await chooseForDrill(tx, request.id, backupId);
      return mayGoOn;
    });
    return begun
      ? { status: 'accepted' }
      : { status: 'refused', code: 'already_running', detail: 'Another one is running.' };
  }

  /** Runs `work` with heartbeats and progress; what fails for good is marked so. */
  async function lively<P extends string, R>(
    kind: Kind,
    id: string,
    firstPhase: P,
    work: (control: RunControl<P>) => Promise<R>,
  ): Promise<R> {
    const context = Context.current();
    let progress = { phase: firstPhase as string, bytes: 0 };
    const beat = setInterval(() => context.heartbeat(progress), HEARTBEAT_MS);
    const show = setInterval(() => {
      showProgress(db.fork(), kind, id, progress.phase, progress.bytes).catch((error) =>
        log.warn({ err: error, kind, id }, 'progress was not shown'),
      );
    }, PROGRESS_MS);
    try {
      context.heartbeat(progress);
      if (!(await showProgress(db.fork(), kind, id, firstPhase, 0))) {
        throw ApplicationFailure.nonRetryable('this run was given up, another one has taken its place', 'lost');
      }
      return await work({
        signal: context.cancellationSignal,
        onProgress: (phase, bytes) => {
          progress = { phase, bytes };
        },
      });
    } catch (error) {
      context.cancellationSignal.throwIfAborted();
      throw failureOf(error);
    } finally {
      clearInterval(beat);
      clearInterval(show);
    }
  }

  async function trouble(
    tx: Tx,
    cause: IncidentCause,
    id: string,
    title: string,
    reason: string,
  ): Promise<FollowUps['incidents']> {
    const incident = await openIncident(
      tx,
      { audit },
      {
        cause,
        subjectKind: 'system',
        subjectId: 'backups',
        userId: null,
        title,
        details: { id, reason },
        key: `${cause}:${id}`,
      },
    );
    return incident.opened || incident.raised ? [{ incidentId: incident.incidentId, severity: incident.severity }] : [];
  }

  async function calm(tx: Tx, cause: IncidentCause, resolution: string): Promise<FollowUps['incidents']> {
    const resolved = await resolveIncidentFor(
      tx,
      { audit },
      {
        cause,
        subjectKind: 'system',
        subjectId: 'backups',
        resolution,
        resolvedBy: null,
      },
    );
    return resolved ? [resolved] : [];
  }

  return {
    /** Writes the run's row, or says why there can be no run now. */
    beginBackup: (request: BackupRunRequest): Promise<RunAcceptance> => begin('backup', request, null),

    /** @param backupId which backup to restore; null for the newest */
    beginRestoreDrill: (request: BackupRunRequest, backupId: string | null): Promise<RunAcceptance> =>
      begin('restore_drill', request, backupId),

    /**
     * Dumps, reads back and copies, on the worker whose folder then has it. A retry starts the dump anew unless it was
     * finished: then it goes on with the copy.
     */
    async performBackup(id: string): Promise<void> {
      await lively<BackupPhase, unknown>('backup', id, 'dump', (control) => backups.perform(id, control));
    },

    performRestoreDrill: (id: string): Promise<DrillResult> =>
      lively<DrillPhase, DrillResult>('restore_drill', id, 'restore', (control) => backups.drill(id, control)),

    /** Deletes backups beyond the retention. */
    async cleanUpBackups(): Promise<{ deleted: string[]; leftovers: string[] }> {
      const context = Context.current();
      context.heartbeat();
      return backups.cleanUp(context.cancellationSignal).catch((error) => {
        throw failureOf(error);
      });
    },

    /** Ends the run's row; a failure opens an incident, a success resolves the one that was open. */
    finishBackup: (id: string, ending: RunEnding): Promise<Incidents> =>
      db.transaction((tx) =>
        once(tx, `backup:${id}:finish`, async () => {
          const ended = await finishBackupRun(tx, { audit }, id, ending);
          if (ended?.status === 'failed') {
            const reason = ended.reason ?? 'unknown';
            return { incidents: await trouble(tx, 'backup_failed', id, `A backup failed: ${reason}`, reason) };
          }
          if (ended?.copy_failure) {
            const title = `A backup was not copied to the second place: ${ended.copy_failure}`;
            return { incidents: await trouble(tx, 'backup_failed', id, title, ended.copy_failure) };
          }
          const isGood = ended?.status === 'succeeded' && ending.status === 'succeeded';
          return { incidents: isGood ? await calm(tx, 'backup_failed', 'A later backup succeeded.') : [] };
        }),
      ),

    finishRestoreDrill: (id: string, ending: RunEnding<DrillResult>): Promise<Incidents> =>
      db.transaction((tx) =>
        once(tx, `restore-drill:${id}:finish`, async () => {
          const ended = await finishDrill(tx, { audit }, id, ending);
          if (ended?.status === 'failed') {
            const reason = ended.reason ?? 'unknown';
            return {
              incidents: await trouble(tx, 'restore_drill_failed', id, `A restore drill failed: ${reason}`, reason),
            };
          }
          const isGood = ended?.status === 'succeeded';
          return {
            incidents: isGood ? await calm(tx, 'restore_drill_failed', 'A later restore drill succeeded.') : [],
          };
        }),
      ),

    /**
     * A run by the clock that could not even begin. Production has to know; a machine of a developer without PostgreSQL's
     * client programs is no emergency.
     */
    reportRefusedRun: (kind: Kind, id: string, reason: string): Promise<Incidents> =>
      db.transaction((tx) =>
        once(tx, `${kind}:${id}:refused`, async () => {
          if (!production) return { incidents: [] };
          const cause = kind === 'backup' ? 'backup_failed' : 'restore_drill_failed';
          const title = `${kind === 'backup' ? 'A backup' : 'A restore drill'} could not begin: ${reason}`;
          return { incidents: await trouble(tx, cause, id, title, reason) };
        }),
      ),
  };
}

/** What stands in the way of a run and stays there until somebody changes it; other errors are thrown on. */
async function refusalOf(check: () => Promise<void>): Promise<BackupError | null> {
  try {
    await check();
    return null;
  } catch (error) {
    if (error instanceof BackupError && !error.retryable) return error;
    throw failureOf(error);
  }
}

function failureOf(error: unknown): unknown {
  if (!(error instanceof BackupError)) return error;
  return ApplicationFailure.create({ message: error.message, type: error.code, nonRetryable: !error.retryable });
}

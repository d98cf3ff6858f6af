import { ApplicationFailure, Context } from '@temporalio/activity';
import type { CheckpointTrigger } from '../db/audit-checkpoints.ts';
import { readBackupRun } from '../db/backups.ts';
import { isDomainError } from '../domain/errors.ts';
import { checkpointName } from '../security/checkpoint.ts';
import type { AuditCheckpointResult, FollowUps } from '../workflows/contract.ts';
import { reportRefusal } from './checkpoint-incident.ts';
import type { PublishOutcome } from './checkpoint-publisher.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

export interface CheckpointRequest {
  trigger: CheckpointTrigger;
  /** The backup whose entries it has to cover. */
  backupId?: string;
}

export type CheckpointReport = AuditCheckpointResult & Pick<FollowUps, 'incidents'>;

/** Publishes checkpoints of the audit log. */
export function createCheckpointActivities({ db, audit, checkpoints, log }: ActivityDeps) {
  async function coveringOf(backupId: string | undefined): Promise<number> {
    const backup = backupId === undefined ? undefined : await readBackupRun(db.fork(), backupId);
    return backup?.audit_seq == null ? 0 : Number(backup.audit_seq) + 1;
  }

  async function publish({ trigger, backupId }: CheckpointRequest): Promise<CheckpointReport> {
    const { info, cancellationSignal: signal } = Context.current();
    const covering = await coveringOf(backupId);
    const outcome = await checkpoints.publish({ trigger, covering, signal }).catch((error) => {
      throw laterIfBehind(error);
    });
    if (outcome.status !== 'refused') return { ...resultOf(outcome), incidents: [] };
    const occasion = `${info.workflowExecution?.workflowId ?? 'audit-checkpoint'}:${info.workflowExecution?.runId}`;
    const incidents = await db.transaction((tx) => reportRefusal(tx, { audit }, outcome, occasion));
    return { ...resultOf(outcome), incidents };
  }

  return {
    /**
     * Publishes a checkpoint where something is new, as often as it is repeated. A published one that the log contradicts
     * opens a critical incident instead.
     */
    publishAuditCheckpoint: (request: CheckpointRequest): Promise<CheckpointReport> =>
      request.trigger === 'schedule'
        ? recordedRun({ db, log }, 'audit-checkpoint', () => publish(request), refusalOf)
        : publish(request),
  };
}

/** One that is refused is no success, though the activity ends well. */
function refusalOf(report: CheckpointReport): string | null {
  return report.status === 'refused' ? report.reason : null;
}

/** A tree that is still being made after an update is ready in a minute: the one refusal that a repeat mends. */
function laterIfBehind(error: unknown): unknown {
  if (!isDomainError(error) || error.code !== 'tree_behind') return error;
  return ApplicationFailure.retryable(error.detail, error.code);
}

function resultOf(outcome: PublishOutcome): AuditCheckpointResult {
  if (outcome.status === 'published') return { status: 'published', name: checkpointName(outcome.checkpoint) };
  if (outcome.status === 'unchanged') return { status: 'unchanged', name: outcome.name };
  return { status: 'refused', name: outcome.name, reason: outcome.reason };
}

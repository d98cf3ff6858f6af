import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  log,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  uuid4,
} from '@temporalio/workflow';
import type { RunEnding } from '../activities/backup.ts';
import type { Activities } from '../activities/index.ts';
import { type BackupInput, type RestoreDrillInput, type RunAcceptance, runAccepted } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { background } from './options.ts';

/**
 * Hours of work at most. They heartbeat: a worker that died is noticed in seconds, and so is a cancellation, which comes
 * with the answer to a heartbeat (the SDK sends one in four fifths of the timeout).
 */
const long = proxyActivities<Pick<Activities, 'performBackup' | 'performRestoreDrill' | 'cleanUpBackups'>>({
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '15 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '5 seconds', backoffCoefficient: 3, maximumInterval: '3 minutes', maximumAttempts: 5 },
});

/** Seconds where all is well. What is not well is told by the incident that it opens, or by the alert. */
const { publishAuditCheckpoint } = proxyActivities<Pick<Activities, 'publishAuditCheckpoint'>>({
  startToCloseTimeout: '5 minutes',
  retry: { initialInterval: '2 seconds', backoffCoefficient: 3, maximumAttempts: 4 },
});

/**
 * One backup: by the daily schedule, by a worker that found the last good one too old, or asked for by an administrator.
 * The row `backup_run` shows how far it is; whatever becomes of it, the row, the audit log and staff know.
 */
export async function backup({ backupId, trigger, requestedBy, queues }: BackupInput): Promise<void> {
  const id = backupId ?? uuid4();
  const followUps = { queues, userTag: 'system' };
  const acceptance = await begun(() => background.beginBackup({ id, trigger, requestedBy }));
  if (acceptance.status === 'refused') {
    setCurrentDetails(`refused: ${acceptance.detail}`);
    if (isByItself(trigger, acceptance)) {
      await startFollowUps(await background.reportRefusedRun('backup', id, acceptance.code), followUps);
    }
  } else {
    setCurrentDetails(`backup ${id}: dump, read back, copy`);
    const ending = await endingOf(() => long.performBackup(id));
    const { incidents } = await CancellationScope.nonCancellable(() =>
      background.finishBackup(id, ending.status === 'succeeded' ? { ...ending, result: undefined } : ending),
    );
    setCurrentDetails(`backup ${id}: ${told(ending)}`);
    await CancellationScope.nonCancellable(() => startFollowUps({ incidents }, followUps));
    if (ending.status !== 'cancelled' && patched('checkpoint-of-backup')) await publishCheckpoint(id, followUps);
    // Only after a good one: what fails for months must not end with nothing left.
    if (ending.status === 'succeeded') await long.cleanUpBackups();
  }
  await condition(allHandlersFinished);
}

/** One restore drill: the newest backup, or the one that was asked for, is restored, checked and thrown away. */
export async function restoreDrill(input: RestoreDrillInput): Promise<void> {
  const { trigger, requestedBy, queues } = input;
  const id = input.drillId ?? uuid4();
  const followUps = { queues, userTag: 'system' };
  const acceptance = await begun(() => background.beginRestoreDrill({ id, trigger, requestedBy }, input.backupId));
  if (acceptance.status === 'refused') {
    setCurrentDetails(`refused: ${acceptance.detail}`);
    if (isByItself(trigger, acceptance)) {
      await startFollowUps(await background.reportRefusedRun('restore_drill', id, acceptance.code), followUps);
    }
  } else {
    setCurrentDetails(`drill ${id}: restore, count rows, verify the audit log`);
    const ending = await endingOf(() => long.performRestoreDrill(id));
    const { incidents } = await CancellationScope.nonCancellable(() => background.finishRestoreDrill(id, ending));
    setCurrentDetails(`drill ${id}: ${told(ending)}`);
    await CancellationScope.nonCancellable(() => startFollowUps({ incidents }, followUps));
  }
  await condition(allHandlersFinished);
}

/** What a backup holds of the audit log is covered by a checkpoint outside the database. A backup is good without it. */
async function publishCheckpoint(backupId: string, followUps: Parameters<typeof startFollowUps>[1]): Promise<void> {
  try {
    const { incidents } = await publishAuditCheckpoint({ trigger: 'backup', backupId });
    await startFollowUps({ incidents }, followUps);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('no checkpoint of the audit log was published for a backup', { backupId });
  }
}

/** Begins the run and lets whoever asked for it know how that went. */
async function begun(begin: () => Promise<RunAcceptance>): Promise<RunAcceptance> {
  let acceptance: RunAcceptance | undefined;
  setHandler(runAccepted, async () => {
    await condition(() => acceptance !== undefined);
    return acceptance as RunAcceptance;
  });
  acceptance = await begin();
  return acceptance;
}

async function endingOf<R>(work: () => Promise<R>): Promise<RunEnding<R>> {
  try {
    return { status: 'succeeded', result: await work() };
  } catch (error) {
    if (isCancellation(error)) return { status: 'cancelled' };
    const cause = error instanceof ActivityFailure ? error.cause : error;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    return { status: 'failed', reason: type ?? 'interrupted' };
  }
}

/** A person who asked was answered; what was refused to the clock has to be told. One that runs already is no trouble. */
function isByItself(trigger: BackupInput['trigger'], refused: Extract<RunAcceptance, { status: 'refused' }>): boolean {
  return (trigger === 'schedule' || trigger === 'boot') && refused.code !== 'already_running';
}

function told(ending: RunEnding<unknown>): string {
  return ending.status === 'failed' ? `failed, ${ending.reason}` : ending.status;
}

import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  uuid4,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type KeyRotationInput, type RunAcceptance, runAccepted } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { background } from './options.ts';

/** Minutes to hours of work. It heartbeats: a worker that died is noticed in seconds, and so is a cancellation. */
const { reencryptFields } = proxyActivities<Pick<Activities, 'reencryptFields'>>({
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '5 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 50 },
});

/**
 * One rotation, by the monthly schedule or asked for: new generations are stored, become active when every process knows
 * them, all tokens move to the new field key, and after a grace what nothing needs any more is dropped. Old generations
 * open and verify until then, so nothing in flight notices. Cancelled in between, the next rotation does the rest.
 */
export async function keyRotation(input: KeyRotationInput): Promise<void> {
  const { trigger, scope, requestedBy, queues, settleMs, graceMs, batchSize } = input;
  const id = input.rotationId ?? uuid4();
  const followUps = { queues, userTag: 'system' };
  let acceptance: RunAcceptance | undefined;
  setHandler(runAccepted, async () => {
    await condition(() => acceptance !== undefined);
    return acceptance as RunAcceptance;
  });
  acceptance = await background.beginKeyRotation({ id, trigger, scope, requestedBy }, settleMs);
  if (acceptance.status === 'accepted') {
    setCurrentDetails(`rotation ${id}: new keys are handed out, then every field is re-encrypted`);
    const ending = await endingOf(async () => {
      await sleep(settleMs, { summary: 'until every process knows the new keys' });
      if (scope !== 'session') await reencryptFields(id, batchSize);
    });
    await CancellationScope.nonCancellable(async () => {
      await startFollowUps(await background.finishKeyRotation(id, ending), followUps);
      if (ending.status === 'succeeded') await startFollowUps(await background.remindOfSecretAges(id), followUps);
    });
    setCurrentDetails(`rotation ${id}: ${ending.status}`);
    if (ending.status === 'succeeded') {
      await sleep(graceMs, { summary: 'until old keys may be dropped' });
      const dropped = await background.dropOldKeys(graceMs);
      setCurrentDetails(`rotation ${id}: succeeded, ${dropped} old keys dropped`);
    }
  } else {
    setCurrentDetails(`refused: ${acceptance.detail}`);
  }
  await condition(allHandlersFinished);
}

async function endingOf(
  work: () => Promise<void>,
): Promise<{ status: 'succeeded' } | { status: 'cancelled' } | { status: 'failed'; reason: string }> {
  try {
    await work();
    return { status: 'succeeded' };
  } catch (error) {
    if (isCancellation(error)) return { status: 'cancelled' };
    const cause = error instanceof ActivityFailure ? error.cause : error;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    return { status: 'failed', reason: type ?? 'interrupted' };
  }
}

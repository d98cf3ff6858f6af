import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { type LockoutInput, lockoutUnlock } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { decide } from './options.ts';
import { searchAttributes } from './search-attributes.ts';

/** The lock ends by the database's clock: this timer comes a moment later, so that it never cuts a lock short. */
const GRACE_MS = 1_000;

/**
 * One lock of one account: tells the owner, waits out the time or an administrator, then unlocks and leaves the trace. What
 * keeps people out is the column that logins ask; if this workflow is late, the lock ends on time all the same.
 */
export async function lockout({
  lockoutId,
  lockedUntil,
  userTag,
  queues,
}: LockoutInput): Promise<'admin' | 'timer' | 'password_reset'> {
  let unlockAsked = false;
  setHandler(lockoutUnlock, () => {
    unlockAsked = true;
  });
  setCurrentDetails(`Locked until ${lockedUntil}`);
  await CancellationScope.nonCancellable(async () => {
    await startFollowUps(await decide.announceLockout(lockoutId), { queues, userTag });
  });
  const remaining = Date.parse(lockedUntil) - Date.now() + GRACE_MS;
  try {
    if (remaining > 0) await condition(() => unlockAsked, remaining, { summary: `locked until ${lockedUntil}` });
  } catch (error) {
    // Cancelling is an operator's way to end the lock early: nobody may stay locked without an end.
    if (!isCancellation(error)) throw error;
  }
  return CancellationScope.nonCancellable(async () => {
    const by = await decide.liftLockout(lockoutId);
    setCurrentDetails(`Unlocked by ${by}`);
    upsertSearchAttributes([{ key: searchAttributes.status, value: 'unlocked' }]);
    await condition(allHandlersFinished);
    return by;
  });
}

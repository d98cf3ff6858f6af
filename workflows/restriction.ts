import {
  CancellationScope,
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { type RestrictionInput, restrictionRecover } from './contract.ts';
import { startFollowUps } from './follow-ups.ts';
import { decide } from './options.ts';
import { searchAttributes } from './search-attributes.ts';

/**
 * One freeze of one account, from its incident to the account's recovery. What keeps everybody out is the column that
 * logins and transactions ask; this workflow carries out the steps that an administrator asks for, in the order that the
 * API has checked, until the account is restored. Cancelling it lifts nothing: an account that may be in foreign hands
 * stays frozen until somebody has verified whose it is.
 */
export function restriction({ restrictionId, linkTtlMs, userTag, queues }: RestrictionInput): Promise<'restored'> {
  // What was asked for before this run began is in its rows.
  let asked = true;
  setHandler(restrictionRecover, () => {
    asked = true;
  });
  return CancellationScope.nonCancellable(async (): Promise<'restored'> => {
    setCurrentDetails('Restricted: an administrator has to verify the identity of the owner');
    await startFollowUps(await decide.announceRestriction(restrictionId), { queues, userTag });
    for (;;) {
      await condition(() => asked);
      asked = false;
      const next = await decide.nextRecoveryStep(restrictionId);
      if (next.lifted) return 'restored';
      if (next.requestId === null) continue;
      const taken = await decide.takeRecoveryStep(restrictionId, next.requestId, linkTtlMs);
      setCurrentDetails(taken.lifted ? 'Restored' : `Restricted: ${taken.step} was carried out`);
      if (taken.lifted) upsertSearchAttributes([{ key: searchAttributes.status, value: 'restored' }]);
      await startFollowUps(taken, { queues, userTag });
      asked = true;
    }
  });
}

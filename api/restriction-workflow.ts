import { RECOVERY_LINK_TTL_MS } from '../domain/restriction.ts';
import { searchTag } from '../security/tokens.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Tells the workflow of a restriction that its rows changed, and starts it where it does not run. The rows are what
 * counts: where Temporal does not answer, `reconcile` starts the workflow within a minute, so this never fails.
 */
export async function tellRestriction(
  { gateway, keyring, log }: Pick<ApiDeps, 'gateway' | 'keyring' | 'log'>,
  { restrictionId, userId }: { restrictionId: string; userId: string },
): Promise<void> {
  try {
    await gateway.signalRecovery({
      restrictionId,
      userTag: searchTag(keyring, userId),
      linkTtlMs: RECOVERY_LINK_TTL_MS,
    });
  } catch (err) {
    log.warn({ err, restrictionId }, 'a restriction changed and its workflow could not be told');
  }
}

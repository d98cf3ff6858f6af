import type { Tier } from '../domain/limits.ts';
import type { FactorMethod } from '../domain/login.ts';
import { ENROLLED_METHODS } from './owned-factors.ts';
import { row, type Tx } from './sql.ts';

/** What a decision about money asks of the person behind an account. */
export interface AccountOwner {
  userId: string;
  email: string;
  disabled: boolean;
  restricted: boolean;
  /** Which limits hold. */
  tier: Tier;
  /** The methods they enrolled, beside their mailbox. */
  enrolled: FactorMethod[];
}

/**
 * Reads the owner under a share lock: a freeze (which locks the row alone) comes either before this decision, which then
 * sees it, or after it committed. Decisions do not wait for each other here.
 *
 * @param strength `alone` for a step that may freeze the account: two that share the row could not both go on to that
 */
export async function lockOwner(
  tx: Tx,
  userId: string,
  strength: 'share' | 'alone' = 'share',
): Promise<AccountOwner | undefined> {
  const found = await row<{
    email: string;
    disabled: boolean;
    restricted: boolean;
    tier: Tier;
    enrolled: FactorMethod[];
  }>(
    tx,
    `select email, disabled_at is not null as disabled, restricted_at is not null as restricted, tier,
            ${ENROLLED_METHODS} as enrolled
       from app_user where id = $1 ${strength === 'share' ? 'for share' : 'for no key update'}`,
    [userId],
  );
  if (found === undefined) return undefined;
  return {
    userId,
    email: found.email,
    disabled: found.disabled,
    restricted: found.restricted,
    tier: found.tier,
    enrolled: found.enrolled,
  };
}

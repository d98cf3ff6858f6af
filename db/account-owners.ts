import { row, type Tx } from './sql.ts';

/** What a decision about money asks of the person behind an account. */
export interface AccountOwner {
  userId: string;
  email: string;
  disabled: boolean;
  restricted: boolean;
  /** Has a confirmed authenticator. */
  hasTotp: boolean;
}

/**
 * Reads the owner under a share lock: a freeze (which locks the row FOR UPDATE) comes either before this decision, which
 * then sees it, or after it committed. Decisions do not wait for each other here.
 */
export async function lockOwner(tx: Tx, userId: string): Promise<AccountOwner | undefined> {
  const found = await row<{ email: string; disabled: boolean; restricted: boolean; has_totp: boolean }>(
    tx,
    `select email, disabled_at is not null as disabled, restricted_at is not null as restricted,
            exists (select from totp_factor where user_id = app_user.id and confirmed_at is not null) as has_totp
       from app_user where id = $1 for share`,
    [userId],
  );
  if (found === undefined) return undefined;
  return {
    userId,
    email: found.email,
    disabled: found.disabled,
    restricted: found.restricted,
    hasTotp: found.has_totp,
  };
}

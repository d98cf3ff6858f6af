import type { FactorMethod } from '../domain/login.ts';
import { oneRow, run, type Tx } from './sql.ts';

const HAS_TOTP = 'exists (select from totp_factor f where f.user_id = app_user.id and f.confirmed_at is not null)';
const HAS_PASSKEY = 'exists (select from webauthn_credential f where f.user_id = app_user.id)';

/**
 * SQL over a row of `app_user`: the methods they enrolled, as text[]. Recovery codes stand in for an authenticator or
 * passkey that is lost, so without one they open nothing.
 */
export const ENROLLED_METHODS = `array_remove(array[
  case when ${HAS_PASSKEY} then 'webauthn' end,
  case when ${HAS_TOTP} then 'totp' end,
  case when exists (select from recovery_code f where f.user_id = app_user.id and f.used_at is null)
        and (${HAS_TOTP} or ${HAS_PASSKEY}) then 'recovery_code' end,
  case when exists (select from security_question f where f.user_id = app_user.id) then 'security_questions' end], null)`;

/** The methods an account can sign in or step up with now: what it enrolled, and its mailbox; never its questions. */
export async function availableMethods(tx: Tx, userId: string): Promise<FactorMethod[]> {
  const { enrolled } = await oneRow<{ enrolled: FactorMethod[] }>(
    tx,
    `select ${ENROLLED_METHODS} as enrolled from app_user where id = $1`,
    [userId],
  );
  return [...enrolled.filter((method) => method !== 'security_questions'), 'email_code'];
}

/** Takes recovery codes away from somebody who has neither an authenticator nor a passkey any more. */
export async function dropOrphanedRecoveryCodes(tx: Tx, userId: string): Promise<void> {
  await run(
    tx,
    `delete from recovery_code where user_id = $1
       and not exists (select from app_user where id = $1 and (${HAS_TOTP} or ${HAS_PASSKEY}))`,
    [userId],
  );
}

/** Takes every enrolled factor away; the mailbox is left. @returns which methods there were */
export async function removeAllFactors(tx: Tx, userId: string): Promise<FactorMethod[]> {
  const removed: FactorMethod[] = [];
  for (const [method, table] of Object.entries(TABLE_OF)) {
    if ((await run(tx, `delete from ${table} where user_id = $1`, [userId])) > 0) removed.push(method as FactorMethod);
  }
  return removed;
}

const TABLE_OF = {
  totp: 'totp_factor',
  recovery_code: 'recovery_code',
  security_questions: 'security_question',
  webauthn: 'webauthn_credential',
} as const satisfies Partial<Record<FactorMethod, string>>;

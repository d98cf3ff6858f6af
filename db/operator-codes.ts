import type { Keyring } from '../security/keyring.ts';
import { uuidV7 } from '../security/uuid.ts';
import { isAccountExhausted, useTotpCode } from './factors.ts';
import { run, type Tx } from './sql.ts';

/**
 * Checks and uses up a TOTP code that came without a session, in a signal. Wrong ones count like wrong answers to any
 * challenge of the account: Temporal must not be the place where codes can be tried without end.
 */
export async function useOperatorCode(
  tx: Tx,
  keyring: Keyring,
  userId: string,
  code: string,
): Promise<'used' | 'totp_invalid' | 'too_many_codes'> {
  await run(tx, `select pg_advisory_xact_lock(hashtextextended('tradeguard.factors:' || $1, 0))`, [userId]);
  if (await isAccountExhausted(tx, userId)) return 'too_many_codes';
  if ((await useTotpCode(tx, keyring, userId, code)) !== null) return 'used';
  // A challenge of its own: the wrong answer counts for the account and for nobody's transaction or login.
  await run(
    tx,
    `insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed)
     values ($1, 'step_up', $1, $2, 'totp', false)`,
    [uuidV7(), userId],
  );
  return 'totp_invalid';
}

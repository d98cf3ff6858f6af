import type { Keyring } from '../security/keyring.ts';
import {
  newRecoveryCode,
  normalizeRecoveryCode,
  recoveryCodeMac,
  recoveryCodeMacs,
} from '../security/recovery-codes.ts';
import { uuidV7 } from '../security/uuid.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

const CODES = 10;

/** Makes ten codes; those from before stop working. @returns the codes, which are stored nowhere */
export async function issueRecoveryCodes(tx: Tx, keyring: Keyring, userId: string): Promise<string[]> {
  await run(tx, 'select from app_user where id = $1 for no key update', [userId]);
  await run(tx, 'delete from recovery_code where user_id = $1', [userId]);
  const codes = Array.from({ length: CODES }, newRecoveryCode);
  await run(
    tx,
    `insert into recovery_code (id, user_id, code_hash) select id, $1, code_hash from unnest($2::uuid[], $3::bytea[])
       as c (id, code_hash)`,
    [userId, codes.map(() => uuidV7()), codes.map((code) => recoveryCodeMac(keyring, userId, code))],
  );
  return codes;
}

/** How many codes somebody has left. */
export async function recoveryCodesLeft(tx: Tx, userId: string): Promise<number> {
  const { left } = await oneRow<{ left: number }>(
    tx,
    'select count(*)::int as left from recovery_code where user_id = $1 and used_at is null',
    [userId],
  );
  return left;
}

/** Uses a code up, in one statement that only one can win. @returns its row's id, or undefined for a wrong or used code */
export async function useRecoveryCode(
  tx: Tx,
  keyring: Keyring,
  userId: string,
  typed: string,
): Promise<string | undefined> {
  const code = normalizeRecoveryCode(typed);
  if (code === undefined) return undefined;
  const used = await row<{ id: string }>(
    tx,
    `update recovery_code set used_at = clock_timestamp()
      where user_id = $1 and code_hash = any($2) and used_at is null returning id`,
    [userId, recoveryCodeMacs(keyring, userId, code)],
  );
  return used?.id;
}

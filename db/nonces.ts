import type { SignatureRefusal } from '../security/request-signing.ts';
import { oneRow, type Tx } from './sql.ts';

/** What became of a nonce: used up now, or why the request must not pass. */
export type NonceOutcome =
  | 'fresh'
  | Extract<
      SignatureRefusal,
      'nonce_replayed' | 'timestamp_old' | 'timestamp_future' | 'key_unknown' | 'key_of_another_user' | 'key_revoked'
    >;

/**
 * Uses up the nonce of a request whose MAC was verified, in one statement: of any number of callers with the same one, one
 * gets `fresh`. Whether the key is still accepted and the time within its window is asked in the same breath.
 *
 * @returns the outcome, and the database's time in Unix seconds
 */
export async function spendNonce(
  tx: Tx,
  given: { keyId: string; userId: string; nonce: string; timestamp: string },
): Promise<{ outcome: NonceOutcome; serverTime: number }> {
  const spent = await oneRow<{ outcome: NonceOutcome; server_time: string }>(
    tx,
    'select outcome, server_time from request_nonce_spend($1, $2, $3, $4)',
    [given.keyId, given.userId, given.nonce, given.timestamp],
  );
  return { outcome: spent.outcome, serverTime: Number(spent.server_time) };
}

/** What one round of maintenance did. `strays` are nonces that found no partition, since maintenance came too late. */
export interface NonceMaintenance {
  created: number;
  dropped: number;
  strays: number;
}

/** Makes the partitions that will be needed and drops those that nothing can be replayed from. Safe at any time. */
export async function maintainNoncePartitions(tx: Tx): Promise<NonceMaintenance> {
  const done = await oneRow<{ created: number; dropped: number; strays: string }>(
    tx,
    'select created, dropped, strays from request_nonce_maintain()',
  );
  return { ...done, strays: Number(done.strays) };
}

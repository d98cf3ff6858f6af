import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Keyring } from '../security/keyring.ts';
import { syncKeyring } from './keyring.ts';
import type { Database } from './orm.ts';

export interface KeyringFollowerDeps {
  db: Database;
  keyring: Keyring;
  log: Logger;
  signal: AbortSignal;
  everyMs?: number;
}

/** How often a process looks for keys that another one made: many times between the storing of a new key and its use. */
const KEYRING_POLL_MS = 1_000;
export const KEY_SETTLE_MS = 4 * KEYRING_POLL_MS;

/** Looking because of a token with an unknown key happens at most this often: anybody can make up key ids. */
const MIN_PAUSE_MS = 250;

/**
 * Keeps a process's keyring equal to the stored one until `signal` aborts: at intervals, and at once when a token names a
 * key that is not loaded. A database that does not answer is waited for.
 */
export async function followKeyring(deps: KeyringFollowerDeps): Promise<void> {
  const { db, keyring, log, signal, everyMs = KEYRING_POLL_MS } = deps;
  let wake = new AbortController();
  keyring.onUnknownKey(() => wake.abort());
  while (!signal.aborted) {
    await sleep(MIN_PAUSE_MS, undefined, { signal }).catch(() => {});
    await sleep(everyMs - MIN_PAUSE_MS, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => {});
    wake = new AbortController();
    if (signal.aborted) return;
    try {
      await syncKeyring(db.fork(), keyring);
    } catch (error) {
      log.warn({ err: error }, 'the keyring was not brought up to date');
    }
  }
}

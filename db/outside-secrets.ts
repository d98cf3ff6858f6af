import type { Keyring } from '../security/keyring.ts';
import { iso, rows, run, type Tx } from './sql.ts';

/** A secret that no program can renew by itself: only an operator, or a provider, changes it. */
export interface OutsideSecret {
  name: string;
  /** RFC 3339: when this value was first seen. */
  since: string;
  ageDays: number;
}

/**
 * Notes since when each secret has its value. Only a keyed fingerprint is stored, which says nothing without the key that
 * is outside the database; a secret that is not set any more is forgotten by not being asked for.
 */
export async function noteOutsideSecrets(
  tx: Tx,
  keyring: Keyring,
  secrets: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  for (const [name, value] of Object.entries(secrets)) {
    if (value === undefined) continue;
    await run(
      tx,
      `insert into outside_secret as s (name, fingerprint) values ($1, $2)
       on conflict (name) do update set fingerprint = excluded.fingerprint, since = clock_timestamp()
        where s.fingerprint <> excluded.fingerprint`,
      [name, keyring.hmac('blind-index', 'outside-secret', name, value)],
    );
  }
}

/** Oldest first. */
export async function listOutsideSecrets(tx: Tx): Promise<OutsideSecret[]> {
  const found = await rows<{ name: string; since: string; days: string }>(
    tx,
    `select name, since, floor(extract(epoch from clock_timestamp() - since) / 86400) as days
       from outside_secret order by since, name`,
  );
  return found.map(({ name, since, days }) => ({ name, since: iso(since), ageDays: Number(days) }));
}

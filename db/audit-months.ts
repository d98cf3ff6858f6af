import type { ClientBase } from 'pg';
import { oneRow, type Tx } from './sql.ts';

/**
 * Makes the tables of this month and the three to come that are missing. Safe at any time and from several at once.
 *
 * @returns how many were made
 * @throws pg.DatabaseError when the lock was not got within 250 ms: try again later
 */
export async function maintainAuditMonths(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ created: number }>('select created from audit_entry_maintain()');
  return rows[0]?.created ?? 0;
}

/** Entries of the last ten minutes that found no table of their month, because none was made ahead. */
export async function strayAuditEntries(tx: Tx): Promise<number> {
  const { strays } = await oneRow<{ strays: string }>(
    tx,
    `select audit_entry_strays(clock_timestamp() - interval '10 minutes') as strays`,
  );
  return Number(strays);
}

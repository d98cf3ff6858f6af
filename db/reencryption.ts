import { decryptField, encryptField, FieldDecryptionError, fieldTokenPrefix } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import { type EncryptedColumn, encryptedColumns } from './encrypted-columns.ts';
import { oneRow, rows, run, type Tx } from './sql.ts';

/** One batch of a column. */
export interface ReencryptedBatch {
  /** Tokens that are under the active key now. */
  done: number;
  /** Rows whose token does not open: left as it is. */
  unreadable: string[];
  /** Where the next batch goes on; null when there is nothing after this one. */
  next: string | null;
}

const FIRST_ROW = '00000000-0000-0000-0000-000000000000';

/**
 * Puts up to `limit` tokens of one column under the active key, in the order of their rows after `after`. The keyring has been
 * brought up to date before: a key that is unknown then is no more. A token that
 * somebody replaces meanwhile is left to them: the update asks for the token that was read, and takes no lock before.
 */
export async function reencryptBatch(
  tx: Tx,
  keyring: Keyring,
  { table, column, rowId }: EncryptedColumn,
  { after, limit }: { after: string | null; limit: number },
): Promise<ReencryptedBatch> {
  const found = await rows<{ id: string; token: string }>(
    tx,
    `select ${rowId} as id, ${column} as token from ${table}
      where left(${column}, 24) <> $1 and ${rowId} > $2 order by ${rowId} limit $3`,
    [activePrefix(keyring), after ?? FIRST_ROW, limit],
  );
  const unreadable: string[] = [];
  const fresh: { id: string; old: string; token: string }[] = [];
  for (const { id, token } of found) {
    const place = { table, column, rowId: id };
    try {
      fresh.push({ id, old: token, token: encryptField(keyring, decryptField(keyring, token, place), place) });
    } catch (error) {
      if (!(error instanceof FieldDecryptionError)) throw error;
      unreadable.push(id);
    }
  }
  const done = await run(
    tx,
    `update ${table} as t set ${column} = u.token
       from unnest($1::uuid[], $2::text[], $3::text[]) as u (id, old, token)
      where t.${rowId} = u.id and t.${column} = u.old`,
    [fresh.map(({ id }) => id), fresh.map(({ old }) => old), fresh.map(({ token }) => token)],
  );
  return { done, unreadable, next: found.length < limit ? null : (found.at(-1)?.id ?? null) };
}

/** Tokens in all columns that are not under the active key. */
export async function countOutdated(tx: Tx, keyring: Keyring): Promise<number> {
  const prefix = activePrefix(keyring);
  const counts = encryptedColumns.map(
    ({ table, column }) => `(select count(*) from ${table} where left(${column}, 24) <> $1)`,
  );
  const { outdated } = await oneRow<{ outdated: string }>(tx, `select ${counts.join(' + ')} as outdated`, [prefix]);
  return Number(outdated);
}

/** Whether any token in any column names this key. */
export async function isFieldKeyInUse(tx: Tx, keyId: string): Promise<boolean> {
  const places = encryptedColumns.map(
    ({ table, column }) => `exists (select from ${table} where left(${column}, 24) = $1)`,
  );
  const { used } = await oneRow<{ used: boolean }>(tx, `select ${places.join(' or ')} as used`, [
    fieldTokenPrefix(keyId),
  ]);
  return used;
}

function activePrefix(keyring: Keyring): string {
  const active = keyring.generations('field').find((key) => key.active);
  if (active === undefined) throw new Error('there is no active field key');
  return fieldTokenPrefix(active.keyId);
}

import { oneRow, row, run, type Tx } from './sql.ts';

/**
 * Makes an effect exactly once per business key, in the caller's transaction: the key goes in first, the effect's result
 * is stored beside it, and both commit together. A second caller waits on the key's unique index; when the first has
 * committed it reads the stored result in a new statement (READ COMMITTED sees it), when the first rolled back it goes on.
 *
 * @param key business key, `{workflowId}:{step}`
 * @param effect the effect; its result must survive JSON (it is read back by repeats)
 */
export async function once<T>(tx: Tx, key: string, effect: () => Promise<T>): Promise<T> {
  const claimed = await run(tx, `insert into once (key, result) values ($1, 'null') on conflict (key) do nothing`, [
    key,
  ]);
  if (claimed === 0) {
    const stored = await row<{ result: { value: T } }>(tx, 'select result from once where key = $1', [key]);
    if (stored === undefined) throw new Error(`the idempotency key ${key} vanished while it was read`);
    return stored.result.value;
  }
  const value = await effect();
  await oneRow(tx, 'update once set result = $2::jsonb where key = $1 returning key', [
    key,
    JSON.stringify({ value: value ?? null }),
  ]);
  return value;
}

import type { EntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';

/** A database transaction (or, outside of one, a fork that takes a pooled connection per statement). */
export type Tx = EntityManager;

/**
 * Runs one parameterised statement (`$1`, `$2`, ... are bound by the server, never spliced into the text) inside the
 * transaction of `tx` where there is one, and returns its rows. Timestamps arrive as PostgreSQL text, bigint as strings.
 */
export async function rows<T>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<T[]> {
  const executor = tx.getTransactionContext<ReturnType<typeof client>>() ?? client(tx);
  const result = await executor.executeQuery(CompiledQuery.raw(text, [...params]));
  return result.rows as T[];
}

/** The first row of a statement, or undefined. */
export async function row<T>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<T | undefined> {
  return (await rows<T>(tx, text, params))[0];
}

/** Like {@link row}, for statements that return a row by construction. Throws when none comes. */
export async function oneRow<T>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<T> {
  const first = await row<T>(tx, text, params);
  if (first === undefined) throw new Error('a statement that must return a row returned none');
  return first;
}

/** Runs a statement for its effect; returns how many rows it touched. */
export async function run(tx: Tx, text: string, params: readonly unknown[] = []): Promise<number> {
  const executor = tx.getTransactionContext<ReturnType<typeof client>>() ?? client(tx);
  const result = await executor.executeQuery(CompiledQuery.raw(text, [...params]));
  return Number(result.numAffectedRows ?? 0n);
}

/** PostgreSQL's text of a timestamptz as RFC 3339 in UTC with milliseconds. */
export function iso(timestamp: string): string {
  return new Date(timestamp).toISOString();
}

/** {@link iso} for nullable columns. */
export function isoOrNull(timestamp: string | null): string | null {
  return timestamp === null ? null : iso(timestamp);
}

function client(tx: Tx) {
  return tx.getConnection().getClient();
}

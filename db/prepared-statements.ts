import { createHash } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';

/** Texts that get a name of their own. What is built anew for every call must not fill the server's memory with plans. */
const MAX_STATEMENTS = 500;

const names = new Map<string, string>();

/**
 * Has every parameterised statement of a pool prepared once a connection, under a name made of its text. PostgreSQL spends
 * more time on parsing and planning our statements than on running them, and a session keeps a named one. Needs a
 * connection of its own for each session: behind PgBouncer that is session pooling, or 1.21 with
 * `max_prepared_statements`.
 */
export function prepareStatements(pool: Pool): void {
  pool.on('connect', (client: PoolClient) => {
    const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
    client.query = ((text: unknown, values: unknown, ...rest: unknown[]) => {
      const statement = preparedStatement(text, values);
      return statement === undefined ? query(text, values, ...rest) : query(statement, ...rest);
    }) as typeof client.query;
  });
}

/** A statement under the name of its text. */
export type NamedStatement = { readonly name: string; readonly text: string; readonly values: unknown[] };

/** What a query is sent as by {@link prepareStatements}; undefined for one that is sent as it is. */
export function preparedStatement(text: unknown, values: unknown): NamedStatement | undefined {
  if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return undefined;
  const name = nameOf(text);
  return name === undefined ? undefined : { name, text, values };
}

/** A text that is one statement, for those that are the same at every call: parsed once a connection, parameters or none. */
export function namedStatement(text: string): (...values: unknown[]) => NamedStatement {
  const name = nameFor(text);
  return (...values) => ({ name, text, values });
}

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_STATEMENTS) return known;
  const name = nameFor(text);
  names.set(text, name);
  return name;
}

function nameFor(text: string): string {
  return `tradeguard_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
}

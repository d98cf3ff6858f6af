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
      const name = typeof text === 'string' && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined;
      return name === undefined ? query(text, values, ...rest) : query({ name, text, values }, ...rest);
    }) as typeof client.query;
  });
}

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_STATEMENTS) return known;
  const name = `tradeguard_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
  names.set(text, name);
  return name;
}

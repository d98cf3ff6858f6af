import type { Pool, PoolClient } from 'pg';

type Answer = Promise<unknown>;
type Query = (...parameters: unknown[]) => Answer;

const deferred = new Set<string>();

/**
 * Marks a statement whose answer nobody uses. Inside a transaction it is kept and sent together with the transaction's next
 * statement, its commit at the latest, which spares a round trip of its own: that costs several times what PostgreSQL
 * spends on a small insert. The order of statements stays, so whoever reads afterwards sees what it wrote. When it
 * fails, the statement that it travelled with fails with its error; PostgreSQL refuses to commit then.
 *
 * @returns the text itself
 */
export function sentWithTheNext(text: string): string {
  deferred.add(text);
  return text;
}

/** Keeps what {@link sentWithTheNext} marked back, on every connection of a pool whose clients are made with `pipeline`. */
export function deferStatements(pool: Pool): void {
  pool.on('connect', (client: PoolClient) => {
    const query = client.query.bind(client) as Query;
    let kept: [text: string, values: unknown[]][] = [];
    client.query = ((text: unknown, values: unknown, ...rest: unknown[]) => {
      if (typeof text === 'string' && deferred.has(text) && client.getTransactionStatus() === 'T') {
        kept.push([text, values as unknown[]]);
        return Promise.resolve(NOTHING);
      }
      const before = kept;
      if (before.length === 0) return query(text, values, ...rest);
      kept = [];
      // What would be undone at once is not worth sending.
      if (text === 'rollback') return query(text, values, ...rest);
      const { stream } = client.connection;
      stream.cork();
      try {
        return lastOf([...before.map((one) => query(...one)), query(text, values, ...rest)]);
      } finally {
        stream.uncork();
      }
    }) as typeof client.query;
  });
}

const NOTHING = { command: 'INSERT', rowCount: 0, rows: [] };

/** The last answer once all are there; the first error when one fails, since those behind it only say that there was one. */
async function lastOf(answers: Answer[]): Answer {
  const settled = await Promise.allSettled(answers);
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
  return answers.at(-1);
}

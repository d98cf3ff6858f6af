import pg from 'pg';

/**
 * Entries are looked up seal by seal, in the order of the seals. Left to itself the planner reads all entries there are for
 * every range, joins, and sorts on disk, and nothing is sent before that is done. What it believes that such a range costs also
 * makes it compile expressions for each, which takes longer than it saves.
 */
const IN_ORDER =
  '-c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c enable_sort=off -c max_parallel_workers_per_gather=0 -c jit=off';

/** A connection that reads long ranges of the audit log and nothing else. @throws errors of the connection */
export async function connectForAudit(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'tradeguard-audit-verify',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: `-c timezone=UTC -c statement_timeout=300000 -c default_transaction_read_only=on ${IN_ORDER}`,
  });
  // An error between queries: the next query fails.
  client.on('error', () => {});
  await client.connect();
  return client;
}

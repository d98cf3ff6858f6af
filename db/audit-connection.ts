import pg from 'pg';

/** A connection that reads long ranges of the audit log and nothing else. @throws errors of the connection */
export async function connectForAudit(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'tradeguard-audit-verify',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    options: '-c timezone=UTC -c statement_timeout=300000 -c default_transaction_read_only=on',
  });
  // An error between queries: the next query fails.
  client.on('error', () => {});
  await client.connect();
  return client;
}

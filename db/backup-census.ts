import pg from 'pg';

/** What a database held at one moment: the yardstick that a restored one is measured with. */
export interface Census {
  /** RFC 3339. */
  at: string;
  /** For instance `15.14`. */
  serverVersion: string;
  serverMajor: number;
  /** Names the installation: the origin of its audit log. */
  origin: string;
  /** Rows by table. */
  tables: Record<string, number>;
  /** Last seal of the audit chain, seq -1 and an empty hash where nothing is sealed. */
  audit: { seq: number; hash: string };
  migrations: string[];
}

export interface Snapshot {
  /** For `pg_dump --snapshot`. */
  id: string;
  census: Census;
  /** Ends the transaction; until then the snapshot can be dumped. */
  close(): Promise<void>;
}

/**
 * Partitions of used nonces come and go every ten minutes and are worth nothing after that. A dump that held a lock on
 * them would keep them from being dropped; they are neither dumped nor counted.
 */
export const EPHEMERAL_TABLES = 'request_nonce_[0-9]*';
const IS_EPHEMERAL = '^request_nonce_[0-9]+$';

/**
 * Opens a snapshot and counts what is in it. A dump of the same snapshot holds exactly the counted rows, whatever is
 * written meanwhile.
 */
export async function openSnapshot(url: string, signal?: AbortSignal): Promise<Snapshot> {
  const client = await connect(url, signal);
  try {
    await client.query('begin isolation level repeatable read read only');
    const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id');
    const census = await takeCensus(client, signal);
    return { id: rows[0]?.id ?? '', census, close: () => client.end() };
  } catch (error) {
    await client.end().catch(() => {});
    signal?.throwIfAborted();
    throw error;
  }
}

/** Counts what a database holds now. */
export async function censusOf(url: string, signal?: AbortSignal): Promise<Census> {
  const client = await connect(url, signal);
  try {
    return await takeCensus(client, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Number of tables in a database outside the system's schemas. */
export async function countTables(url: string): Promise<number> {
  const client = await connect(url);
  try {
    return (await tableNames(client)).length;
  } finally {
    await client.end();
  }
}

/** Major version of a server, and the version's text. */
export async function serverVersion(url: string): Promise<{ version: string; major: number }> {
  const client = await connect(url);
  try {
    return await versionOf(client);
  } finally {
    await client.end();
  }
}

/** A cancellation ends the connection, also in the middle of a count that takes long or waits for a lock. */
async function connect(url: string, signal?: AbortSignal): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'tradeguard-backup',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    // The transaction stays open for as long as the dump takes.
    options: '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=30000 -c timezone=UTC',
  });
  // An error between queries: the next query fails.
  client.on('error', () => {});
  await client.connect();
  signal?.addEventListener('abort', () => void client.end().catch(() => {}), { once: true });
  return client;
}

async function takeCensus(client: pg.Client, signal: AbortSignal | undefined): Promise<Census> {
  const { version, major } = await versionOf(client);
  const tables: Record<string, number> = {};
  for (const { name, sql } of await tableNames(client)) {
    signal?.throwIfAborted();
    const { rows } = await client.query<{ count: string }>(`select count(*) as count from only ${sql}`);
    tables[name] = Number(rows[0]?.count);
  }
  const { rows: facts } = await client.query<{ at: string; origin: string; seq: string | null; hash: string | null }>(
    `select to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, o.origin, s.seq,
            encode(s.hash, 'hex') as hash
       from audit_log_origin o left join (select seq, hash from audit_seal order by seq desc limit 1) s on true`,
  );
  const [fact] = facts;
  if (fact === undefined) throw new Error('the audit log has no origin: run the migrations');
  const { rows: migrations } = await client.query<{ name: string }>('select name from schema_migration order by id');
  return {
    at: fact.at,
    serverVersion: version,
    serverMajor: major,
    origin: fact.origin,
    tables,
    audit: { seq: Number(fact.seq ?? -1), hash: fact.hash ?? '' },
    migrations: migrations.map(({ name }) => name),
  };
}

async function tableNames(client: pg.Client): Promise<{ name: string; sql: string }[]> {
  const { rows } = await client.query<{ name: string; sql: string }>(
    `select n.nspname || '.' || c.relname as name, format('%I.%I', n.nspname, c.relname) as sql
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
        and c.relname !~ '${IS_EPHEMERAL}'
      order by 1`,
  );
  return rows;
}

async function versionOf(client: pg.Client): Promise<{ version: string; major: number }> {
  const { rows } = await client.query<{ version: string; number: number }>(
    `select split_part(current_setting('server_version'), ' ', 1) as version,
            current_setting('server_version_num')::int as number`,
  );
  return { version: rows[0]?.version ?? '', major: Math.floor((rows[0]?.number ?? 0) / 10_000) };
}

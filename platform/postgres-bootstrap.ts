import pg from 'pg';

export const DATABASE = 'tradeguard';
export const OWNER_ROLE = 'tradeguard_owner';
export const APP_ROLE = 'tradeguard_app';
export const BACKUP_ROLE = 'tradeguard_backup';
export const DRILL_ROLE = 'tradeguard_drill';

export interface ClusterPasswords {
  readonly superuser: string;
  readonly owner: string;
  readonly app: string;
  readonly backup: string;
  readonly drill: string;
}

/** The URL of one role of a cluster on loopback. */
export function clusterUrl(port: number, user: string, password: string, database: string = DATABASE): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

/** The URLs of a cluster's roles. That of restore drills goes to another database than the live one. */
export function clusterUrls(port: number, passwords: ClusterPasswords) {
  return {
    url: clusterUrl(port, APP_ROLE, passwords.app),
    ownerUrl: clusterUrl(port, OWNER_ROLE, passwords.owner),
    backupUrl: clusterUrl(port, BACKUP_ROLE, passwords.backup),
    drillUrl: clusterUrl(port, DRILL_ROLE, passwords.drill, 'postgres'),
  };
}

/**
 * Waits until the cluster accepts connections.
 * @throws after `timeoutMs`, or as soon as `hasExited` says that the server is gone.
 */
export async function waitForCluster(url: string, timeoutMs: number, hasExited: () => boolean): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (hasExited()) throw new Error('PostgreSQL ended while it was starting.');
      if (Date.now() >= deadline) throw new Error(`PostgreSQL is not ready: ${(error as Error).message}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * Makes the database and its roles where they are missing, and sets their passwords. Safe to repeat. The owner may create
 * databases; the application's role may only log in; the backup's reads everything and writes nothing; the one of restore
 * drills makes databases of its own and cannot reach the live one, since a restore runs what the dump says.
 */
export async function bootstrapCluster(port: number, passwords: ClusterPasswords): Promise<void> {
  await withClient(clusterUrl(port, 'postgres', passwords.superuser, 'postgres'), async (client) => {
    // A failing statement is logged with its text, and these hold passwords.
    await client.query('SET log_min_error_statement = panic');
    await ensureRole(client, OWNER_ROLE, 'CREATEDB', passwords.owner);
    await ensureRole(client, APP_ROLE, 'NOCREATEDB', passwords.app);
    await ensureRole(client, BACKUP_ROLE, 'NOCREATEDB', passwords.backup);
    await client.query(`GRANT pg_read_all_data TO ${BACKUP_ROLE}`);
    await ensureRole(client, DRILL_ROLE, 'CREATEDB', passwords.drill);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER_ROLE}`);
    await client.query(`REVOKE ALL ON DATABASE ${DATABASE} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${DATABASE} TO ${APP_ROLE}, ${BACKUP_ROLE}`);
  });
  await withClient(clusterUrl(port, 'postgres', passwords.superuser), async (client) => {
    await client.query(`ALTER SCHEMA public OWNER TO ${OWNER_ROLE}`);
    await client.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    await client.query(`GRANT USAGE ON SCHEMA public TO ${APP_ROLE}`);
  });
}

async function ensureRole(client: pg.Client, role: string, createdb: string, password: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const attributes = `LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION ${createdb} PASSWORD ${pg.escapeLiteral(password)}`;
  await client.query(`${rowCount ? 'ALTER' : 'CREATE'} ROLE ${role} ${attributes}`);
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

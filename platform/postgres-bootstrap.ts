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

/** Where each role will connect: the names, passwords and the database are taken from these. */
export interface DatabaseUrls {
  /** Of the application, which owns nothing. */
  readonly url: string;
  /** Of the role that owns the tables. */
  readonly ownerUrl: string;
  /** Of the role that reads everything and changes nothing; undefined where backups are made otherwise. */
  readonly backupUrl: string | undefined;
  /** Of the role that makes databases for restore drills. */
  readonly drillUrl: string | undefined;
}

/** As {@link bootstrapDatabase}, for a cluster on loopback whose superuser is `postgres`. */
export function bootstrapCluster(port: number, passwords: ClusterPasswords): Promise<void> {
  return bootstrapDatabase(clusterUrl(port, 'postgres', passwords.superuser, 'postgres'), clusterUrls(port, passwords));
}

/**
 * Makes the database and its roles where they are missing, and sets their passwords. Safe to repeat. The owner may create
 * databases; the application's role may only log in; the backup's reads everything and writes nothing; the one of restore
 * drills makes databases of its own and cannot reach the live one, since a restore runs what the dump says.
 *
 * @param adminUrl of a superuser, to any other database of the same server
 */
export async function bootstrapDatabase(adminUrl: string, urls: DatabaseUrls): Promise<void> {
  const [owner, app] = [roleOf(urls.ownerUrl), roleOf(urls.url)];
  const backup = urls.backupUrl === undefined ? undefined : roleOf(urls.backupUrl);
  const drill = urls.drillUrl === undefined ? undefined : roleOf(urls.drillUrl);
  const [ownerName, appName] = [owner, app].map(({ name }) => pg.escapeIdentifier(name)) as [string, string];
  const name = databaseOf(urls.ownerUrl);
  const database = pg.escapeIdentifier(name);
  await withClient(adminUrl, async (client) => {
    // A failing statement is logged with its text, and these hold passwords.
    await client.query('SET log_min_error_statement = panic');
    await ensureRole(client, owner, 'CREATEDB');
    await ensureRole(client, app, 'NOCREATEDB');
    if (backup) {
      await ensureRole(client, backup, 'NOCREATEDB');
      await client.query(`GRANT pg_read_all_data TO ${pg.escapeIdentifier(backup.name)}`);
    }
    if (drill) await ensureRole(client, drill, 'CREATEDB');
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (!rowCount) await client.query(`CREATE DATABASE ${database} OWNER ${ownerName}`);
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${appName}`);
    if (backup) await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${pg.escapeIdentifier(backup.name)}`);
  });
  const inside = new URL(adminUrl);
  inside.pathname = `/${encodeURIComponent(name)}`;
  await withClient(inside.href, async (client) => {
    await client.query(`ALTER SCHEMA public OWNER TO ${ownerName}`);
    await client.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    await client.query(`GRANT USAGE ON SCHEMA public TO ${appName}`);
  });
}

interface RoleLogin {
  readonly name: string;
  readonly password: string;
}

function roleOf(url: string): RoleLogin {
  const { username, password } = new URL(url);
  if (username === '' || password === '') throw new Error('A database URL names no role or no password.');
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}

const databaseOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1));

async function ensureRole(client: pg.Client, { name, password }: RoleLogin, createdb: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
  const attributes = `LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION ${createdb} PASSWORD ${pg.escapeLiteral(password)}`;
  await client.query(`${rowCount ? 'ALTER' : 'CREATE'} ROLE ${pg.escapeIdentifier(name)} ${attributes}`);
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

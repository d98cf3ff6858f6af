import pg from 'pg';

const PREFIX = 'tradeguard_drill_';

/** The database that a drill restores into: named after the drill, so that every attempt finds the same one. */
export const scratchName = (drillId: string): string => `${PREFIX}${drillId.replaceAll('-', '')}`;

/**
 * Makes an empty database for a drill, after dropping what an earlier attempt may have left under the name. Nobody but its
 * owner may connect: it is about to hold everything that the live one holds.
 *
 * @param serverUrl of a role with CREATEDB; the database in it is only where the connection goes
 * @returns the URL of the new database
 */
export async function createScratch(serverUrl: string, drillId: string): Promise<string> {
  const name = scratchName(drillId);
  await administrate(serverUrl, async (client) => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name} template template0 encoding 'UTF8'`);
    await client.query(`revoke all on database ${name} from public`);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Drops a drill's database; does nothing where there is none. */
export async function dropScratch(serverUrl: string, drillId: string): Promise<void> {
  await administrate(serverUrl, (client) =>
    client.query(`drop database if exists ${scratchName(drillId)} with (force)`),
  );
}

/** Ids of the drills whose databases are still there, of this role alone. */
export async function remainingScratches(serverUrl: string): Promise<string[]> {
  const names: string[] = [];
  await administrate(serverUrl, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      `select datname from pg_database
        where datname ~ '^${PREFIX}[0-9a-f]{32}$' and datdba = (select oid from pg_roles where rolname = current_user)`,
    );
    names.push(...rows.map(({ datname }) => datname));
  });
  return names.map((name) => name.slice(PREFIX.length).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
}

async function administrate(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'tradeguard-restore-drill',
    connectionTimeoutMillis: 10_000,
    options: '-c statement_timeout=0 -c lock_timeout=30000',
  });
  client.on('error', () => {});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

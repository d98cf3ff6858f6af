import pg from 'pg';
import { migrate } from '../../db/migrate.ts';

/** Makes and migrates the database that `createDatabase` copies. */
export async function createTemplate(urls: { ownerUrl: string; appUrl: string }, name: string): Promise<void> {
  await administrate(urls.ownerUrl, (client) => client.query(`create database ${name}`));
  await migrate({ ownerUrl: withDatabase(urls.ownerUrl, name), appRole: new URL(urls.appUrl).username });
}

/** Drops every database whose name starts so and that nobody is connected to. */
export async function dropDatabases(ownerUrl: string, prefix: string): Promise<void> {
  await administrate(ownerUrl, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'select datname from pg_database where starts_with(datname, $1)',
      [prefix],
    );
    // One that a failed test left connections to stays behind; it must not hide what the test said.
    for (const { datname } of rows) await client.query(`drop database ${datname} with (force)`).catch(() => {});
  });
}

/** Runs statements as the owner, outside any database of the tests. */
export async function administrate(ownerUrl: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The same server and role, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

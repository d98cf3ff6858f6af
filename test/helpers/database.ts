import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createOrm, type Database } from '../../db/orm.ts';
import { eventually } from './eventually.ts';
import { administrate, withDatabase } from './template.ts';

export interface TestDatabase {
  readonly name: string;
  /** As the application's role. */
  readonly url: string;
  readonly db: Database;
  /** As the owner of the tables, for what the application may not do. */
  readonly ownerUrl: string;
  readonly ownerDb: Database;
  close(): Promise<void>;
}

/** A database of its own with the whole schema: a copy of the run's template, so it costs a tenth of a migration. */
export async function createDatabase(): Promise<TestDatabase> {
  const { ownerUrl, appUrl, template, databasePrefix } = inject('servers');
  const name = `${databasePrefix}_${randomBytes(4).toString('hex')}`;
  await administrate(ownerUrl, (client) => client.query(`create database ${name} template ${template}`));
  const urls = { url: withDatabase(appUrl, name), ownerUrl: withDatabase(ownerUrl, name) };
  const db = await createOrm({ databaseUrl: urls.url, poolMax: 30, applicationName: 'test' });
  const ownerDb = await createOrm({ databaseUrl: urls.ownerUrl, poolMax: 3, applicationName: 'test-owner' });
  return {
    name,
    ...urls,
    db,
    ownerDb,
    async close() {
      await Promise.all([db.close(), ownerDb.close()]);
      // A session of the application's role that is still ending may not be ended by the owner: it is waited for.
      await eventually(
        () =>
          administrate(ownerUrl, (client) => client.query(`drop database if exists ${name} with (force)`)).then(
            () => true,
          ),
        { what: `the end of database ${name}`, timeoutMs: 10_000 },
      );
    },
  };
}

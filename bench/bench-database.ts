import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../db/migrate.ts';
import type { LocalPostgres } from '../platform/local-postgres.ts';

/** A database of its own, migrated, on a server that was started for a bench. @returns its URL as the owner */
export async function createDatabase(
  postgres: Pick<LocalPostgres, 'ownerUrl' | 'url'>,
  prefix: string,
): Promise<string> {
  const name = `${prefix}_${randomBytes(4).toString('hex')}`;
  const url = new URL(postgres.ownerUrl);
  const owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  await owner.query(`create database ${name}`);
  await owner.end();
  url.pathname = `/${name}`;
  await migrate({ ownerUrl: url.href, appRole: new URL(postgres.url).username });
  return url.href;
}

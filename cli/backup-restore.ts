import type { KeyObject } from 'node:crypto';
import pg from 'pg';
import type { BackupRunner } from '../activities/backup-runner.ts';
import { reasonOf } from '../activities/checkpoint-places.ts';
import type { CheckpointPublisher, Refusal } from '../activities/checkpoint-publisher.ts';
import { acceptRestore } from '../activities/checkpoint-restore.ts';
import type { AuditLog } from '../db/audit.ts';
import { censusOf, countTables } from '../db/backup-census.ts';
import { recordRestored } from '../db/backups.ts';
import { migrate } from '../db/migrate.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { eraseAgain } from '../db/subject-erasure.ts';
import { readShreddings, type Shredding } from '../db/subject-keys.ts';
import { BackupError } from '../domain/backup.ts';
import type { BackupManifest } from '../platform/backup-manifest.ts';
import { sealLog } from './seal-log.ts';

export interface RestoreRequest {
  runner: BackupRunner;
  audit: AuditLog;
  auditKey: KeyObject;
  /** Opens the places of checkpoints for the restored log. */
  publisherFor: (db: Database) => CheckpointPublisher;
  /** Of the database that the installation works with. */
  installationUrl: string;
  backupId: string;
  /** Of the role that will own everything; the database in it is the target. */
  targetUrl: string;
  /** The application's role, which is granted what this version's migrations grant. */
  appRole: string;
  /** Other roles that may connect, where the server has them: the one that makes backups. */
  otherRoles: readonly string[];
  /** Takes the place of a database that is not empty; that one stays under another name. */
  force: boolean;
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}

export interface Restored {
  manifest: BackupManifest;
  /** Where the former content lies now; null when there was none. */
  setAside: string | null;
  log: RestoredLog;
  /**
   * Keys of persons that the backup brought back and that were destroyed again, since the database that was replaced, or
   * else the installation's, says they were; null where there is none to say so.
   */
  erasedAgain: number | null;
}

/** How the restored audit log stands to what is published of it. */
export type RestoredLog =
  | { status: 'whole' }
  /** Published entries from `kept` on are lost: accepted, because this restore was asked for. */
  | { status: 'accepted'; fork: number; kept: number; lost: number }
  | Pick<Refusal, 'status' | 'reason'>
  /** It lies beside the installation's database, whose log goes on: nothing was accepted or published for it. */
  | { status: 'apart' }
  /** The places of checkpoints did not answer: it is still to be done. */
  | { status: 'unknown'; reason: string };

/**
 * Restores a backup for good. Into an empty database it goes in one transaction. In place of one that is not empty it is
 * restored beside it, checked, and only then given its name: whatever fails before leaves the old one as it was.
 *
 * @throws BackupError `target_not_empty` and those of the restore
 */
export async function restoreForGood(request: RestoreRequest): Promise<Restored> {
  const { targetUrl, force } = request;
  const tables = await countTables(targetUrl);
  if (tables === 0) {
    const shreddings = await shreddingsIn(request.installationUrl);
    const { manifest, restoredSize, erasedAgain } = await fill(request, targetUrl, shreddings);
    return { manifest, setAside: null, log: await settle(request, targetUrl, restoredSize), erasedAgain };
  }
  const target = databaseIn(targetUrl);
  if (!force) {
    throw new BackupError(
      'target_not_empty',
      `The database ${target} holds ${tables} tables. Name an empty one, or use --force: it is then set aside under another name.`,
    );
  }
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const [fresh, aside] = [`${target}_restored_${stamp}`, `${target}_before_${stamp}`];
  const filled = await withClient(besides(targetUrl, 'postgres'), async (client) => {
    await refuseSessions(client, target);
    await client.query(`create database ${quote(fresh)} template template0 encoding 'UTF8'`);
    try {
      const done = await fill(request, besides(targetUrl, fresh), await shreddingsIn(targetUrl));
      await refuseSessions(client, target);
      await client.query(`alter database ${quote(target)} rename to ${quote(aside)}`);
      await client.query(`alter database ${quote(fresh)} rename to ${quote(target)}`).catch(async (error) => {
        await client.query(`alter database ${quote(aside)} rename to ${quote(target)}`);
        throw error;
      });
      return done;
    } catch (error) {
      await client.query(`drop database if exists ${quote(fresh)} with (force)`);
      throw error;
    }
  });
  // Not before the database has its name: what is published stays published.
  const log = await settle(request, targetUrl, filled.restoredSize);
  return { manifest: filled.manifest, setAside: aside, log, erasedAgain: filled.erasedAgain };
}

/** The database's own rules of who may connect, the backup's content, and what came after it: migrations and grants. */
async function fill(request: RestoreRequest, url: string, shreddings: Shredding[] | null): Promise<Filled> {
  const { runner, audit, backupId, appRole, otherRoles, force, onProgress, signal } = request;
  const database = quote(databaseIn(url));
  await withClient(url, async (client) => {
    await client.query(`revoke all on database ${database} from public`);
    const { rows } = await client.query<{ name: string }>(
      'select rolname as name from pg_roles where rolname = any($1)',
      [[appRole, ...otherRoles]],
    );
    for (const { name } of rows) await client.query(`grant connect on database ${database} to ${quote(name)}`);
  });
  const manifest = await runner.archive.restore(backupId, { url, singleTransaction: true }, { onProgress, signal });
  const { tables } = await censusOf(url, signal);
  const wrong = Object.keys(manifest.tables).filter((name) => tables[name] !== manifest.tables[name]);
  if (wrong.length > 0) throw new BackupError('restore_failed', `the rows of ${wrong.join(', ')} are not complete`);
  const restoredSize = await sealedIn(url);
  await migrate({ ownerUrl: url, appRole });
  const restored = await createOrm({ databaseUrl: url, poolMax: 2, applicationName: 'tradeguard-restore' });
  try {
    const erasedAgain = await restored.transaction(async (tx) => {
      await recordRestored(tx, { audit }, { backupId, createdAt: manifest.createdAt, forced: force });
      return shreddings === null ? null : eraseAgain(tx, { audit }, shreddings, 'restore');
    });
    return { manifest, restoredSize, erasedAgain };
  } finally {
    await restored.close();
  }
}

interface Filled {
  manifest: BackupManifest;
  /** Sealed entries of the restored log, before anything was added to it. */
  restoredSize: number;
  erasedAgain: number | null;
}

/**
 * Whose keys were destroyed, as the database says that the backup is older than. Null where it says nothing: it is empty,
 * from before there were such keys, or so damaged that it cannot be read, which is no reason not to restore.
 */
async function shreddingsIn(url: string): Promise<Shredding[] | null> {
  const db = await createOrm({ databaseUrl: url, poolMax: 1, applicationName: 'tradeguard-restore' });
  try {
    return await readShreddings(db.fork());
  } catch {
    return null;
  } finally {
    await db.close();
  }
}

/** Which database an address leads to, whatever it is called on the way. */
const identityOf = (url: string): Promise<string> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `select system_identifier || '/' || current_database() as id from pg_control_system()`,
    );
    return rows[0]?.id ?? '';
  });

const sealedIn = (url: string): Promise<number> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ size: string }>('select coalesce(max(seq) + 1, 0) as size from audit_seal');
    return Number(rows[0]?.size ?? 0);
  });

/** Seals what is left and holds the log against what is published of it. The restore is good whatever comes of it. */
async function settle(request: RestoreRequest, url: string, restoredSize: number): Promise<RestoredLog> {
  const { audit, auditKey, backupId, publisherFor, installationUrl } = request;
  // A fork that a copy for a look began would contradict the log of the installation.
  if ((await identityOf(url)) !== (await identityOf(installationUrl).catch(() => null))) return { status: 'apart' };
  const db = await createOrm({ databaseUrl: url, poolMax: 2, applicationName: 'tradeguard-restore' });
  try {
    const acceptance = await acceptRestore(
      { db, audit, publisher: publisherFor(db) },
      { reason: `restore of backup ${backupId}`, restoredSize, seal: () => sealLog(url, auditKey) },
    );
    if (acceptance.status === 'nothing_lost') return { status: 'whole' };
    if (acceptance.status === 'refused') return { status: 'refused', reason: acceptance.reason };
    const { status, fork, kept, lost } = acceptance;
    return { status, fork, kept, lost };
  } catch (error) {
    return { status: 'unknown', reason: reasonOf(error) };
  } finally {
    await db.close();
  }
}

async function refuseSessions(client: pg.Client, database: string): Promise<void> {
  const { rows } = await client.query<{ n: string }>('select count(*) as n from pg_stat_activity where datname = $1', [
    database,
  ]);
  if (Number(rows[0]?.n) === 0) return;
  throw new BackupError(
    'target_not_empty',
    `The database ${database} is in use by ${rows[0]?.n} session(s). Stop the API and the workers first.`,
  );
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'tradeguard-restore' });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const quote = (name: string) => pg.escapeIdentifier(name);
const databaseIn = (url: string) => decodeURIComponent(new URL(url).pathname.slice(1));

function besides(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptRestore } from '../../activities/checkpoint-restore.ts';
import { openCheckpointPublisher } from '../../activities/open-checkpoints.ts';
import { restoreForGood } from '../../cli/backup-restore.ts';
import { sealLog } from '../../cli/seal-log.ts';
import { createOrm, type Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import type { BackupManifest } from '../../platform/backup-manifest.ts';
import { openCheckpoint } from '../../security/checkpoint.ts';
import { nameOf } from '../audit/checkpoint-fixture.ts';
import { administrate, withDatabase } from '../helpers/template.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
const opened: Database[] = [];
const made: string[] = [];
beforeAll(async () => {
  fixture = await createBackupFixture();
});
afterAll(async () => {
  for (const db of opened) await db.close();
  for (const name of made) {
    await administrate(fixture.ownerUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
  }
  await fixture.dispose();
});

const folder = () => join(fixture.folder, 'checkpoints');
const publisherFor = (db: Database) =>
  openCheckpointPublisher({
    ...{ db, audit: fixture.audit, auditKey: fixture.auditKey, log: { info: () => {}, warn: () => {} } },
    settings: { dir: folder(), bucket: undefined, witness: undefined, key: undefined, retiredKeys: [] },
  });

/** What happened up to now is sealed and published. */
async function publish(people: number): Promise<number> {
  await fixture.addPeople(people);
  await fixture.seal();
  const outcome = await publisherFor(fixture.db).publish({ trigger: 'schedule' });
  if (outcome.status !== 'published') throw new Error(outcome.status);
  return outcome.checkpoint.size;
}

async function emptyDatabase(): Promise<string> {
  const name = `${fixture.name}_${randomBytes(3).toString('hex')}`;
  await administrate(fixture.ownerUrl, (client) => client.query(`create database ${name}`));
  made.push(name);
  return withDatabase(fixture.ownerUrl, name);
}

async function open(url: string): Promise<Database> {
  const db = await createOrm({ databaseUrl: url, poolMax: 3, applicationName: 'test' });
  opened.push(db);
  return db;
}

async function restore(manifest: BackupManifest, installationUrl?: string) {
  const targetUrl = await emptyDatabase();
  const { runner, audit, auditKey } = fixture;
  const restored = await restoreForGood({
    ...{ runner, audit, auditKey, publisherFor, targetUrl, backupId: manifest.id },
    installationUrl: installationUrl ?? targetUrl,
    ...{ appRole: decodeURIComponent(new URL(fixture.url).username), otherRoles: [], force: false },
    ...{ onProgress: () => {}, signal: new AbortController().signal },
  });
  return { ...restored, url: targetUrl, db: await open(targetUrl) };
}

const detailsOf = async (db: Database, action: string) =>
  (await rows<{ entry: string }>(db.fork(), 'select entry from audit_entry where action = $1', [action])).map(
    ({ entry }) => JSON.parse(entry).details,
  );

async function noteOf(db: Database, name: string) {
  const publisher = publisherFor(db);
  const [origin] = await rows<{ origin: string }>(db.fork(), 'select origin from audit_log_origin');
  const note = await publisher.places[0]?.read(name);
  return openCheckpoint(note ?? '', publisher.signer.verifiers(origin?.origin ?? ''));
}

describe('a restore', () => {
  let early: BackupManifest;
  let late: BackupManifest;
  let lost: number;

  it('of a backup that holds everything published is followed by an ordinary checkpoint', async () => {
    await publish(3);
    early = await fixture.backup();
    const { log, db } = await restore(early);
    expect(log).toEqual({ status: 'whole' });
    const [last] = readdirSync(folder()).sort().toReversed();
    const checkpoint = await noteOf(db, last ?? '');
    expect(checkpoint).toMatchObject({ fork: 0, restored: null });
    expect(checkpoint.size).toBeGreaterThan(early.audit.seq + 1);
  });

  it('of a backup that lost published entries is told, accepted, and goes on as the next fork', async () => {
    // The restored log of before published more: start from a log of its own.
    await fixture.dispose();
    fixture = await createBackupFixture();
    await publish(3);
    early = await fixture.backup();
    await publish(2);
    late = await fixture.backup();
    lost = await publish(4);

    const { log, db, url } = await restore(early);
    const kept = early.audit.seq + 1;
    expect(log).toEqual({ status: 'accepted', fork: 1, kept, lost });
    expect(await detailsOf(db, 'audit.restore_accepted')).toEqual([
      { fork: 1, kept, lost, reason: `restore of backup ${early.id}` },
    ]);
    const first = readdirSync(folder()).find((name) => name.startsWith('0001-')) ?? '';
    expect(await noteOf(db, first)).toMatchObject({ fork: 1, restored: { kept, lost } });
    // Everything that is published says so from now on, and what was lost stays published.
    await sealLog(url, fixture.auditKey);
    const next = await publisherFor(db).publish({ trigger: 'backup', covering: Number.MAX_SAFE_INTEGER });
    expect(next).toMatchObject({ status: 'published', checkpoint: { fork: 1, restored: { kept, lost } } });
    expect(readdirSync(folder())).toContain(nameOf(0, lost));
    // The lost ones are recorded again as well.
    const recorded = await rows(db.fork(), `select size from audit_checkpoint where fork = 0 and size = $1`, [lost]);
    expect(recorded).toHaveLength(1);
  });

  it('of a backup of what was abandoned keeps only what the published checkpoints agree on', async () => {
    const { log } = await restore(late);
    const kept = early.audit.seq + 1;
    if (log.status !== 'accepted') throw new Error(log.status);
    expect(log.fork).toBe(2);
    expect(log.kept).toBeLessThanOrEqual(kept);
    const published = readdirSync(folder()).flatMap((name) => /^0000-0*(\d+)\.txt$/.exec(name)?.[1] ?? []);
    expect(log.kept).toBe(Math.max(...published.map(Number).filter((size) => size <= kept)));
  });

  it('beside the database of the installation accepts and publishes nothing', async () => {
    const before = readdirSync(folder());
    const { log, db } = await restore(early, fixture.url);
    expect(log).toEqual({ status: 'apart' });
    expect(readdirSync(folder())).toEqual(before);
    expect(await detailsOf(db, 'audit.restore_accepted')).toEqual([]);
  });

  it('whose places do not answer is good all the same, and says that it is still to be done', async () => {
    const broken = publisherFor;
    const targetUrl = await emptyDatabase();
    const { runner, audit, auditKey } = fixture;
    const { log } = await restoreForGood({
      ...{ runner, audit, auditKey, targetUrl, installationUrl: targetUrl, backupId: early.id },
      publisherFor: (db) => ({ ...broken(db), stand: () => Promise.reject(new Error('away')) }),
      ...{ appRole: decodeURIComponent(new URL(fixture.url).username), otherRoles: [], force: false },
      ...{ onProgress: () => {}, signal: new AbortController().signal },
    });
    expect(log).toEqual({ status: 'unknown', reason: 'away' });
  });
});

describe('a dump that was loaded by hand', () => {
  it('is refused as restored_without_tail, until an operator accepts it', async () => {
    await fixture.dispose();
    fixture = await createBackupFixture();
    await publish(3);
    const backup = await fixture.backup();
    const lost = await publish(4);
    const url = await emptyDatabase();
    await fixture.runner.archive.restore(backup.id, { url, singleTransaction: true }, fixture.idle());
    const kept = backup.audit.seq + 1;
    // As it looks in another cluster: its name in the log is not this one's.
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('alter table audit_era disable trigger user');
    await client.query(`update audit_era set cluster = 'another'`);
    await client.query('alter table audit_era enable trigger user');
    await client.end();
    const db = await open(url);
    const seal = () => sealLog(url, fixture.auditKey);
    await seal();
    const publisher = publisherFor(db);
    expect(await publisher.publish({ trigger: 'schedule' })).toMatchObject({
      ...{ status: 'refused', reason: 'restored_without_tail', publishedSize: lost },
    });
    // The log goes on until somebody looks.
    await db.transaction((tx) =>
      fixture.audit.append(
        tx,
        ...Array.from({ length: 30 }, (_, n) => ({
          ...{ action: 'test.happened', actor: { kind: 'system' as const }, outcome: 'success' as const },
          subject: { kind: 'thing', id: `thing-${n}` },
        })),
      ),
    );
    await seal();
    expect(await publisher.publish({ trigger: 'schedule' })).toMatchObject({ reason: 'restored_without_tail' });

    const { audit } = fixture;
    const accepted = await acceptRestore({ db, audit, publisher }, { reason: 'the disk was lost', seal });
    if (accepted.status !== 'accepted') throw new Error(accepted.status);
    expect(accepted).toMatchObject({ fork: 1, lost });
    // Nobody counted: what was sealed before the last checkpoint is what was restored.
    expect(accepted.kept).toBe(kept);
    expect(await detailsOf(db, 'audit.restore_accepted')).toMatchObject([{ reason: 'the disk was lost' }]);
    expect(await acceptRestore({ db, audit, publisher }, { reason: 'again', seal })).toMatchObject({
      status: 'nothing_lost',
    });
  });

  it('that was changed as well is not accepted', async () => {
    await fixture.dispose();
    fixture = await createBackupFixture();
    await publish(3);
    const client = new pg.Client({ connectionString: fixture.ownerUrl });
    await client.connect();
    await client.query('alter table audit_seal disable trigger user');
    await client.query(`update audit_seal set hash = sha256('x'), leaf_hash = sha256('y') where seq >= 5`);
    await client.query('alter table audit_seal enable trigger user');
    await client.end();
    const { db, audit } = fixture;
    const publisher = publisherFor(db);
    const seal = () => sealLog(fixture.url, fixture.auditKey);
    expect(await acceptRestore({ db, audit, publisher }, { reason: 'please', seal })).toMatchObject({
      ...{ status: 'refused', reason: 'history_rewritten' },
    });
    expect(await detailsOf(db, 'audit.restore_accepted')).toEqual([]);
  });
});

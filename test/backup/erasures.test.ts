import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointPublisher } from '../../activities/open-checkpoints.ts';
import { restoreForGood } from '../../cli/backup-restore.ts';
import { createOrm, type Database } from '../../db/orm.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { eraseAuditIdentity } from '../../db/subject-erasure.ts';
import { createSubjectKeys } from '../../db/subject-keys.ts';
import type { BackupManifest } from '../../platform/backup-manifest.ts';
import { administrate, withDatabase } from '../helpers/template.ts';
import { keyringFor } from '../security/keyring-fixture.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
let backup: BackupManifest;
let erased: string;
let kept: string;
const made: string[] = [];
beforeAll(async () => {
  fixture = await createBackupFixture();
  const { db, audit } = fixture;
  const people = await rows<{ id: string }>(db.fork(), 'select id from app_user order by id limit 2');
  [erased = '', kept = ''] = people.map(({ id }) => id);
  const subjectKeys = createSubjectKeys({ keyring: await keyringFor('field') });
  for (const { id } of people) await db.transaction((tx) => subjectKeys.seal(tx, id, { email: 'ada@example.com' }));
  backup = await fixture.backup();
  await run(db.fork(), 'update app_user set disabled_at = clock_timestamp() where id = $1', [erased]);
  await db.transaction((tx) =>
    eraseAuditIdentity(tx, { audit }, { userId: erased, reason: 'asked for it', actor: { kind: 'operator' } }),
  );
});
afterAll(async () => {
  for (const name of made) {
    await administrate(fixture.ownerUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
  }
  await fixture.dispose();
});

async function emptyDatabase(): Promise<string> {
  const name = `${fixture.name}_${randomBytes(3).toString('hex')}`;
  await administrate(fixture.ownerUrl, (client) => client.query(`create database ${name}`));
  made.push(name);
  return withDatabase(fixture.ownerUrl, name);
}

const publisherFor = (db: Database) =>
  openCheckpointPublisher({
    ...{ db, audit: fixture.audit, auditKey: fixture.auditKey, log: { info: () => {}, warn: () => {} } },
    settings: {
      dir: `${fixture.folder}/checkpoints`,
      ...{ bucket: undefined, witness: undefined, key: undefined, retiredKeys: [] },
    },
  });

async function restore(targetUrl: string, installationUrl: string, force = false) {
  const { runner, audit, auditKey } = fixture;
  const { erasedAgain, setAside } = await restoreForGood({
    ...{ runner, audit, auditKey, publisherFor, targetUrl, installationUrl, force, backupId: backup.id },
    ...{ appRole: decodeURIComponent(new URL(fixture.url).username), otherRoles: [] },
    ...{ onProgress: () => {}, signal: new AbortController().signal },
  });
  if (setAside !== null) made.push(setAside);
  const db = await createOrm({ databaseUrl: targetUrl, poolMax: 2, applicationName: 'test' });
  try {
    const keyOf = (subject: string) =>
      oneRow<{ key: string | null; reason: string | null }>(
        db.fork(),
        'select key, reason from subject_key where subject = $1',
        [subject],
      );
    const entries = await rows<{ entry: string }>(
      db.fork(),
      `select entry from audit_entry where action = 'subject.shredded' and subject = $1`,
      [erased],
    );
    return {
      erasedAgain,
      erased: await keyOf(erased),
      kept: await keyOf(kept),
      entries: entries.map(({ entry }) => JSON.parse(entry)),
    };
  } finally {
    await db.close();
  }
}

describe('the key of somebody who was erased after the backup', () => {
  it('is in the backup, and back where no database says that it was destroyed', async () => {
    const targetUrl = await emptyDatabase();
    const restored = await restore(targetUrl, targetUrl);
    expect(restored).toMatchObject({ erasedAgain: null, entries: [] });
    expect(restored.erased.key).toEqual(expect.any(String));
  });

  it('is destroyed again in a database beside that of the installation, which says so', async () => {
    const restored = await restore(await emptyDatabase(), fixture.url);
    expect(restored).toMatchObject({ erasedAgain: 1, erased: { key: null, reason: 'asked for it' } });
    expect(restored.kept.key).toEqual(expect.any(String));
    expect(restored.entries).toMatchObject([{ actor: { kind: 'operator' }, details: { source: 'restore' } }]);
  });

  it('is destroyed again in a database that takes the place of the one that says so', async () => {
    // Somewhere else than the installation's own database, which other connections are open to.
    const targetUrl = await emptyDatabase();
    await restore(targetUrl, fixture.url);
    const restored = await restore(targetUrl, targetUrl, true);
    expect(restored).toMatchObject({ erasedAgain: 1, erased: { key: null, reason: 'asked for it' } });
    expect(restored.kept.key).toEqual(expect.any(String));
  });
});

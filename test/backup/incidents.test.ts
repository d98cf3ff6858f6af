import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackupActivities } from '../../activities/backup.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { recordWritten } from '../../db/backups.ts';
import { row } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type BackupFixture, createBackupFixture } from './backup-fixture.ts';

let fixture: BackupFixture;
beforeAll(async () => {
  fixture = await createBackupFixture();
});
afterAll(() => fixture.dispose());

/** The activities that end a run; they use nothing else of what a worker hands them. */
function activities({ production = true } = {}) {
  const { db, audit, runner: backups } = fixture;
  const deps = { db, audit, backups, production, log: pino({ level: 'silent' }) };
  return createBackupActivities(deps as unknown as ActivityDeps);
}

const unresolved = (cause: string) =>
  row<{ id: string; severity: string; title: string }>(
    fixture.db.fork(),
    `select id, severity, title from incident where cause = $1 and status <> 'resolved'`,
    [cause],
  );

describe('a backup that failed', () => {
  it('opens one incident, however often it is told, and the next good one resolves it', async () => {
    const id = await fixture.begin('backup');
    const { finishBackup } = activities();
    const told = await finishBackup(id, { status: 'failed', reason: 'dump_failed' });
    expect(told.incidents).toHaveLength(1);
    expect(await finishBackup(id, { status: 'failed', reason: 'dump_failed' })).toEqual(told);
    expect(await unresolved('backup_failed')).toMatchObject({
      severity: 'high',
      title: 'A backup failed: dump_failed',
    });

    const next = await fixture.begin('backup');
    await fixture.runner.perform(next, fixture.idle());
    const calm = await finishBackup(next, { status: 'succeeded', result: undefined });
    expect(calm.incidents.map(({ incidentId }) => incidentId)).toEqual([told.incidents[0]?.incidentId]);
    expect(await unresolved('backup_failed')).toBeUndefined();
  });

  it('only in its copy opens one as well', async () => {
    const id = await fixture.begin('backup');
    await recordWritten(fixture.db.fork(), id, {
      createdAt: new Date().toISOString(),
      fileBytes: 1,
      dumpBytes: 1,
      fileSha256: 'a'.repeat(64),
      tableCount: 1,
      rowCount: 1,
      auditSeq: 0,
      postgresVersion: '15',
    });
    await activities().finishBackup(id, { status: 'failed', reason: 'copy_failed' });
    expect(await unresolved('backup_failed')).toMatchObject({ title: expect.stringContaining('not copied') });
    const next = await fixture.begin('backup');
    await fixture.runner.perform(next, fixture.idle());
    await activities().finishBackup(next, { status: 'succeeded', result: undefined });
  });

  it('because somebody stopped it opens none', async () => {
    const id = await fixture.begin('backup');
    expect(await activities().finishBackup(id, { status: 'cancelled' })).toEqual({ incidents: [] });
  });
});

describe('a run by the clock that could not begin', () => {
  it('opens an incident in production, and none on the machine of a developer', async () => {
    const refused = (production: boolean) =>
      activities({ production }).reportRefusedRun('backup', uuidV7(), 'tools_missing');
    expect(await refused(false)).toEqual({ incidents: [] });
    expect(await unresolved('backup_failed')).toBeUndefined();
    expect((await refused(true)).incidents).toHaveLength(1);
    expect(await unresolved('backup_failed')).toMatchObject({ title: 'A backup could not begin: tools_missing' });
  });
});

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginRun } from '../../db/backup-runs.ts';
import { finishBackupRun, lastGoodBackupAt, recordWritten } from '../../db/backups.ts';
import { createScratch, remainingScratches } from '../../db/scratch-database.ts';
import { oneRow, rows, run } from '../../db/sql.ts';
import { BackupError, expiredBackups, isBackupOverdue } from '../../domain/backup.ts';
import { findPostgresTools } from '../../platform/postgres-tools.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type BackupFixture, createBackupFixture, DAY_MS } from './backup-fixture.ts';

let fixture: BackupFixture;
beforeAll(async () => {
  fixture = await createBackupFixture();
});
afterAll(() => fixture.dispose());

const files = () => (existsSync(fixture.settings.backupDir) ? readdirSync(fixture.settings.backupDir) : []);
const end = (table: string) =>
  run(
    fixture.db.fork(),
    `update ${table} set status = 'cancelled', finished_at = clock_timestamp() where status = 'running'`,
  );

describe('a backup that is stopped on the way', () => {
  it.each(['dump', 'validate'] as const)('in the phase %s leaves nothing, and is not listed', async (phase) => {
    const before = files();
    const id = await fixture.begin('backup');
    const stopping = new AbortController();
    const made = fixture.runner.perform(id, {
      signal: stopping.signal,
      onProgress: (at) => {
        if (at === phase) stopping.abort();
      },
    });
    await expect(made).rejects.toThrow();
    expect(files()).toEqual(before);
    expect(await fixture.runner.store.read(id)).toBeUndefined();
    // The next attempt at the same backup succeeds.
    expect((await fixture.runner.perform(id, fixture.idle())).id).toBe(id);
    await end('backup_run');
  });

  it('by a process that died leaves a file that is not listed, and is deleted an hour later', async () => {
    mkdirSync(fixture.settings.backupDir, { recursive: true });
    const dead = join(fixture.settings.backupDir, `${randomUUID()}.0badcafe.backup`);
    const fresh = join(fixture.settings.backupDir, `${randomUUID()}.0badcafe.backup`);
    for (const path of [dead, fresh]) writeFileSync(path, 'half a backup');
    const anHourAgo = Date.now() / 1_000 - 3_700;
    utimesSync(dead, anHourAgo, anHourAgo);
    const listed = (await fixture.runner.store.list()).map(({ file }) => file.name);
    expect(listed.some((name) => name.includes('0badcafe'))).toBe(false);
    await fixture.runner.cleanUp();
    expect([existsSync(dead), existsSync(fresh)]).toEqual([false, true]);
  });

  it('one at a time: a second one is refused while the first shows signs of life, and goes ahead when it does not', async () => {
    const first = await fixture.begin('backup');
    const second = { id: uuidV7(), trigger: 'manual' as const, requestedBy: null, workflowId: null };
    const begin = () => fixture.db.transaction((tx) => beginRun(tx, fixture, 'backup', second));
    expect(await begin()).toBe(false);
    await run(fixture.db.fork(), `update backup_run set seen_at = seen_at - interval '16 minutes' where id = $1`, [
      first,
    ]);
    expect(await begin()).toBe(true);
    const given = await oneRow(fixture.db.fork(), 'select status, reason from backup_run where id = $1', [first]);
    expect(given).toEqual({ status: 'failed', reason: 'lost' });
    await end('backup_run');
  });

  it('whose copy alone failed is a good backup all the same', async () => {
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
    const ended = await fixture.db.transaction((tx) =>
      finishBackupRun(tx, fixture, id, { status: 'failed', reason: 'copy_failed' }),
    );
    expect(ended).toMatchObject({ status: 'succeeded', reason: null, copy_failure: 'copy_failed' });
    expect(isBackupOverdue(await lastGoodBackupAt(fixture.db.fork()), Date.now())).toBe(false);
  });
});

describe('a restore drill that is stopped on the way', () => {
  it('drops its database', async () => {
    await fixture.backup();
    const id = await fixture.begin('restore_drill');
    const stopping = new AbortController();
    const done = fixture.runner.drill(id, {
      signal: stopping.signal,
      onProgress: (phase) => {
        if (phase === 'count') stopping.abort();
      },
    });
    await expect(done).rejects.toThrow();
    expect(await remainingScratches(fixture.ownerUrl)).not.toContain(id);
    await end('restore_drill');
  });

  it('by a worker that died: the next attempt takes its database over, the next drill drops that of another', async () => {
    const crashed = await fixture.begin('restore_drill');
    await createScratch(fixture.ownerUrl, crashed);
    await expect(fixture.runner.drill(crashed, fixture.idle())).resolves.toMatchObject({ tables: expect.any(Number) });
    await createScratch(fixture.ownerUrl, crashed);
    const stranger = randomUUID();
    await createScratch(fixture.ownerUrl, stranger);
    await end('restore_drill');
    await fixture.runner.drill(await fixture.begin('restore_drill'), fixture.idle());
    const left = await remainingScratches(fixture.ownerUrl);
    expect(left).not.toContain(crashed);
    // Another installation's on the same server.
    expect(left).toContain(stranger);
    await createScratch(fixture.ownerUrl, stranger).then(() => end('restore_drill'));
    const { dropScratch } = await import('../../db/scratch-database.ts');
    await dropScratch(fixture.ownerUrl, stranger);
  });
});

describe('a dump that takes long', () => {
  it('does not hold up signed requests behind the maintenance of nonces, which waits for it', async () => {
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    // What pg_dump holds on every table until its end.
    const dumping = fixture.ownerDb.transaction(async (tx) => {
      await run(tx, 'lock table request_nonce in access share mode');
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    const maintenance = run(fixture.db.fork(), 'select request_nonce_maintain()').catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    await rows(fixture.db.fork(), 'select outcome from request_nonce_spend($1, $1, $1, $2)', [
      uuidV7(),
      String(Math.floor(Date.now() / 1_000)),
    ]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(await maintenance).toBeInstanceOf(Error);
    release.resolve();
    await dumping;
    await run(fixture.db.fork(), 'select request_nonce_maintain()');
  });
});

describe('[B3] clean-up', () => {
  it('deletes what is older than 30 days, each with an audit entry, and keeps the rest', async () => {
    const [old, young] = [await fixture.backup(), await fixture.backup()];
    const later = Date.now() + 31 * DAY_MS;
    expect(expiredBackups([old, young], later, 30 * DAY_MS)).toEqual([old]);
    expect(expiredBackups([old, young], Date.now() + 29 * DAY_MS, 30 * DAY_MS)).toEqual([]);
    const kept = await fixture.runner.store.list();
    const shortLived = fixture.runnerWith({ backupRetention: 1 });
    await expect(shortLived.cleanUp()).resolves.toMatchObject({ deleted: expect.arrayContaining([old.id]) });
    expect((await fixture.runner.store.list()).map(({ id }) => id)).toEqual([kept[0]?.id]);
    expect(existsSync(join(fixture.settings.backupDir, old.file.name))).toBe(false);
    const entries = await rows<{ subject: string }>(
      fixture.db.fork(),
      `select subject from audit_entry where action = 'backup.deleted'`,
    );
    expect(entries.map(({ subject }) => subject)).toContain(old.id);
  });

  it('never deletes the last good one, however old', async () => {
    const only = { createdAt: '2020-01-01T00:00:00.000Z' };
    expect(expiredBackups([only], Date.now(), DAY_MS)).toEqual([]);
    const [last] = await fixture.runner.store.list();
    await fixture.runnerWith({ backupRetention: 1 }).cleanUp();
    expect(await fixture.runner.store.list()).toEqual([last]);
  });
});

describe('what is missing', () => {
  it('pg_dump: said with what to do, and nothing is begun', async () => {
    const runner = fixture.runnerWith({ backupToolsDir: '/nonexistent' });
    await expect(runner.assertReady('backup')).rejects.toThrow(
      /pg_dump and pg_restore \d+ or newer.*found here: none.*Install/s,
    );
    await expect(runner.perform(uuidV7(), fixture.idle())).rejects.toMatchObject({
      code: 'tools_missing',
      retryable: false,
    });
  });

  it('a pg_dump that is new enough', () => {
    expect(() => findPostgresTools({ serverMajor: 99 })).toThrow(BackupError);
    expect(() => findPostgresTools({ serverMajor: 99 })).toThrow(/found here: \d+/);
  });

  it('a role that may read', async () => {
    await expect(fixture.runnerWith({ backupUrl: undefined }).assertReady('backup')).rejects.toThrow(
      'DATABASE_BACKUP_URL',
    );
    await expect(fixture.runnerWith({ drillUrl: undefined }).assertReady('restore_drill')).rejects.toThrow(
      'DATABASE_DRILL_URL',
    );
    // The application's role cannot read the log of migrations: the dump fails instead of leaving something out.
    const app = fixture.runnerWith({ backupUrl: fixture.url });
    await expect(app.perform(uuidV7(), fixture.idle())).rejects.toMatchObject({ code: 'dump_failed' });
  });

  it('the server: worth another try, and no password in the message', async () => {
    const url = 'postgresql://backup:s3cret-word@127.0.0.1:1/none';
    const error = await fixture
      .runnerWith({ backupUrl: url })
      .perform(uuidV7(), fixture.idle())
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'dump_failed', retryable: true });
    expect(JSON.stringify(error) + String(error)).not.toContain('s3cret-word');
  });
});

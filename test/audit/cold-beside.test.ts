import { createSecretKey, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openArchives } from '../../activities/archive-folder.ts';
import { createAuditExport } from '../../activities/audit-export.ts';
import { createBackupRunner } from '../../activities/backup-runner.ts';
import { beginRun } from '../../db/backup-runs.ts';
import { oneRow, run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type ColdLog, createColdLog } from './cold-fixture.ts';

const COUNT = 300;
let log: ColdLog;
afterEach(() => log.close());

describe('with a month in cold storage', () => {
  beforeEach(async () => {
    log = await createColdLog(COUNT);
    await log.archive(log.older, 'archive');
    await log.seal();
  });

  async function exportTo(name: string, archives: string[] = []) {
    const opened = await openArchives(
      { db: log.db, auditKey: log.auditKey, signer: log.signer },
      archives.map(log.folderOf),
    );
    return createAuditExport(log.deps).exportTo({ dir: log.folderOf(name), archives: opened });
  }
  /** Where the verifier outside finds the audit key. */
  function keyFile(): string {
    const path = log.folderOf('audit-key');
    writeFileSync(path, log.auditKey.export().toString('base64'));
    return path;
  }

  it('an export has the seals, says where the texts are, and is sound', async () => {
    expect((await exportTo('out')).verification).toMatchObject({ valid: true, archived: COUNT });
    const verdict = await log.verifyOutside(['out'], '--audit-key-file', keyFile());
    expect(verdict).toMatchObject({ code: 0, verdict: 'sound', archived: COUNT, macs: 'checked' });
    expect(verdict.notes.join()).toContain(`Of ${log.older} (${COUNT} entries) the seals were checked`);
    const both = await log.verifyOutside(['out', 'archive'], '--audit-key-file', keyFile());
    expect(both).toMatchObject({ code: 0, verdict: 'sound' });
    expect(both.notes.join()).not.toContain('the seals were checked');
  });

  it('an export that reads the archive has every text', async () => {
    await exportTo('out', ['archive']);
    expect(await log.verifyOutside(['out'], '--audit-key-file', keyFile())).toMatchObject({
      ...{ code: 0, verdict: 'sound', archived: 0, entries: 344 },
    });
  });

  it('what was deleted is told from what is in cold storage, outside as well', async () => {
    await log.asDatabaseAdministrator((sql) =>
      sql('delete from audit_entry where id = (select entry_id from audit_seal where seq = $1)', [COUNT - 2]),
    );
    await exportTo('out');
    expect(await log.verifyOutside(['out'])).toMatchObject({
      ...{ code: 1, reason: 'entry_deleted', firstInvalidSeq: COUNT - 2 },
    });
  });

  it('a backup is made and passes its drill', async () => {
    const runner = createBackupRunner({
      ...{ db: log.db, audit: log.audit, auditKey: log.auditKey },
      settings: {
        ...{ backupUrl: log.ownerUrl, drillUrl: log.ownerUrl, backupDir: log.folderOf('backups') },
        ...{ backupToolsDir: undefined, backupS3: undefined, backupRetention: 86_400_000 },
        masterKey: { kind: 'key', key: createSecretKey(randomBytes(32)) },
      },
    });
    const idle = () => ({ onProgress: () => {}, signal: new AbortController().signal });
    const begin = async (kind: 'backup' | 'restore_drill') => {
      const id = uuidV7();
      await log.db.transaction((tx) =>
        beginRun(tx, { audit: log.audit }, kind, { id, trigger: 'manual', requestedBy: null, workflowId: null }),
      );
      return id;
    };
    const id = await begin('backup');
    const manifest = await runner.perform(id, idle());
    expect(Object.keys(manifest.tables)).not.toContain(`public.audit_entry_${log.older.replace('-', '')}`);
    expect(manifest.tables['public.audit_archive']).toBe(1);
    await run(
      log.db.fork(),
      `update backup_run set status = 'succeeded', finished_at = clock_timestamp() where id = $1`,
      [id],
    );
    expect(await runner.drill(await begin('restore_drill'), idle())).toMatchObject({ auditEntries: 344 });
  });
});

describe('while a month is archived', () => {
  beforeEach(async () => {
    log = await createColdLog(20_000);
  });

  it('appends wait a moment at most, and a verification that runs is not misled', async () => {
    let isOver = false;
    const waits: number[] = [];
    async function append(): Promise<void> {
      for (let n = 0; !isOver; n += 1) {
        const begun = performance.now();
        await log.append(`meanwhile-${n}`);
        waits.push(performance.now() - begun);
      }
    }
    const verdicts: unknown[] = [];
    async function verify(): Promise<void> {
      while (!isOver) verdicts.push(await log.check().then(({ valid, reason }) => ({ valid, reason })));
    }
    const beside = [append(), append(), verify()];
    await log.archive(log.older, 'archive').finally(() => {
      isOver = true;
    });
    await Promise.all(beside);
    waits.sort((a, b) => a - b);
    expect(waits.length).toBeGreaterThan(50);
    // The lock is waited for 250 ms at a time.
    expect(waits.at(-1)).toBeLessThan(1_500);
    expect(new Set(verdicts.map((verdict) => JSON.stringify(verdict)))).toEqual(
      new Set([JSON.stringify({ valid: true, reason: null })]),
    );
    const { count } = await oneRow<{ count: string }>(
      log.db.fork(),
      `select count(*) as count from audit_entry where subject like 'thing-meanwhile%'`,
    );
    expect(Number(count)).toBe(waits.length);
    expect(await log.check('archive')).toMatchObject({ valid: true, archived: 20_000 });
  });
});

import type { KeyObject } from 'node:crypto';
import type { AuditLog } from '../db/audit.ts';
import { createAuditVerifier } from '../db/audit-verify.ts';
import { type Census, censusOf, serverVersion } from '../db/backup-census.ts';
import { recordCopied, recordDeleted, recordWritten } from '../db/backups.ts';
import { createOrm, type Database } from '../db/orm.ts';
import { chooseForDrill, type DrillResult, readDrill } from '../db/restore-drills.ts';
import { createScratch, dropScratch, remainingScratches } from '../db/scratch-database.ts';
import { run } from '../db/sql.ts';
import { BackupError, type BackupPhase, type DrillPhase, expiredBackups } from '../domain/backup.ts';
import { type BackupCopy, createBackupCopy } from '../platform/backup-copy.ts';
import type { BackupManifest } from '../platform/backup-manifest.ts';
import { createBackupStore } from '../platform/backup-store.ts';
import { createS3Client, type S3Settings } from '../platform/s3-client.ts';
import { createKek } from '../security/kek.ts';
import { createBackupArchive } from './backup-archive.ts';
import { backupErrorOf } from './backup-streams.ts';

export interface BackupSettings {
  /** Of a role that reads everything and changes nothing; undefined switches backups off. */
  backupUrl: string | undefined;
  /** Of a role that may create databases, on the server where drills restore; undefined switches drills off. */
  drillUrl: string | undefined;
  backupDir: string;
  backupToolsDir: string | undefined;
  backupS3: S3Settings | undefined;
  /** Milliseconds. */
  backupRetention: number;
  masterKey: { kind: 'passphrase'; passphrase: string } | { kind: 'key'; key: KeyObject };
}

export interface BackupRunnerDeps {
  db: Database;
  audit: AuditLog;
  auditKey: KeyObject;
  settings: BackupSettings;
}

/** How a run tells how far it is, and learns that it is to stop. */
export interface RunControl<P> {
  onProgress: (phase: P, bytes: number) => void;
  signal: AbortSignal;
}

/** What is done in a backup, a drill and a clean-up, by the worker and at the terminal alike. */
export function createBackupRunner({ db, audit, auditKey, settings }: BackupRunnerDeps) {
  const { masterKey } = settings;
  const kek = createKek({
    name: 'master',
    secret: masterKey.kind === 'key' ? { raw: masterKey.key.export() } : { passphrase: masterKey.passphrase },
  });
  const store = createBackupStore(settings.backupDir);
  const copy = settings.backupS3 ? createBackupCopy(createS3Client(settings.backupS3)) : null;
  const archive = createBackupArchive({
    store,
    copy,
    kek,
    toolFolders: settings.backupToolsDir === undefined ? undefined : [settings.backupToolsDir],
  });

  function sourceUrl(): string {
    if (settings.backupUrl !== undefined) return settings.backupUrl;
    throw new BackupError(
      'backups_off',
      'Backups are off: DATABASE_BACKUP_URL is not set. Set it to a role that may read every table (pg_read_all_data).',
    );
  }

  function drillUrl(): string {
    if (settings.drillUrl !== undefined) return settings.drillUrl;
    throw new BackupError(
      'backups_off',
      'Restore drills are off: DATABASE_DRILL_URL is not set. Set it to a role with CREATEDB that cannot reach the live database.',
    );
  }

  /** @throws BackupError `backups_off` or `tools_missing` */
  async function assertReady(kind: 'backup' | 'restore_drill'): Promise<void> {
    const url = kind === 'backup' ? sourceUrl() : drillUrl();
    const { major } = await serverVersion(url).catch((error) => {
      throw backupErrorOf(error, kind === 'backup' ? 'dump_failed' : 'restore_failed');
    });
    archive.toolsFor(major);
  }

  /** Dumps, reads back, and copies. What a former attempt has finished is not done again. */
  async function perform(id: string, control: RunControl<BackupPhase>): Promise<BackupManifest> {
    const manifest = await archive.write(id, sourceUrl(), control);
    await recordWritten(db.fork(), id, {
      createdAt: manifest.createdAt,
      fileBytes: manifest.file.bytes,
      dumpBytes: manifest.dump.bytes,
      fileSha256: manifest.file.sha256,
      tableCount: Object.keys(manifest.tables).length,
      rowCount: Object.values(manifest.tables).reduce((sum, rows) => sum + rows, 0),
      auditSeq: manifest.audit.seq,
      postgresVersion: manifest.postgres.server,
    });
    if (copy) {
      control.onProgress('copy', 0);
      await copy.copyFrom(store, manifest, control.signal).catch((error) => {
        throw backupErrorOf(error, 'copy_failed');
      });
      await recordCopied(db.fork(), id);
    }
    return manifest;
  }

  /**
   * Restores a backup (the newest, unless the drill names one) into a database made for it, and holds it against the
   * manifest: rows of every table, migrations, the audit chain from its first entry to the recorded end. The database is
   * dropped afterwards, also when something failed.
   *
   * @throws BackupError
   */
  async function drill(drillId: string, control: RunControl<DrillPhase>): Promise<DrillResult> {
    const server = drillUrl();
    await dropRemains(server, drillId);
    const backupId = await choose(drillId, control.signal);
    try {
      const scratch = await createScratch(server, drillId).catch((error) => {
        throw backupErrorOf(error, 'restore_failed');
      });
      const manifest = await archive.restore(
        backupId,
        { url: scratch, singleTransaction: false },
        { onProgress: (bytes) => control.onProgress('restore', bytes), signal: control.signal },
      );
      control.onProgress('count', 0);
      compare(manifest, await censusOf(scratch, control.signal));
      control.onProgress('audit', 0);
      const auditEntries = await verifyAudit(scratch, manifest, control);
      const counts = Object.values(manifest.tables);
      return { tables: counts.length, rows: counts.reduce((sum, rows) => sum + rows, 0), auditEntries };
    } catch (error) {
      throw backupErrorOf(error, 'restore_failed');
    } finally {
      await dropScratch(server, drillId);
    }
  }

  async function choose(drillId: string, signal: AbortSignal): Promise<string> {
    const chosen = (await readDrill(db.fork(), drillId))?.backup_id;
    if (chosen) return chosen;
    const newest = (await store.list())[0] ?? (copy ? (await copy.list(signal))[0] : undefined);
    if (newest === undefined) throw new BackupError('backup_missing', 'there is no backup to restore');
    return chooseForDrill(db.fork(), drillId, newest.id);
  }

  /** A drill whose worker died leaves its database; a new attempt drops its own, and this one those of the others. */
  async function dropRemains(server: string, drillId: string): Promise<void> {
    for (const id of await remainingScratches(server)) {
      const other = await readDrill(db.fork(), id);
      // A database of a drill unknown here belongs to another installation on the same server.
      if (id !== drillId && other !== undefined && other.status !== 'running') await dropScratch(server, id);
    }
  }

  async function verifyAudit(url: string, manifest: BackupManifest, control: RunControl<DrillPhase>): Promise<number> {
    const restored = await createOrm({ databaseUrl: url, poolMax: 2, applicationName: 'tradeguard-restore-drill' });
    try {
      // Freshly loaded tables have no statistics, and the planner would guess.
      await run(restored.fork(), 'analyze');
      const verifier = createAuditVerifier({ db: restored, auditKeys: [auditKey] });
      const result = await verifier.verify({
        signal: control.signal,
        onProgress: ({ head }) => control.onProgress('audit', head.seq + 1),
      });
      if (!result.valid) {
        throw new BackupError('drill_mismatch', `the restored audit log is not sound: ${result.reason}`);
      }
      const { seq, hash } = manifest.audit;
      if (result.head.seq !== seq || (seq >= 0 && result.head.hash.toString('hex') !== hash)) {
        throw new BackupError(
          'drill_mismatch',
          `the restored audit log does not end at entry ${seq} as the manifest says`,
        );
      }
      return result.checked;
    } finally {
      await restored.close();
    }
  }

  /**
   * Deletes what is older than the retention, in the folder and in the copy, each time keeping the newest, and what
   * processes that died have left in the folder.
   *
   * @returns what was deleted
   */
  async function cleanUp(signal?: AbortSignal): Promise<{ deleted: string[]; leftovers: string[] }> {
    const deleted = new Set<string>();
    const places: { place: 'folder' | 'copy'; backups: Pick<BackupCopy, 'list' | 'remove'> }[] = [
      { place: 'folder', backups: store },
      ...(copy ? [{ place: 'copy' as const, backups: copy }] : []),
    ];
    for (const { place, backups } of places) {
      for (const manifest of expiredBackups(await backups.list(signal), Date.now(), settings.backupRetention)) {
        await backups.remove(manifest, signal);
        // After the fact: a repeat after a crash in between finds nothing to delete, and the run's age says the rest.
        await db.transaction((tx) =>
          recordDeleted(tx, { audit }, { id: manifest.id, place, createdAt: manifest.createdAt }),
        );
        deleted.add(manifest.id);
      }
    }
    return { deleted: [...deleted], leftovers: await store.removeLeftovers(Date.now()) };
  }

  return { store, copy, archive, assertReady, perform, drill, cleanUp };
}

export type BackupRunner = ReturnType<typeof createBackupRunner>;

function compare(manifest: BackupManifest, restored: Census): void {
  const names = new Set([...Object.keys(manifest.tables), ...Object.keys(restored.tables)]);
  const wrong = [...names].filter((name) => manifest.tables[name] !== restored.tables[name]);
  const [first] = wrong;
  if (first !== undefined) {
    const [has, should] = [restored.tables[first] ?? 'no table', manifest.tables[first] ?? 'no table'];
    throw new BackupError(
      'drill_mismatch',
      `${wrong.length} table(s) differ after the restore, first ${first}: ${has} rows, the manifest says ${should}`,
    );
  }
  if (manifest.migrations.join() !== restored.migrations.join()) {
    throw new BackupError('drill_mismatch', 'the restored schema has other migrations than the manifest says');
  }
}

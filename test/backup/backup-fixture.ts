import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type BackupSettings, createBackupRunner } from '../../activities/backup-runner.ts';
import { createAuditLog } from '../../db/audit.ts';
import { createChainSealer } from '../../db/audit-seal.ts';
import { beginRun, type Kind } from '../../db/backup-runs.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createDatabase } from '../helpers/database.ts';

export const DAY_MS = 86_400_000;

/** A database with something in it, sealed audit entries, and a runner whose backups lie in a folder of their own. */
export async function createBackupFixture(overrides: Partial<BackupSettings> = {}) {
  const database = await createDatabase();
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-backup-'));
  const auditKey = createSecretKey(randomBytes(32));
  const audit = createAuditLog({ auditKey });
  const { db } = database;
  const settings: BackupSettings = {
    // The owner may read its tables and create databases; the roles of a real installation have a test of their own.
    backupUrl: database.ownerUrl,
    drillUrl: database.ownerUrl,
    backupDir: join(folder, 'backups'),
    backupToolsDir: undefined,
    backupS3: undefined,
    backupRetention: 30 * DAY_MS,
    masterKey: { kind: 'key', key: createSecretKey(randomBytes(32)) },
    ...overrides,
  };
  const runnerWith = (changed: Partial<BackupSettings> = {}) =>
    createBackupRunner({ db, audit, auditKey, settings: { ...settings, ...changed } });

  async function addPeople(count: number): Promise<void> {
    await db.transaction(async (tx) => {
      await run(
        tx,
        `insert into app_user (id, email, email_key, full_name, role, password_hash, password_changed_at)
         select gen_random_uuid(), 'person-' || gen_random_uuid() || '@example.com', gen_random_uuid()::text,
                'Ada Lovelace', 'customer', 'none', clock_timestamp() from generate_series(1, $1)`,
        [count],
      );
      for (let index = 0; index < count; index += 1) {
        await audit.append(tx, {
          action: 'user.created',
          actor: { kind: 'system' },
          subject: { kind: 'user', id: uuidV7() },
          outcome: 'success',
        });
      }
    });
  }

  async function seal(): Promise<void> {
    const client = new pg.Client({ connectionString: database.ownerUrl, pipeline: true });
    await client.connect();
    try {
      const sealer = createChainSealer({ auditKey });
      for (let more = true; more; ) {
        const result = await sealer.seal(client);
        more = result.outcome === 'sealed' && result.more;
      }
    } finally {
      await client.end();
    }
  }

  /** Writes the row of a run as a worker would. */
  async function begin(kind: Kind): Promise<string> {
    const id = uuidV7();
    const begun = await db.transaction((tx) =>
      beginRun(tx, { audit }, kind, { id, trigger: 'manual', requestedBy: null, workflowId: null }),
    );
    if (!begun) throw new Error('another run is under way');
    return id;
  }

  await addPeople(30);
  await seal();
  const idle = () => ({ onProgress: () => {}, signal: new AbortController().signal });
  return {
    ...database,
    folder,
    audit,
    auditKey,
    settings,
    runner: runnerWith(),
    runnerWith,
    addPeople,
    seal,
    begin,
    idle,
    /** A finished backup, as the activity makes it. */
    async backup(runner = runnerWith()) {
      const id = await begin('backup');
      const manifest = await runner.perform(id, idle());
      await run(
        db.fork(),
        `update backup_run set status = 'succeeded', finished_at = clock_timestamp() where id = $1`,
        [id],
      );
      return manifest;
    },
    async dispose() {
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type BackupFixture = Awaited<ReturnType<typeof createBackupFixture>>;

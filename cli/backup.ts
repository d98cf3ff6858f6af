import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { BackupManifest } from '../platform/backup-manifest.ts';
import type { RestoredLog } from './backup-restore.ts';

interface Flags {
  readonly dataDir: string;
  readonly json?: boolean;
}

interface RestoreFlags extends Flags {
  readonly database?: string;
  readonly force?: boolean;
}

/** `tradeguard backup ...`: works without Temporal, and restores without the database that was backed up. */
export function registerBackup(program: Command): void {
  const backup = program.command('backup').description('encrypted backups of the database');
  const command = (usage: string, description: string) =>
    backup
      .command(usage)
      .description(description)
      .option('--data-dir <folder>', 'of an installation on this machine', process.env.DATA_DIR || '.data')
      .option('--json', 'print the result as JSON');
  command('create', 'make a backup now').action((flags: Flags) => withTools(flags, create));
  command('list', 'the backups in the folder and in the copy').action((flags: Flags) => withTools(flags, list));
  command('verify <id>', 'read a backup from the first byte to the last; `latest` for the newest').action(
    (id: string, flags: Flags) => withTools(flags, (tools) => verify(tools, id)),
  );
  command('drill [id]', 'restore the newest backup into a database of its own, check it, drop it').action(
    (id: string | undefined, flags: Flags) => withTools(flags, (tools) => drill(tools, id)),
  );
  command('clean-up', 'delete what is older than BACKUP_RETENTION').action((flags: Flags) =>
    withTools(flags, async ({ runner, tell }) => {
      const { deleted, leftovers } = await runner.cleanUp();
      tell({ deleted, leftovers }, `Deleted: ${deleted.length} backup(s), ${leftovers.length} unfinished file(s).`);
    }),
  );
  command('restore <id>', 'restore a backup into the database of RESTORE_DATABASE_URL, else DATABASE_OWNER_URL')
    .option('--database <name>', 'another database on that server; it has to exist')
    .option('--force', 'take the place of a database that is not empty, which is set aside under another name')
    .action((id: string, flags: RestoreFlags) => withTools(flags, (tools) => restore(tools, id, flags)));
}

type Tools = Awaited<ReturnType<typeof openTools>>;

async function openTools(flags: Flags, signal: AbortSignal) {
  const [{ createBackupRunner }, { createAuditLog }, { createOrm }, { installationConfig }] = await Promise.all([
    import('../activities/backup-runner.ts'),
    import('../db/audit.ts'),
    import('../db/orm.ts'),
    import('./installation-config.ts'),
  ]);
  const config = installationConfig(flags.dataDir);
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 3, applicationName: 'tradeguard-backup' });
  const audit = createAuditLog({ auditKey: config.auditKey });
  const bar = createBar();
  return {
    config,
    db,
    audit,
    signal,
    show: bar.show,
    tell(result: unknown, sentence: string): void {
      bar.stop();
      console.log(flags.json ? JSON.stringify(result, null, 2) : sentence);
    },
    runner: createBackupRunner({ db, audit, auditKey: config.auditKey, settings: config }),
    async close(): Promise<void> {
      bar.stop();
      await db.close();
    },
  };
}

async function withTools(flags: Flags, work: (tools: Tools) => Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const tools = await openTools(flags, stopping.signal);
  try {
    await work(tools);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    throw new Error('Stopped. Nothing of it stays.');
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await tools.close();
  }
}

/** Runs `work` as a run with a row: begun, kept alive, ended, and all of it in the audit log. */
async function recorded<R>(
  { db, audit, show, signal }: Tools,
  kind: 'backup' | 'restore_drill',
  work: (
    id: string,
    control: { onProgress: (phase: string, bytes: number) => void; signal: AbortSignal },
  ) => Promise<R>,
  finish: (
    id: string,
    ending: { status: 'succeeded'; result: R } | { status: 'failed'; reason: string } | { status: 'cancelled' },
  ) => Promise<unknown>,
): Promise<R> {
  const [{ beginRun, showProgress }, { uuidV7 }, { BackupError }] = await Promise.all([
    import('../db/backup-runs.ts'),
    import('../security/uuid.ts'),
    import('../domain/backup.ts'),
  ]);
  const id = uuidV7();
  const request = { id, trigger: 'cli' as const, requestedBy: null, workflowId: null };
  if (!(await db.transaction((tx) => beginRun(tx, { audit }, kind, request)))) {
    throw new Error('Another one is running: see GET /api/admin/backups.');
  }
  let progress = { phase: kind === 'backup' ? 'dump' : 'restore', bytes: 0 };
  const alive = setInterval(() => {
    showProgress(db.fork(), kind, id, progress.phase, progress.bytes).catch(() => {});
  }, 2_000);
  try {
    const result = await work(id, {
      signal,
      onProgress(phase, bytes) {
        progress = { phase, bytes };
        show(phase, bytes);
      },
    });
    await finish(id, { status: 'succeeded', result });
    return result;
  } catch (error) {
    const reason = error instanceof BackupError ? error.code : 'interrupted';
    await finish(id, signal.aborted ? { status: 'cancelled' } : { status: 'failed', reason });
    throw error;
  } finally {
    clearInterval(alive);
  }
}

async function create(tools: Tools): Promise<void> {
  const { db, audit, runner, tell } = tools;
  const { finishBackupRun } = await import('../db/backups.ts');
  await runner.assertReady('backup');
  const manifest = await recorded(tools, 'backup', runner.perform, (id, ending) =>
    db.transaction((tx) => finishBackupRun(tx, { audit }, id, ending)),
  );
  const covered = await publishCheckpoint(tools, manifest);
  const { deleted } = await runner.cleanUp();
  tell(manifest, `Backup ${manifest.id}: ${sizeOf(manifest)}, read back whole.${covered}${tooOld(deleted.length)}`);
}

/** What the backup holds of the audit log is covered by a checkpoint outside the database. A backup is good without it. */
async function publishCheckpoint({ config, db, audit }: Tools, manifest: BackupManifest): Promise<string> {
  const [{ openCheckpointPublisher }, { reportRefusal }, { sentenceOf }] = await Promise.all([
    import('../activities/open-checkpoints.ts'),
    import('../activities/checkpoint-incident.ts'),
    import('./audit-checkpoint.ts'),
  ]);
  const { auditKey, checkpoints: settings } = config;
  try {
    const publisher = openCheckpointPublisher({ db, audit, auditKey, settings, log: quiet });
    const outcome = await publisher.publish({ trigger: 'backup', covering: manifest.audit.seq + 1 });
    if (outcome.status !== 'refused') return '';
    await db.transaction((tx) => reportRefusal(tx, { audit }, outcome, `backup:${manifest.id}`));
    return ` No checkpoint of the audit log was published. ${sentenceOf(outcome)}`;
  } catch (error) {
    return ` No checkpoint of the audit log was published: ${(error as Error).message}.`;
  }
}

async function list({ runner, config, tell, signal }: Tools): Promise<void> {
  const local = await runner.store.list();
  const remote = runner.copy ? await runner.copy.list(signal) : [];
  const copied = new Set(remote.map(({ id }) => id));
  const held = new Set(local.map(({ id }) => id));
  const all = [...local, ...remote.filter(({ id }) => !held.has(id))];
  all.sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  const places = (id: string) => [held.has(id) ? 'folder' : '', copied.has(id) ? 'copy' : ''].filter(Boolean);
  const lines = all.map(
    (manifest) => `${manifest.id}  ${manifest.createdAt}  ${sizeOf(manifest)}  ${places(manifest.id).join('+')}`,
  );
  const view = all.map((manifest) => ({ ...manifest, places: places(manifest.id) }));
  tell(view, lines.length > 0 ? lines.join('\n') : `No backup in ${config.backupDir}.`);
}

async function verify({ runner, tell, show, signal }: Tools, which: string): Promise<void> {
  const id = await idOf(runner, which);
  const manifest = await runner.store.read(id);
  if (manifest === undefined) throw new Error(`There is no backup ${id} in the folder.`);
  await runner.archive.validate(manifest, { onProgress: show, signal });
  tell(manifest, `Backup ${id} is whole: ${sizeOf(manifest)}.`);
}

async function drill(tools: Tools, which: string | undefined): Promise<void> {
  const { db, audit, runner, tell } = tools;
  const { chooseForDrill, finishDrill } = await import('../db/restore-drills.ts');
  await runner.assertReady('restore_drill');
  const result = await recorded(
    tools,
    'restore_drill',
    async (id, control) => {
      if (which !== undefined) await chooseForDrill(db.fork(), id, await idOf(runner, which));
      return runner.drill(id, control);
    },
    (id, ending) => db.transaction((tx) => finishDrill(tx, { audit }, id, ending)),
  );
  tell(
    result,
    `Restored and checked: ${result.rows} rows in ${result.tables} tables, ${result.auditEntries} audit entries. The database was dropped.`,
  );
}

async function restore(tools: Tools, which: string, flags: RestoreFlags): Promise<void> {
  const { config, audit, runner, tell, show, signal } = tools;
  const [{ restoreForGood }, { openCheckpointPublisher }] = await Promise.all([
    import('./backup-restore.ts'),
    import('../activities/open-checkpoints.ts'),
  ]);
  const given = process.env.RESTORE_DATABASE_URL || config.databaseOwnerUrl;
  if (given === undefined) throw new Error('Set RESTORE_DATABASE_URL: the role that is to own the restored tables.');
  const target = new URL(given);
  if (flags.database !== undefined) target.pathname = `/${encodeURIComponent(flags.database)}`;
  const { auditKey, checkpoints: settings } = config;
  const { manifest, setAside, log, erasedAgain } = await restoreForGood({
    runner,
    audit,
    auditKey,
    installationUrl: config.databaseUrl,
    publisherFor: (db) => openCheckpointPublisher({ db, audit, auditKey, settings, log: quiet }),
    backupId: await idOf(runner, which),
    targetUrl: target.href,
    appRole: decodeURIComponent(new URL(config.databaseUrl).username),
    otherRoles: config.backupUrl ? [decodeURIComponent(new URL(config.backupUrl).username)] : [],
    force: flags.force === true,
    onProgress: (bytes) => show('restore', bytes),
    signal,
  });
  const aside = setAside === null ? '' : ` The former content is in the database ${setAside}.`;
  tell(
    {
      backupId: manifest.id,
      createdAt: manifest.createdAt,
      database: target.pathname.slice(1),
      setAside,
      auditLog: log,
      erasedAgain,
    },
    `Restored the state of ${manifest.createdAt} into ${target.pathname.slice(1)}.${aside}${erasuresIn(erasedAgain)}${await standingOf(log)}`,
  );
}

/** What became of erasures that the backup is older than, where that needs to be said. */
function erasuresIn(again: number | null): string {
  if (again === null) {
    return (
      '\nNo database says which keys of persons were destroyed since that backup. Destroy them again from an export: ' +
      'tradeguard audit shred --from-export DIR'
    );
  }
  return again === 0 ? '' : `\nKeys of persons that had been destroyed since, destroyed again: ${again}.`;
}

async function idOf({ store, copy }: Tools['runner'], which: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(which)) return which.toLowerCase();
  if (which !== 'latest')
    throw new Error(`${which} is no id of a backup: see \`tradeguard backup list\`, or write latest.`);
  const newest = (await store.list())[0] ?? (await copy?.list())?.[0];
  if (newest === undefined) throw new Error('There is no backup.');
  return newest.id;
}

function createBar() {
  const bar = new SingleBar({
    format: '{phase} {megabytes} MB | {duration_formatted}',
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
  });
  let isShown = false;
  return {
    show(phase: string, bytes: number): void {
      const payload = { phase, megabytes: (bytes / 1e6).toFixed(1) };
      if (!isShown) bar.start(1, 0, payload);
      isShown = true;
      bar.update(0, payload);
    },
    stop: () => bar.stop(),
  };
}

function sizeOf({ file, tables }: BackupManifest): string {
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
  return `${(file.bytes / 1e6).toFixed(1)} MB, ${rows} rows in ${Object.keys(tables).length} tables`;
}

/** What became of the audit log, where that needs to be said. */
async function standingOf(log: RestoredLog): Promise<string> {
  if (log.status === 'whole') return '';
  if (log.status === 'accepted') return `\n${(await import('./audit-checkpoint.ts')).lossOf(log)}`;
  if (log.status === 'refused') {
    return `\nThe restored audit log contradicts what is published of it: ${log.reason}. See docs/INCIDENT_RESPONSE.md, "Audit violation".`;
  }
  const how = 'tradeguard audit accept-restore --reason TEXT';
  return log.status === 'apart'
    ? `\nIt is not the database of this installation: its audit log was not held against the published checkpoints. Before it becomes that: ${how}`
    : `\nIts audit log was not held against the published checkpoints (${log.reason}). Before the start: ${how}`;
}

const quiet = { info: () => {}, warn: () => {} };
const tooOld = (count: number) => (count === 0 ? '' : ` Deleted for their age: ${count}.`);

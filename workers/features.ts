import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { BackupRunner, BackupSettings } from '../activities/backup-runner.ts';
import { forgetFeatures, storeFeatures } from '../db/feature-reports.ts';
import type { Database } from '../db/orm.ts';
import { BackupError } from '../domain/backup.ts';
import type { Feature, FeatureState, WorkerFeature } from '../domain/feature.ts';
import { MailError, type Mailer } from '../platform/mailer.ts';
import { persist } from '../platform/persist.ts';

const TELL_EVERY_MS = 60_000;

/** What a look at one feature found; `detail` is for the log alone. */
interface Found {
  state: FeatureState;
  why: string | null;
  detail?: string;
}
export type FeatureProbes = Readonly<Record<WorkerFeature, () => Promise<Found>>>;

const ON: Found = { state: 'on', why: null };
const off = (why: string): Found => ({ state: 'off', why });

/** How a worker finds out what it can do. */
export function createFeatureProbes(deps: {
  backups: Pick<BackupRunner, 'assertReady'>;
  mailer: Pick<Mailer, 'check'>;
  settings: Pick<BackupSettings, 'backupUrl' | 'drillUrl' | 'backupS3'> & { smtpUrl: string | undefined };
}): FeatureProbes {
  const { backups, mailer, settings } = deps;

  async function ready(kind: 'backup' | 'restore_drill'): Promise<Found> {
    try {
      await backups.assertReady(kind);
      return ON;
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      const why =
        error.code === 'tools_missing'
          ? 'pg_dump and pg_restore are not installed where the worker runs, or are older than the database server'
          : 'the database server does not answer, or refuses the role';
      return { state: 'unavailable', why, detail: error.message };
    }
  }

  return {
    backups: async () =>
      settings.backupUrl === undefined ? off('DATABASE_BACKUP_URL is not set') : await ready('backup'),
    restore_drills: async () =>
      settings.drillUrl === undefined ? off('DATABASE_DRILL_URL is not set') : await ready('restore_drill'),
    backup_copies: async () =>
      settings.backupS3 === undefined ? off('BACKUP_S3_ENDPOINT and what belongs to it are not set') : ON,
    async mail() {
      if (settings.smtpUrl === undefined) return off('SMTP_URL is not set: letters become files and reach nobody');
      try {
        await mailer.check();
        return ON;
      } catch (error) {
        if (!(error instanceof MailError)) throw error;
        const why = 'the mail server does not answer, or refuses the log-in: letters wait and are tried again';
        return { state: 'unavailable', why, detail: error.message };
      }
    },
  };
}

/**
 * Tells the database, where health reads it, and the log what this worker can do. What was found to work is not asked
 * again, since its own failures open incidents; what is off or missing is looked at every minute.
 */
export function createFeatureReports(deps: {
  db: Database;
  log: Logger;
  /** Names the process. */
  worker: string;
  probes: FeatureProbes;
  everyMs?: number;
}) {
  const { db, log, worker, probes, everyMs = TELL_EVERY_MS } = deps;
  const known = new Map<string, Feature>();

  async function look(name: WorkerFeature): Promise<void> {
    const before = known.get(name);
    if (before?.state === 'on') return;
    const { detail, ...found } = await probes[name]();
    known.set(name, { name, ...found });
    if (before?.state === found.state && before.why === found.why) return;
    const line = { feature: name, ...found, ...(detail === undefined ? {} : { detail }) };
    if (found.state === 'on') log.info(line, 'feature');
    else log.warn(line, 'feature is missing: what needs it is refused');
  }

  async function tell(): Promise<void> {
    await Promise.all((Object.keys(probes) as WorkerFeature[]).map(look));
    await storeFeatures(db.fork(), worker, [...known.values()]);
  }

  return {
    /** Runs until `signal` aborts; a database that is down is waited for. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await persist(tell, { name: 'features', log, signal });
        await sleep(everyMs, undefined, { signal }).catch(() => {});
      }
      // Where that fails the row is forgotten when it grows old.
      await forgetFeatures(db.fork(), worker).catch(() => {});
    },
  };
}

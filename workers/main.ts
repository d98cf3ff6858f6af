import { hostname } from 'node:os';
import { DefaultLogger, NativeConnection, Runtime, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createBacktestRunner } from '../activities/backtest-runner.ts';
import { createBackupRunner } from '../activities/backup-runner.ts';
import { type Activities, createActivities } from '../activities/index.ts';
import { createMailDelivery } from '../activities/mail-delivery.ts';
import { openCheckpointPublisher } from '../activities/open-checkpoints.ts';
import { createAuditLog } from '../db/audit.ts';
import { openKeyring } from '../db/keyring.ts';
import { followKeyring } from '../db/keyring-follower.ts';
import { createOrm } from '../db/orm.ts';
import { createOutbox } from '../db/outbox.ts';
import { noteOutsideSecrets } from '../db/outside-secrets.ts';
import { recordPrices } from '../db/prices.ts';
import { limitsInMinor } from '../domain/limits.ts';
import { currencyExponent } from '../domain/money.ts';
import { type Config, ConfigError, loadConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logger.ts';
import { createMailer } from '../platform/mailer.ts';
import { openPayments } from '../platform/payments.ts';
import { persist } from '../platform/persist.ts';
import { createPriceFeed } from '../platform/price-feed.ts';
import { createShutdown } from '../platform/shutdown.ts';
import { type Keyring, KeyringError } from '../security/keyring.ts';
import { createTemporalClient, type TemporalClient } from '../temporal/connection.ts';
import { createEncryptedDataConverter } from '../temporal/data-converter.ts';
import { ensureSearchAttributes } from '../temporal/search-attributes.ts';
import { readTls } from '../temporal/tls.ts';
import { createWorkflowRegistry } from '../temporal/workflow-registry.ts';
import { taskQueues } from '../workflows/contract.ts';
import { bundleWorkflowsApart } from './bundle.ts';
import { createErrorReports } from './error-reports.ts';
import { createFeatureProbes, createFeatureReports } from './features.ts';
import { createOutboxDispatcher } from './outbox-dispatcher.ts';
import { startOverdueBackup } from './overdue-backup.ts';
import { ensureSchedules } from './schedules.ts';
import { createSealer } from './sealer.ts';
import { createWorkers, runWorkers } from './worker.ts';

export interface WorkerProcessOptions {
  config: Config;
  log: Logger;
  /** For tests, which bundle once for all. */
  workflowBundle?: WorkflowBundleWithSourceMap;
  /** False for tests, whose workflows by the clock would outlive them on a shared server. */
  schedules?: boolean;
}

/**
 * Everything the worker process does: polls both task queues, sends letters, seals the audit log. A database or Temporal
 * server that is down, at the start or later, is waited for.
 *
 * @returns `polling` resolves when tasks are polled for the first time, and rejects when the stored keys do not open
 */
export async function startWorkerProcess({ config, log, workflowBundle, schedules = true }: WorkerProcessOptions) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const db = await createOrm({
    databaseUrl: config.databaseUrl,
    poolMax: config.dbPool.max,
    limits: config.dbPool,
    applicationName: 'tradeguard-worker',
  });
  const identity = `worker:${process.pid}@${hostname()}`;
  const server = { address: config.temporalAddress, namespace: config.temporalNamespace };
  const tls = readTls(config.temporalTls);
  let temporal: TemporalClient | undefined;
  const queues = taskQueues(config.taskQueuePrefix);
  const sealer = createSealer({ databaseUrl: config.databaseUrl, auditKey: config.auditKey, log });
  const reports = createErrorReports({ db, log });
  const started = Promise.withResolvers<void>();

  async function runByTheClock({ client }: TemporalClient): Promise<void> {
    const { taskQueuePrefix: prefix, backupTimeZone } = config;
    await ensureSchedules(client, { prefix, queues, backupTimeZone });
    if (config.backupUrl !== undefined) await startOverdueBackup({ client, db, queues, log });
  }

  const noteSecrets = (keyring: Keyring) =>
    db.transaction((tx) =>
      noteOutsideSecrets(tx, keyring, {
        SESSION_SECRET: config.sessionSecret,
        SMTP_URL: config.smtpUrl,
        BACKUP_S3_SECRET_ACCESS_KEY: config.backupS3?.secretAccessKey,
        AUDIT_CHECKPOINT_S3_SECRET_ACCESS_KEY: config.checkpoints.bucket?.secretAccessKey,
        STRIPE_SECRET_KEY: config.stripe?.secretKey,
        STRIPE_WEBHOOK_SECRET: config.stripe?.webhookSecret,
      }),
    );

  /** One life of the Temporal workers, from the connection to their end. */
  async function poll(
    activities: Activities,
    bundle: WorkflowBundleWithSourceMap,
    keyring: Keyring,
    byTheClock: () => Promise<void>,
  ): Promise<void> {
    const connection = await NativeConnection.connect({ address: server.address, ...(tls ? { tls } : {}) });
    try {
      await ensureSearchAttributes(connection, server.namespace);
      if (schedules) await byTheClock();
      const workers = await createWorkers({
        connection,
        namespace: server.namespace,
        queues,
        workflowBundle: bundle,
        activities,
        identity,
        dataConverter: createEncryptedDataConverter(keyring, 'mark'),
        shutdownTimeoutMs: config.shutdownTimeout,
        log,
        reports,
      });
      const running = runWorkers(workers, signal);
      started.resolve();
      await running;
    } finally {
      await connection.close();
    }
  }

  async function run(): Promise<void> {
    const keyring = await persist(() => openKeyring(db, config), {
      name: 'keyring',
      log,
      signal,
      isFatal: (error) => error instanceof KeyringError,
    });
    if (keyring === undefined) return;
    const client = createTemporalClient({
      ...server,
      tls,
      identity,
      dataConverter: createEncryptedDataConverter(keyring, 'refuse'),
    });
    temporal = client;
    const audit = createAuditLog({ auditKey: config.auditKey });
    const outbox = createOutbox({ keyring });
    const mailer = createMailer({
      ...(config.smtpUrl === undefined ? {} : { smtpUrl: config.smtpUrl }),
      mailDir: config.mailDir,
      from: config.mailFrom,
    });
    const backups = createBackupRunner({ db, audit, auditKey: config.auditKey, settings: config });
    const activities = createActivities({
      db,
      keyring,
      audit,
      auditKey: config.auditKey,
      outbox,
      mailer,
      payments: await openPayments(config.stripe),
      limits: limitsInMinor(config.limits, currencyExponent(config.baseCurrency)),
      registry: createWorkflowRegistry({ temporal: client, queues }),
      log,
      publicOrigin: config.publicOrigin,
      queues,
      backups,
      checkpoints: openCheckpointPublisher({
        ...{ db, audit, auditKey: config.auditKey, settings: config.checkpoints, log },
      }),
      backtests: createBacktestRunner({ db }),
      breaker: { factor: config.breakerFactor, minHolds: config.breakerMinHolds },
      production: config.production,
    });
    const bundle = workflowBundle ?? (await bundleWorkflowsApart());
    const priceFeed = createPriceFeed({
      currency: config.baseCurrency,
      record: (prices) => db.transaction((tx) => recordPrices(tx, prices, 'simulated')),
      log,
    });
    const delivery = createMailDelivery({ db, outbox, mailer, audit, log });
    const features = createFeatureReports({
      db,
      log,
      worker: identity,
      probes: createFeatureProbes({ backups, mailer, settings: config }),
    });
    await Promise.all([
      features.run(signal),
      followKeyring({ db, keyring, log, signal }),
      persist(() => noteSecrets(keyring), { name: 'ages of secrets', log, signal }),
      persist(() => poll(activities, bundle, keyring, () => runByTheClock(client)), {
        name: 'temporal workers',
        log,
        signal,
      }),
      createOutboxDispatcher({ delivery, log }).run(signal),
      // In production prices are imported: a made-up one must never settle a trade.
      ...(config.production ? [] : [priceFeed.run(signal)]),
    ]);
  }

  sealer.start();
  const running = run();
  running.catch(started.reject);
  return {
    polling: started.promise,
    /** Finishes what is under way, then closes every connection. */
    async stop(): Promise<void> {
      stopping.abort();
      await running.catch(() => {});
      // Last, so that what was just decided is sealed as well.
      await sealer.stop();
      await reports.close();
      await temporal?.close();
      await db.close();
    },
  };
}

export type WorkerProcess = Awaited<ReturnType<typeof startWorkerProcess>>;

/** Runs one worker process, configured by the environment, until a signal. @throws ConfigError, KeyringError */
export async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLogger({ level: config.logLevel, name: 'worker' });
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const write = level === 'ERROR' ? log.error : level === 'WARN' ? log.warn : log.debug;
      write.call(log, { sdk: meta }, message);
    }),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    // Signals are handled in one place, which also closes the database.
    shutdownSignals: [],
  });
  const shutdown = createShutdown({ log, timeout: config.shutdownTimeout + 2_000 });
  shutdown.listen();
  const worker = await startWorkerProcess({ config, log });
  shutdown.add('worker', worker.stop);
  await worker.polling;
  log.info({ queues: taskQueues(config.taskQueuePrefix) }, 'polling');
  process.send?.({ type: 'ready' });
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    const known = error instanceof ConfigError || error instanceof KeyringError;
    console.error(known ? error.message : error);
    process.exit(1);
  });
}

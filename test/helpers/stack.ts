import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { inject } from 'vitest';
import { startApi } from '../../api/main.ts';
import { createAuditLog } from '../../db/audit.ts';
import { openKeyring } from '../../db/keyring.ts';
import { loadConfig } from '../../platform/config.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createEncryptedDataConverter } from '../../temporal/data-converter.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';
import { startWorkerProcess, type WorkerProcess } from '../../workers/main.ts';
import { deleteSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import { checkAnswersOf } from './checked-fetch.ts';
import { createDatabase } from './database.ts';
import { createHttpClient } from './http.ts';
import { createMailbox } from './mailbox.ts';
import { createPeople } from './people.ts';

export interface StackOptions {
  /** Variables of the environment beside the defaults, for instance `{ LOCKOUT_DURATION: '2s' }`. */
  env?: Record<string, string>;
  /** False to start without a worker. */
  worker?: boolean;
  /** True for the schedules that production has (removed again by `close`). */
  schedules?: boolean;
  /** Where the program finds the database, for a proxy in between. The test's own connections go straight to it. */
  databasePort?: number;
}

/**
 * The whole program in this process, composed exactly as in production: a fresh database, the API on a free port, a
 * worker with task queues of its own on the run's Temporal server. Log lines from `warn` up with TEST_LOG_LEVEL=warn.
 */
export async function createStack(options: StackOptions = {}) {
  const { env = {}, worker: wantsWorker = true, schedules = false, databasePort } = options;
  const { temporalAddress, folder } = inject('servers');
  const database = await createDatabase();
  const dataDir = join(folder, database.name);
  const databaseUrl = new URL(database.url);
  if (databasePort !== undefined) databaseUrl.port = String(databasePort);
  const config = loadConfig({
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: databaseUrl.href,
    DATABASE_BACKUP_URL: database.ownerUrl,
    DATABASE_DRILL_URL: database.ownerUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TASK_QUEUE_PREFIX: database.name,
    SESSION_SECRET: randomBytes(32).toString('base64'),
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    AUDIT_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: dataDir,
    RATE_LIMIT_PER_MINUTE: '1000000',
    ...env,
  });
  const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
  const keyring = await openKeyring(database.db, config);
  const temporal = createTemporalClient({
    address: config.temporalAddress,
    namespace: config.temporalNamespace,
    tls: undefined,
    identity: 'test',
    dataConverter: createEncryptedDataConverter(keyring, 'refuse'),
  });
  const api = await startApi({ config, log });
  await api.ready;
  checkAnswersOf(api.url);
  let worker: WorkerProcess | undefined;

  const http = createHttpClient(() => api.url);
  const stack = {
    /** The configuration as the API sees it, with its real address. */
    config: api.config,
    url: api.url,
    codecUrl: api.codecUrl,
    api: http,
    db: database.db,
    ownerDb: database.ownerDb,
    ownerUrl: database.ownerUrl,
    keyring,
    /** For what a test writes in the words of the program itself. */
    audit: createAuditLog({ auditKey: config.auditKey }),
    temporal: temporal.client,
    mail: createMailbox(config.mailDir),
    people: createPeople({ api: http, db: database.db, keyring, config: api.config }),

    /** Starts the worker where none runs, and waits until it polls. */
    async startWorker(): Promise<void> {
      if (worker !== undefined) return;
      installQuietRuntime();
      worker = await startWorkerProcess({
        config: api.config,
        log,
        workflowBundle: await sharedBundle(folder),
        schedules,
      });
      await worker.polling;
    },

    /** Stops the worker; workflows wait until it is started again. */
    async stopWorker(): Promise<void> {
      const running = worker;
      worker = undefined;
      await running?.stop();
    },

    async close(): Promise<void> {
      await api.close();
      await stack.stopWorker();
      if (schedules) {
        await deleteSchedules(temporal.client, {
          prefix: config.taskQueuePrefix,
          queues: taskQueues(config.taskQueuePrefix),
        });
      }
      await temporal.close();
      await database.close();
    },
  };
  if (wantsWorker) await stack.startWorker();
  return stack;
}

export type Stack = Awaited<ReturnType<typeof createStack>>;

/** The first stack of a run bundles the workflows, the others read its file. */
async function sharedBundle(folder: string) {
  const file = join(folder, 'workflows.js');
  if (existsSync(file)) return { code: readFileSync(file, 'utf8'), sourceMap: '' };
  const bundle = await bundleWorkflows();
  // Two files may bundle at once: each writes a file of its own, and renaming is atomic.
  const own = `${file}.${process.pid}`;
  writeFileSync(own, bundle.code);
  renameSync(own, file);
  return bundle;
}

let installed = false;

function installQuietRuntime(): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    logger: new DefaultLogger(process.env.TEST_LOG_LEVEL === undefined ? 'ERROR' : 'WARN'),
    shutdownSignals: [],
  });
}

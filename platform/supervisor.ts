import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createChildRegistry, type Role } from './child-registry.ts';
import { type Config, isProduction, loadConfig } from './config.ts';
import { createDataFolder, lockDataFolder, logFile } from './data-folder.ts';
import { type Endpoints, removeEndpoints, writeEndpoints } from './endpoints.ts';
import { keepRunning } from './keep-running.ts';
import { startLocalPostgres } from './local-postgres.ts';
import { startLocalTemporal } from './local-temporal.ts';
import { startNodeChild } from './node-child.ts';
import { freePort, isPortFree } from './ports.ts';
import type { RunningProcess } from './running-process.ts';
import { loadOrCreateSecrets, withSecrets } from './secrets.ts';
import { findTemporalCli } from './temporal-cli.ts';

export interface SupervisorOptions {
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Port of the API as asked for on the command line; 0 takes free ports for everything. */
  readonly port: number | undefined;
  readonly say: (line: string) => void;
  /** Migrations and the first administrator: between the databases and the processes that need both. */
  readonly prepare: (target: PreparedTarget) => Promise<void>;
  /** Modules of the two processes. */
  readonly modules: { readonly api: string; readonly worker: string };
}

export interface PreparedTarget {
  readonly config: Config;
  /** The environment that the processes get, from which `config` was read. */
  readonly env: NodeJS.ProcessEnv;
}

const NAMES: Readonly<Record<Role, string>> = {
  api: 'API',
  worker: 'Worker',
  temporal: 'Temporal',
  postgres: 'PostgreSQL',
};

interface Supervised {
  stop(): Promise<void>;
}

/**
 * Runs a whole installation on one machine: PostgreSQL, Temporal, the API and a worker, each as a process of its own that
 * is started again when it dies. Given a `DATABASE_URL` or `TEMPORAL_ADDRESS` it uses those servers and starts none.
 */
export function createSupervisor(options: SupervisorOptions) {
  const { say } = options;
  const production = isProduction(options.env);
  const dataDir = createDataFolder(options.dataDir);
  const registry = createChildRegistry(dataDir);
  const stopping = new AbortController();
  const supervised: Supervised[] = [];
  let endpoints: Endpoints | undefined;
  let release: (() => void) | undefined;
  let stopped: Promise<void> | undefined;

  async function start(): Promise<Endpoints> {
    release = lockDataFolder(dataDir);
    const orphans = await registry.endOrphans();
    if (orphans.length > 0)
      say(`Ended what an interrupted start had left: ${orphans.map((role) => NAMES[role]).join(', ')}.`);
    mkdirSync(join(dataDir, 'mail'), { recursive: true, mode: 0o700 });
    const base: NodeJS.ProcessEnv = {
      ...(production ? options.env : withSecrets(options.env, loadOrCreateSecrets(dataDir))),
      DATA_DIR: dataDir,
    };
    // Before anything is started: what is wrong with the configuration. The servers' addresses are filled in later.
    const configured = loadConfig({
      ...base,
      DATABASE_URL: base.DATABASE_URL || 'postgresql://127.0.0.1/pending',
      TEMPORAL_ADDRESS: base.TEMPORAL_ADDRESS || '127.0.0.1:7233',
    });
    const port = await apiPort(options.port ?? configured.port, configured.host);
    const database = await startDatabase(base);
    const temporal = await startTemporal(base);
    const env = { ...base, ...database, ...temporal, PORT: String(port) };
    const config = loadConfig(env);
    await step(() => options.prepare({ config, env }));
    const apiUrl = await startProcesses(env);
    endpoints = {
      api: apiUrl ?? `http://${config.host}:${port}`,
      temporalUi: config.temporalUiUrl,
      database: config.databaseUrl,
      databaseOwner: production ? undefined : config.databaseOwnerUrl,
      temporal: config.temporalAddress,
      pids: {},
    };
    return announce();
  }

  /** Everything that takes long goes through here, so that a stop asked for meanwhile takes effect before the next. */
  async function step<T>(work: () => Promise<T>): Promise<T> {
    stopping.signal.throwIfAborted();
    const result = await work();
    stopping.signal.throwIfAborted();
    return result;
  }

  function announce(): Endpoints {
    const known = endpoints as Endpoints;
    const roles = ['api', 'worker', 'temporal', 'postgres'] as const;
    const pids = Object.fromEntries(roles.flatMap((role) => (registry.pid(role) ? [[role, registry.pid(role)]] : [])));
    endpoints = { ...known, pids: { supervisor: process.pid, ...pids } };
    writeEndpoints(dataDir, endpoints);
    return endpoints;
  }

  /** Runs `launch` under supervision; its first start is awaited. */
  async function supervise<P extends RunningProcess>(role: Role, launch: () => Promise<P>): Promise<P> {
    const process = keepRunning<P>({
      name: NAMES[role],
      start: launch,
      say,
      onRestart: () => {
        if (endpoints && !stopping.signal.aborted) announce();
      },
    });
    supervised.push(process);
    return step(() => process.start());
  }

  async function startDatabase(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
    if (env.DATABASE_URL) {
      say('PostgreSQL: the one that DATABASE_URL names.');
      return {};
    }
    let port: number | undefined;
    const server = await supervise('postgres', async () => {
      const running = await startLocalPostgres({
        dataDir,
        say,
        env,
        onSpawn: (pid) => registry.record('postgres', pid),
        ...(port === undefined ? {} : { port }),
      });
      port = running.port;
      return running;
    });
    say(`PostgreSQL ${server.version}: 127.0.0.1:${server.port}, data in ${server.dataDirectory}`);
    return {
      DATABASE_URL: server.url,
      DATABASE_OWNER_URL: server.ownerUrl,
      DATABASE_BACKUP_URL: server.backupUrl,
      DATABASE_DRILL_URL: server.drillUrl,
    };
  }

  async function startTemporal(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
    if (env.TEMPORAL_ADDRESS) {
      say(`Temporal: the one at ${env.TEMPORAL_ADDRESS}.`);
      return {};
    }
    const cli = await step(() => findTemporalCli({ env, say, signal: stopping.signal }));
    const port = await serverPort('Temporal', 7233);
    const uiPort = await serverPort('Temporal UI', 8233);
    const codecPort = await serverPort('Codec server', 3001);
    const codecEndpoint = `http://127.0.0.1:${codecPort}`;
    const server = await supervise('temporal', () =>
      startLocalTemporal({
        dataDir,
        cli,
        port,
        uiPort,
        codecEndpoint,
        onSpawn: (pid) => registry.record('temporal', pid),
      }),
    );
    say(`Temporal ${server.serverVersion} (${server.source}): ${server.address}`);
    say(`Temporal UI: ${server.uiUrl} (payloads are encrypted; codec server: ${codecEndpoint})`);
    return { TEMPORAL_ADDRESS: server.address, TEMPORAL_UI_URL: server.uiUrl, CODEC_PORT: String(codecPort) };
  }

  async function startProcesses(env: NodeJS.ProcessEnv): Promise<string | undefined> {
    // The owner's credentials stay here: the application must not be able to change what it may not change.
    const { DATABASE_OWNER_URL: _owner, ...workerEnv } = env;
    const { DATABASE_BACKUP_URL: _backup, DATABASE_DRILL_URL: _drill, ...apiEnv } = workerEnv;
    const launch = (role: 'api' | 'worker') =>
      supervise(role, () =>
        startNodeChild({
          name: NAMES[role],
          module: options.modules[role],
          env: role === 'worker' ? workerEnv : apiEnv,
          log: logFile(dataDir, role),
          onSpawn: (pid) => registry.record(role, pid),
        }),
      );
    // The worker first: what is registered last is ended first, and that has to be the API.
    const worker = launch('worker');
    const [api] = await settleAll([launch('api'), worker]);
    return api?.url;
  }

  async function apiPort(port: number, host: string): Promise<number> {
    if (port === 0) return freePort(host);
    if (await isPortFree(port, host)) return port;
    if (options.port !== undefined || options.env.PORT)
      throw new Error(`Port ${port} for the API is taken. Choose another with --port, or --port 0 for a free one.`);
    return replacement('API', port, host);
  }

  async function serverPort(name: string, usual: number): Promise<number> {
    if (options.port === 0) return freePort();
    return (await isPortFree(usual)) ? usual : replacement(name, usual, '127.0.0.1');
  }

  async function replacement(name: string, taken: number, host: string): Promise<number> {
    const port = await freePort(host);
    say(`${name}: port ${taken} is taken, using ${port}.`);
    return port;
  }

  async function stopAll(): Promise<void> {
    stopping.abort(new Error('The start was interrupted.'));
    // Without the lock the folder, and what is written in it, is another start's.
    if (!release) return;
    removeEndpoints(dataDir);
    // The API first, so that no new work arrives; PostgreSQL last.
    for (const one of supervised.toReversed()) await one.stop();
    registry.clear();
    release();
  }

  return {
    dataDir,
    /** Starts all in order. @throws when one does not start; call `stop` then, too. */
    start,
    /** Ends all in order; safe to call at any time and more than once. */
    stop(): Promise<void> {
      stopped ??= stopAll();
      return stopped;
    },
    /** Ends all at once, without order. */
    kill(): void {
      registry.killAll();
      release?.();
    },
  };
}

/** Like Promise.all, but never leaves an outcome unobserved. */
async function settleAll<T>(work: Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

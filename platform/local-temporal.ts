import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { createDataFolder, lastLines, logFile } from './data-folder.ts';
import { freePort } from './ports.ts';
import { readJsonFile, writePrivateFile } from './private-file.ts';
import { launch, type RunningProcess } from './running-process.ts';
import { type FindTemporalOptions, findTemporalCli, type TemporalCli } from './temporal-cli.ts';

/** What the workflows set, so that operators can search for them. SQLite visibility has three columns a numeric type. */
export const SEARCH_ATTRIBUTES = {
  TradeguardUser: 'Keyword',
  TradeguardStatus: 'Keyword',
  TradeguardRisk: 'Double',
  TradeguardSeverity: 'Keyword',
} as const;

const NAMESPACE = 'default';
/** A closed workflow stays readable for 30 days; the development server's own default is one day. */
const RETENTION_SECONDS = 30 * 24 * 3600;

export interface LocalTemporalOptions extends Pick<FindTemporalOptions, 'env' | 'say'> {
  readonly dataDir: string;
  /** Default: free ports. */
  readonly port?: number;
  readonly uiPort?: number;
  /** URL of the codec server that the UI asks to decode payloads. */
  readonly codecEndpoint?: string;
  /** Without the web UI, for tests. */
  readonly headless?: boolean;
  /** For tests: a CLI already found. */
  readonly cli?: TemporalCli;
  /** Called with the process id as soon as the server process exists, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

export interface LocalTemporal extends RunningProcess {
  /** `host:port` of the frontend. */
  readonly address: string;
  /** Undefined when headless. */
  readonly uiUrl: string | undefined;
  readonly port: number;
  readonly uiPort: number | undefined;
  readonly serverVersion: string;
  /** Where the binary was found, for instance `PATH`. */
  readonly source: string;
}

/**
 * Starts the Temporal development server on the database file of a data folder, and waits until it serves the namespace
 * with 30 days of retention.
 * @throws when the file was made by another server version, or it is not ready within 60 s.
 */
export async function startLocalTemporal(options: LocalTemporalOptions): Promise<LocalTemporal> {
  const dataDir = createDataFolder(options.dataDir);
  const cli = options.cli ?? (await findTemporalCli(options));
  const file = claimDatabaseFile(dataDir, cli);
  const port = options.port ?? (await freePort());
  const uiPort = options.headless ? undefined : (options.uiPort ?? (await freePort()));
  const log = logFile(dataDir, 'temporal');
  const { PATH, HOME } = process.env;
  const { running } = await launch({
    command: cli.path,
    args: serverArguments(file, port, uiPort, options.codecEndpoint),
    env: { PATH, HOME },
    log,
    stopSignal: 'SIGTERM',
    stopTimeout: 10_000,
  });
  options.onSpawn?.(running.pid);
  const address = `127.0.0.1:${port}`;
  let ended = false;
  running.exited.then(() => {
    ended = true;
  });
  try {
    await prepare(address, () => ended);
  } catch (error) {
    await running.stop();
    const end = lastLines(log, 10);
    throw new Error(`Temporal did not start: ${(error as Error).message} The end of ${log}:\n${end}`, { cause: error });
  }
  const uiUrl = uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`;
  return { ...running, address, uiUrl, port, uiPort, serverVersion: cli.serverVersion, source: cli.source };
}

/** Each was measured, on two cores. A server in production is given the same: docker/temporal/dynamic-config.yaml. */
export const DYNAMIC_CONFIG = {
  // The default of 20 polls a second on the one shard costs 50 ms a task.
  'history.transferProcessorMaxPollRPS': 10_000,
  'history.timerProcessorMaxPollRPS': 10_000,
  'history.visibilityProcessorMaxPollRPS': 10_000,
  // With four partitions and few pollers whole seconds are lost.
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

/** Each setting was measured, on two cores. */
function serverArguments(
  file: string,
  port: number,
  uiPort: number | undefined,
  codecEndpoint: string | undefined,
): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--db-filename', file],
    // Nothing acknowledged is lost with the process or the machine; the default journal is a third slower.
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=FULL'],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', codecEndpoint]),
    ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${value}`]),
    ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ...['--log-level', 'warn', '--color', 'never', '--disable-config-file', '--disable-config-env'],
  ];
}

/** A database file belongs to one version of the server, which is kept beside it. */
function claimDatabaseFile(dataDir: string, cli: TemporalCli): string {
  const folder = join(dataDir, 'temporal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'temporal.db');
  const record = join(folder, 'version.json');
  const made = readJsonFile<{ serverVersion: string }>(record)?.serverVersion;
  if (existsSync(file) && made !== cli.serverVersion)
    throw new Error(
      `${file} was made by Temporal server ${made ?? 'of an unknown version'}, and ${cli.path} is ${cli.serverVersion}. ` +
        'Set TEMPORAL_CLI to a CLI with that server, or move the file away: unfinished workflows are then made anew ' +
        'from the database.',
    );
  writePrivateFile(record, `${JSON.stringify({ serverVersion: cli.serverVersion })}\n`);
  return file;
}

async function prepare(address: string, hasEnded: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  let problem = 'no answer';
  while (Date.now() < deadline) {
    if (hasEnded()) throw new Error('It ended.');
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' });
      try {
        return await setRetention(connection);
      } finally {
        await connection.close();
      }
    } catch (error) {
      problem = (error as Error).message;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error(`Not ready after 60 s (${problem}).`);
}

async function setRetention(connection: Connection): Promise<void> {
  const { config } = await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
  if (Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) === RETENTION_SECONDS) return;
  await connection.workflowService.updateNamespace({
    namespace: NAMESPACE,
    config: { workflowExecutionRetentionTtl: { seconds: RETENTION_SECONDS as never } },
  });
}

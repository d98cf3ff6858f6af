import { execFile } from 'node:child_process';
import { chownSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDataFolder, lastLines, logFile } from './data-folder.ts';
import { freePort, isPortFree } from './ports.ts';
import { findPostgresBinaries, type PostgresBinaries, reachableBinaries } from './postgres-binaries.ts';
import { bootstrapCluster, clusterUrl, clusterUrls, waitForCluster } from './postgres-bootstrap.ts';
import { type ClusterRecord, clusterMajor, locateCluster, recordCluster, systemFolder } from './postgres-location.ts';
import { writePrivateFile } from './private-file.ts';
import { commandLineOf, endProcess, identify } from './process-identity.ts';
import { launch, type RunningProcess } from './running-process.ts';
import { type UnprivilegedUser, unprivilegedUser } from './unprivileged-user.ts';

const run = promisify(execFile);

export interface LocalPostgresOptions {
  /** The folder of this installation; made where it is missing. */
  readonly dataDir: string;
  /** Receives one line for each thing worth knowing. */
  readonly say?: (line: string) => void;
  readonly env?: NodeJS.ProcessEnv;
  /** Must be this port, for a server that is restarted under clients that know it. Default: the last one, else a free one. */
  readonly port?: number;
  /** For tests: no fsync, data may be lost when the machine stops. */
  readonly unsafeFast?: boolean;
  /** For tests of the search for binaries. */
  readonly binaries?: readonly PostgresBinaries[];
  /** Called with the process id as soon as the server process exists, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

export interface LocalPostgres extends RunningProcess {
  /** For the application's role, which owns nothing. */
  readonly url: string;
  /** For the role that owns the database: migrations, backups. */
  readonly ownerUrl: string;
  /** For the role that reads everything and changes nothing. */
  readonly backupUrl: string;
  /** For the role that makes databases for restore drills and cannot reach the live one. */
  readonly drillUrl: string;
  readonly port: number;
  readonly binDir: string;
  readonly version: string;
  /** PostgreSQL's own data folder, which may lie outside `dataDir`. */
  readonly dataDirectory: string;
}

/**
 * Starts the private cluster of a data folder, which is made on the first call: SCRAM passwords, data checksums, loopback
 * only, 200 connections. As root it runs as an unprivileged user.
 * @throws when no usable binaries are found or the server does not become ready within 60 s; the message says what to do.
 */
export async function startLocalPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  const say = options.say ?? (() => {});
  const found = options.binaries ?? findPostgresBinaries(options.env);
  if (found.length === 0)
    throw new Error('No PostgreSQL (14 or newer) was found. Install its server package, or set DATABASE_URL.');
  const dataDir = createDataFolder(options.dataDir);
  const user = unprivilegedUser();
  const cluster = locateCluster(dataDir, user, say);
  const chosen = chooseBinaries(found, cluster.directory);
  const binaries = reachableBinaries(chosen, user, systemFolder());
  await endLeftover(cluster.directory);
  if (clusterMajor(cluster.directory) === undefined) await initialise(cluster, binaries, user, dataDir, say);
  const port = options.port ?? (await choosePort(cluster.port));
  recordCluster(dataDir, { ...cluster, port });
  const server = await startServer(cluster, binaries, user, port, dataDir, options);
  return {
    ...server,
    ...clusterUrls(port, cluster.passwords),
    port,
    binDir: binaries.binDir,
    version: binaries.version,
    dataDirectory: cluster.directory,
  };
}

function chooseBinaries(found: readonly PostgresBinaries[], directory: string): PostgresBinaries {
  const major = clusterMajor(directory);
  const usable = found.find((binaries) => major === undefined || binaries.major === major);
  if (usable) return usable;
  const have = found.map((binaries) => binaries.version).join(', ');
  throw new Error(
    `The data in ${directory} was made by PostgreSQL ${major}; found here: ${have}. Install version ${major}.`,
  );
}

async function choosePort(last: number | undefined): Promise<number> {
  return last !== undefined && (await isPortFree(last)) ? last : freePort();
}

/** A postmaster that a killed start left behind would refuse a second one on its data. */
async function endLeftover(directory: string): Promise<void> {
  const file = join(directory, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  // The number may belong to another process by now: only the server of this very folder is ended.
  if (!commandLineOf(pid).includes(directory)) return;
  const leftover = identify(pid);
  if (leftover) await endProcess(leftover, 'SIGINT', 20_000);
}

async function initialise(
  cluster: ClusterRecord,
  binaries: PostgresBinaries,
  user: UnprivilegedUser | undefined,
  dataDir: string,
  say: (line: string) => void,
): Promise<void> {
  say(`PostgreSQL: making a database with PostgreSQL ${binaries.version} (${binaries.source}).`);
  // The record first: passwords that are not stored would make the new cluster useless.
  recordCluster(dataDir, cluster);
  const passwordFile = `${cluster.directory}.password`;
  writePrivateFile(passwordFile, cluster.passwords.superuser);
  if (user) chownSync(passwordFile, user.uid, user.gid);
  try {
    await run(
      join(binaries.binDir, 'initdb'),
      [
        ...['--pgdata', cluster.directory, '--username=postgres', `--pwfile=${passwordFile}`],
        ...['--auth=scram-sha-256', '--data-checksums', '--encoding=UTF8', '--locale=C', '--no-instructions'],
      ],
      { ...(user ? { uid: user.uid, gid: user.gid } : {}), cwd: '/' },
    );
  } catch (error) {
    // A half-made cluster holds no data yet, and would be taken for a whole one.
    rmSync(join(cluster.directory, 'PG_VERSION'), { force: true });
    throw new Error(`initdb failed: ${(error as { stderr?: string }).stderr?.trim() || (error as Error).message}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function startServer(
  cluster: ClusterRecord,
  binaries: PostgresBinaries,
  user: UnprivilegedUser | undefined,
  port: number,
  dataDir: string,
  options: LocalPostgresOptions,
): Promise<RunningProcess> {
  const log = logFile(dataDir, 'postgres');
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    password_encryption: 'scram-sha-256',
    log_line_prefix: '%m [%p] %u@%d ',
    ...(options.unsafeFast ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  const { running } = await launch({
    command: join(binaries.binDir, 'postgres'),
    args: ['-D', cluster.directory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // Not this process's environment: secrets in it are no business of the database server.
    env: { PATH: process.env.PATH, LANG: 'C', TZ: 'UTC' },
    log,
    user,
    stopSignal: 'SIGINT', // "fast": ends sessions and writes a checkpoint; SIGTERM would wait for every client.
    stopTimeout: 20_000,
  });
  options.onSpawn?.(running.pid);
  let gone = false;
  running.exited.then(() => {
    gone = true;
  });
  try {
    const admin = clusterUrl(port, 'postgres', cluster.passwords.superuser, 'postgres');
    await waitForCluster(admin, 60_000, () => gone);
    await bootstrapCluster(port, cluster.passwords);
    return running;
  } catch (error) {
    await running.stop();
    throw new Error(`${(error as Error).message} The end of ${log}:\n${lastLines(log, 10)}`, { cause: error });
  }
}

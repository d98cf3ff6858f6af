import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The release that is fetched or built where the machine has none. */
const VERSION = '1.5.1';
const GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${VERSION}`;
/** How many packages a build from nothing compiles. */
const PACKAGES = 1_300;
const RELEASES = `https://github.com/temporalio/cli/releases/download/v${VERSION}`;
/** SHA-256 of the release's archives, as published with it. */
const ARCHIVE_SHA256: Readonly<Record<string, string>> = {
  linux_amd64: 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  linux_arm64: 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  darwin_amd64: 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  darwin_arm64: 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

export interface TemporalCli {
  readonly path: string;
  /** Version of the server inside, for instance `1.29.1`: it decides the layout of the database file. */
  readonly serverVersion: string;
  readonly source: string;
}

export interface FindTemporalOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Receives one line for each thing worth knowing, progress included. */
  readonly say?: (line: string) => void;
  /** Where releases are downloaded from; for tests. */
  readonly releases?: string;
  readonly archiveSha256?: Readonly<Record<string, string>>;
  /** Ends a download or a build. */
  readonly signal?: AbortSignal;
}

/**
 * The Temporal CLI: `TEMPORAL_CLI`, then PATH, then the cache, then the release's download, then a build with Go.
 * The last two fill the cache.
 * @throws when `TEMPORAL_CLI` does not work, or nothing else does; the message says what to do.
 */
export async function findTemporalCli(options: FindTemporalOptions = {}): Promise<TemporalCli> {
  const { env = process.env, say = () => {} } = options;
  if (env.TEMPORAL_CLI) {
    const cli = await inspect(env.TEMPORAL_CLI, 'TEMPORAL_CLI');
    if (cli) return cli;
    throw new Error(`TEMPORAL_CLI=${env.TEMPORAL_CLI} is no Temporal CLI that can be executed. Correct or unset it.`);
  }
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const cli = folder && (await inspect(join(folder, 'temporal'), 'PATH'));
    if (cli) return cli;
  }
  const cached = join(cacheFolder(env), `temporal-${VERSION}`);
  const cli = await inspect(cached, 'cache');
  if (cli) return cli;
  return obtain(cached, env, say, options);
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'tradeguard', 'bin');
}

async function inspect(path: string, source: string): Promise<TemporalCli | undefined> {
  try {
    accessSync(path, constants.X_OK);
    const { stdout } = await run(path, ['--version'], { timeout: 20_000 });
    const serverVersion = /Server (\d+\.\d+\.\d+[\w.-]*)/.exec(stdout)?.[1];
    return serverVersion ? { path, serverVersion, source } : undefined;
  } catch {
    return undefined;
  }
}

async function obtain(
  target: string,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
  options: FindTemporalOptions,
): Promise<TemporalCli> {
  const cache = cacheFolder(env);
  mkdirSync(cache, { recursive: true });
  // Finished binaries only are moved to their name: two starts at once, or a broken one, leave no half of one behind.
  const workshop = mkdtempSync(join(cache, 'making-'));
  const failures: string[] = [];
  try {
    const ways = [
      { source: 'download', make: () => download(workshop, say, options) },
      { source: 'built with Go', make: () => buildWithGo(workshop, env, say, options.signal) },
    ];
    for (const { source, make } of ways) {
      try {
        renameSync(await make(), target);
        const cli = await inspect(target, source);
        if (cli) return cli;
        failures.push(`${source}: the binary does not run here`);
      } catch (error) {
        options.signal?.throwIfAborted();
        failures.push(`${source}: ${(error as Error).message}`);
        say(`Temporal: ${failures.at(-1)}`);
      }
    }
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  throw new Error(
    `No Temporal CLI (${failures.join('; ')}). Install one (https://docs.temporal.io/cli) and set TEMPORAL_CLI, ` +
      'install Go 1.25 or newer, or set TEMPORAL_ADDRESS to a Temporal server of your own.',
  );
}

async function download(workshop: string, say: (line: string) => void, options: FindTemporalOptions): Promise<string> {
  const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const expected = (options.archiveSha256 ?? ARCHIVE_SHA256)[platform];
  if (!expected) throw new Error(`there is no release for ${platform}`);
  const url = `${options.releases ?? RELEASES}/temporal_cli_${VERSION}_${platform}.tar.gz`;
  say(`Temporal: downloading the CLI ${VERSION} from ${url}`);
  const archive = await fetchWithProgress(url, say, options.signal);
  if (createHash('sha256').update(archive).digest('hex') !== expected)
    throw new Error('the download does not have the published SHA-256 and was thrown away');
  writeFileSync(join(workshop, 'cli.tar.gz'), archive);
  await run('tar', ['-xzf', join(workshop, 'cli.tar.gz'), '-C', workshop, 'temporal']);
  return join(workshop, 'temporal');
}

async function fetchWithProgress(
  url: string,
  say: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  // No overall limit, lines may be slow; but a network that swallows packets must not hold up the build with Go.
  const stalled = new AbortController();
  let stall = setTimeout(() => stalled.abort(), 15_000);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]) });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    const chunks: Uint8Array[] = [];
    let received = 0;
    let said = Date.now();
    for await (const chunk of response.body) {
      clearTimeout(stall);
      stall = setTimeout(() => stalled.abort(), 15_000);
      chunks.push(chunk);
      received += chunk.length;
      if (Date.now() - said < 3_000) continue;
      said = Date.now();
      say(`Temporal: ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ''} downloaded`);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    const cause = (error as Error).cause as Error | undefined;
    throw new Error(stalled.signal.aborted ? 'no answer within 15 s' : (cause?.message ?? (error as Error).message));
  } finally {
    clearTimeout(stall);
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MB`;

async function buildWithGo(
  workshop: string,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const seconds = stopwatch();
  say(`Temporal: building the CLI ${VERSION} with Go; this takes minutes and happens once.`);
  const child = spawn('go', ['install', '-v', GO_PACKAGE], {
    env: { ...env, GOBIN: workshop },
    cwd: workshop,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(signal ? { signal } : {}),
  });
  let modules = 0;
  let packages = 0;
  let last = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('go: downloading')) modules += 1;
    else if (/^[\w./-]+$/.test(line)) packages += 1;
    else last = line;
  });
  const progress = setInterval(() => {
    const downloaded = modules > 0 ? `${modules} modules downloaded, ` : '';
    say(`Temporal: building with Go, ${seconds()} s, ${downloaded}${packages} of about ${PACKAGES} packages compiled`);
  }, 10_000);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? new Error('Go is not installed') : error),
      );
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`go install failed: ${last}`);
    say(`Temporal: built in ${seconds()} s.`);
    return join(workshop, 'temporal');
  } finally {
    clearInterval(progress);
  }
}

function stopwatch(): () => number {
  const start = Date.now();
  return () => Math.round((Date.now() - start) / 1_000);
}

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import type { Endpoints } from '../platform/endpoints.ts';
import type { ClusterRecord } from '../platform/postgres-location.ts';
import { readJsonFile } from '../platform/private-file.ts';

/** An installation that lives as long as its caller wants it: everything it starts and writes is gone afterwards. */
export interface OwnInstance {
  readonly endpoints: Endpoints;
  readonly dataDir: string;
  readonly admin: { readonly email: string; readonly password: string };
  /** Ends every process and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}

export interface OwnInstanceOptions {
  /** Configuration on top of the environment, for instance shorter durations. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told what `tradeguard start` prints, line by line. */
  readonly say?: (line: string) => void;
  /** Milliseconds until it must be ready; the first start on a machine may have to build Temporal's CLI. */
  readonly readyTimeout?: number;
  /** Stops it when aborted, also while it starts. */
  readonly signal?: AbortSignal;
}

/** Variables that would make the new installation use another one's servers, data or keys. */
const FOREIGN =
  /^(DATABASE_URL|DATABASE_OWNER_URL|TEMPORAL_ADDRESS|TEMPORAL_NAMESPACE|DATA_DIR|MAIL_DIR|PUBLIC_ORIGIN|PORT|SMTP_URL|SESSION_SECRET|SESSION_SECRET_PREVIOUS|ENCRYPTION_PASSPHRASE|ENCRYPTION_KEY|AUDIT_KEY)$/;
const STOP_TIMEOUT_MS = 30_000;

/**
 * Runs `tradeguard start` in a temporary folder, on free ports, and waits until it is ready.
 *
 * @throws with the last lines it printed when it ends first or is not ready in time; nothing is left behind then
 */
export async function startOwnInstance(options: OwnInstanceOptions = {}): Promise<OwnInstance> {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-own-'));
  // PostgreSQL of a start by root runs as another user, who has to pass through here; the files below are private.
  chmodSync(folder, 0o711);
  const dataDir = join(folder, 'data');
  const admin = { email: 'admin@tradeguard.example', password: `Own-${randomBytes(18).toString('base64url')}` };
  const passwordFile = join(folder, 'admin-password');
  writeFileSync(passwordFile, `${admin.password}\n`, { mode: 0o600 });
  const args = ['start', '--port', '0', '--data-dir', dataDir, '--admin-email', admin.email];
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'tradeguard.ts'), ...args, '--admin-password-file', passwordFile],
    // A process group of its own: Ctrl-C in the terminal reaches the caller, who then stops it in order.
    { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: environment(options.env) },
  );
  const printed = collectOutput(child, options.say);
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= stopChild(child, ended).finally(() => removeData(folder, dataDir));
    return stopping;
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const endpoints = await waitUntilReady(dataDir, ended, options.readyTimeout ?? 600_000);
    return { endpoints, dataDir, admin, stop };
  } catch (error) {
    await stop();
    throw new Error(`${(error as Error).message}\n${printed().slice(-15).join('\n')}`);
  }
}

function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  return {
    ...Object.fromEntries(inherited),
    NODE_ENV: 'development',
    REPLIT_DEPLOYMENT: '',
    // `start` then takes the end of its parent as a signal to stop: nothing outlives a caller that was killed.
    npm_lifecycle_event: 'start',
    ...extra,
  };
}

/** Pipes must be read, or the child stops at a full one. */
function collectOutput(child: ChildProcess, say: (line: string) => void = () => undefined): () => string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 200) lines.shift();
      say(line);
    });
  }
  return () => lines;
}

async function waitUntilReady(dataDir: string, ended: Promise<string>, timeoutMs: number): Promise<Endpoints> {
  const file = join(dataDir, 'endpoints.json');
  let end: string | undefined;
  ended.then((reason) => {
    end = reason;
  });
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Endpoints;
    if (end !== undefined) throw new Error(`The instance ended (${end}) before it was ready:`);
    await setTimeout(100);
  }
  throw new Error(`The instance was not ready after ${Math.round(timeoutMs / 1000)} s:`);
}

/** The database lies outside the folder where its user could not enter it. */
function removeData(folder: string, dataDir: string): void {
  const cluster = readJsonFile<ClusterRecord>(join(dataDir, 'postgres.json'));
  if (cluster !== undefined) rmSync(cluster.directory, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = await Promise.race([ended.then(() => false), setTimeout(STOP_TIMEOUT_MS, true, { ref: false })]);
  if (!late) return;
  // A second signal, more than a second after the first: `start` then ends its children at once.
  child.kill('SIGTERM');
  await ended;
}

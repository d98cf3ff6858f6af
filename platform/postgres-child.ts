import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** A PostgreSQL program ended with an error. The message is what it said, without anything that quotes a row. */
export class PostgresToolError extends Error {
  override readonly name = 'PostgresToolError';
}

export interface PostgresChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The database it connects to; undefined for work on a file alone. */
  readonly url?: string;
  /** Kills the program. */
  readonly signal?: AbortSignal | undefined;
}

export interface PostgresChild {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it ended well. @throws PostgresToolError, or the reason of the signal */
  readonly finished: Promise<void>;
}

const KEPT_STDERR_BYTES = 16_384;

/**
 * Runs `pg_dump` or `pg_restore`. The password goes through the child's own environment: arguments are seen by every
 * user of the machine. Of this process's environment the child gets nothing, other secrets are no business of it.
 */
export function startPostgresChild({ command, args, url, signal }: PostgresChildOptions): PostgresChild {
  const connection = url === undefined ? { argument: [], env: {} } : connectionOf(url);
  const child = spawn(command, [...args, ...connection.argument], {
    cwd: '/',
    env: {
      LANG: 'C',
      TZ: 'UTC',
      HOME: homedir(),
      PGAPPNAME: `tradeguard-${basename(command)}`,
      PGCONNECT_TIMEOUT: '10',
      ...connection.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A program that ended early closes its input; why it ended is what counts, and `finished` tells.
  child.stdin.on('error', () => {});
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT_STDERR_BYTES);
  });
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  if (signal?.aborted) kill();

  const finished = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new PostgresToolError(`${basename(command)} cannot be executed: ${error.code}`)),
    );
    child.once('close', (code, endedBy) => {
      signal?.removeEventListener('abort', kill);
      if (signal?.aborted) return reject(signal.reason);
      if (code === 0) return resolve();
      const words = withoutData(said);
      reject(
        new PostgresToolError(`${basename(command)} ended with ${endedBy ?? code}${words === '' ? '' : `: ${words}`}`),
      );
    });
  });
  // Whoever waits for a stream first must not meet an unhandled rejection of this one meanwhile.
  finished.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, finished };
}

/** The connection string without its password, and the password as libpq's variable. */
function connectionOf(given: string): { argument: string[]; env: Record<string, string> } {
  const url = new URL(given);
  const password = url.searchParams.get('password') ?? decodeURIComponent(url.password);
  url.password = '';
  url.searchParams.delete('password');
  return {
    argument: ['--no-password', `--dbname=${url.href}`],
    env: password === '' ? {} : { PGPASSWORD: password },
  };
}

/** What may be named in an error: parts of the schema. */
const SCHEMA_PART = 'table|relation|role|database|column|constraint|index|schema|function|type|sequence|parameter';

/** The error lines alone. DETAIL, CONTEXT and the failed command may hold a row's values, and so may a quoted text. */
function withoutData(said: string): string {
  return said
    .split('\n')
    .filter((line) => /^pg_\w+: (error|fatal)/.test(line))
    .slice(0, 2)
    .map((line) => line.replaceAll(QUOTED, (quoted, part?: string) => (part ? quoted : '"..."')).slice(0, 300))
    .join('; ');
}

const QUOTED = new RegExp(`(\\b(?:${SCHEMA_PART}) )?"[^"]*"`, 'g');

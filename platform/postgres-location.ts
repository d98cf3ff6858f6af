import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ClusterPasswords, clusterUrls } from './postgres-bootstrap.ts';
import { readJsonFile, writePrivateFile } from './private-file.ts';
import { canEnter, type UnprivilegedUser } from './unprivileged-user.ts';

/** What is kept about a private cluster, in `postgres.json` of the data folder. */
export interface ClusterRecord {
  /** PostgreSQL's own data folder. */
  readonly directory: string;
  readonly passwords: ClusterPasswords;
  /** The port of the last start; taken again while it is free, so that a saved connection keeps working. */
  readonly port?: number;
}

/** Where data goes that an unprivileged user must reach and the given folder does not allow. */
export function systemFolder(): string {
  return process.platform === 'linux' ? '/var/lib/tradeguard' : '/usr/local/var/tradeguard';
}

/**
 * The cluster that belongs to a data folder: the recorded one, else a new place for one. Below a folder that the
 * unprivileged user cannot enter it lies in the system's data folder, under a name derived from the data folder's.
 * @throws when the recorded place can no longer be entered; a new empty database in its stead would look like lost data.
 */
export function locateCluster(
  dataDir: string,
  user: UnprivilegedUser | undefined,
  say: (line: string) => void,
): ClusterRecord {
  const recorded = readJsonFile<ClusterRecord>(recordFile(dataDir));
  if (recorded) {
    if (existsSync(recorded.directory) && !canEnter(user, recorded.directory))
      throw new Error(
        `The user ${user?.name ?? 'of this process'} cannot enter ${recorded.directory}, where the data lies.`,
      );
    return { ...recorded, passwords: { ...drawnPasswords(), ...recorded.passwords } };
  }
  const directory = placeFor(dataDir, user, say);
  return { directory, passwords: drawnPasswords() };
}

/** Also completes the record of a cluster from before a role came to it: every start sets the passwords anew. */
function drawnPasswords(): ClusterPasswords {
  const secret = () => randomBytes(24).toString('base64url');
  return { superuser: secret(), owner: secret(), app: secret(), backup: secret(), drill: secret() };
}

export function recordCluster(dataDir: string, record: ClusterRecord): void {
  writePrivateFile(recordFile(dataDir), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * How commands beside a running installation reach its private cluster, under the names of the configuration. Empty where
 * the data folder has none.
 */
export function recordedUrls(dataDir: string): Record<string, string> {
  const { port, passwords } = readJsonFile<ClusterRecord>(recordFile(dataDir)) ?? {};
  if (port === undefined || passwords === undefined) return {};
  const urls = clusterUrls(port, passwords);
  return {
    DATABASE_URL: urls.url,
    DATABASE_OWNER_URL: urls.ownerUrl,
    DATABASE_BACKUP_URL: urls.backupUrl,
    DATABASE_DRILL_URL: urls.drillUrl,
  };
}

const recordFile = (dataDir: string): string => join(dataDir, 'postgres.json');

function placeFor(dataDir: string, user: UnprivilegedUser | undefined, say: (line: string) => void): string {
  const inside = join(dataDir, 'postgres');
  createFolder(inside, user);
  if (canEnter(user, inside)) return inside;
  rmdirSync(inside);
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const outside = join(systemFolder(), name);
  say(`PostgreSQL: the user ${user?.name} cannot enter ${dataDir}; the database lies in ${outside}.`);
  // Left by a data folder of this name that was deleted: its passwords went with it. Never deleted, only set aside.
  if (existsSync(outside)) {
    const aside = `${outside}.${new Date().toISOString().replace(/[:.]/g, '-')}`;
    renameSync(outside, aside);
    say(`PostgreSQL: an older database of a deleted ${dataDir} was moved to ${aside}.`);
  }
  mkdirSync(dirname(outside), { recursive: true, mode: 0o755 });
  createFolder(outside, user);
  return outside;
}

function createFolder(directory: string, user: UnprivilegedUser | undefined): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (user) chownSync(directory, user.uid, user.gid);
}

/** The major version that a data folder was made by; undefined for an empty folder. */
export function clusterMajor(directory: string): number | undefined {
  const file = join(directory, 'PG_VERSION');
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : undefined;
}

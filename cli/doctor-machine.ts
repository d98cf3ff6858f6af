import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createTransport } from 'nodemailer';
import pg from 'pg';
import { pino } from 'pino';
import type { Config } from '../platform/config.ts';
import { openGeoip } from '../platform/geoip.ts';
import { findPostgresTools } from '../platform/postgres-tools.ts';
import { attempt, type Finding, fail, finding, type Outcome, ok, warn } from './doctor-finding.ts';

const GIB = 1024 ** 3;
const SMTP_TIMEOUT_MS = 5_000;
const OLDEST_NODE = 24;
const PACKAGE_FOLDER = join(import.meta.dirname, '..');

/** What can be told of this machine without any configuration. */
export function examineProgram(production: boolean): Finding[] {
  const findings = [finding('node', 'before', 'Node is new enough', nodeOf(process.versions.node))];
  if (production)
    findings.push(finding('development-packages', 'before', 'No development packages are installed', packagesOf()));
  return findings;
}

/** The checks of secrets, ways in, files, mail, places and tools. `serverMajor` is that of PostgreSQL, where it answers. */
export async function examineMachine(
  config: Config,
  production: boolean,
  serverMajor: number | undefined,
): Promise<Finding[]> {
  const drill = await attempt(() => drillOf(config), 'Check DATABASE_DRILL_URL.');
  const findings = [
    finding('secrets', 'before', 'Secrets are strong and differ', secretsOf(config)),
    finding('origin', 'before', 'Browsers reach it over https alone', originOf(config, production)),
    finding('disk', 'before', 'There is room for data and backups', diskOf(config)),
    finding('mail', 'before', 'Letters leave', await mailOf(config, production)),
    finding('geoip', 'before', 'Places of addresses are known', await placesOf(config)),
    finding('backup-role', 'before', 'Backups have a role of their own', await backupRoleOf(config, production)),
    finding('drill-role', 'before', 'Restore drills cannot reach the live database', drill),
  ];
  if (serverMajor !== undefined)
    findings.push(finding('backup-tools', 'before', 'pg_dump fits the server', toolsOf(config, serverMajor)));
  return findings;
}

function nodeOf(version: string): Outcome {
  return Number.parseInt(version, 10) >= OLDEST_NODE
    ? ok(`Node ${version}`)
    : fail(`Node ${version}`, `Install Node ${OLDEST_NODE}.`);
}

function packagesOf(): Outcome {
  const { devDependencies = {} } = JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8')) as {
    devDependencies?: Record<string, string>;
  };
  const installed = Object.keys(devDependencies).filter((name) =>
    existsSync(join(PACKAGE_FOLDER, 'node_modules', name)),
  );
  if (installed.length === 0) return ok('None');
  return warn(
    `${installed.length}, for instance ${installed[0]}`,
    'Install with `npm ci --omit=dev`, or use the image.',
  );
}

function secretsOf({ sessionSecret, auditKey, masterKey }: Config): Outcome {
  const audit = auditKey.export().toString('base64');
  const master = masterKey.kind === 'key' ? masterKey.key.export().toString('base64') : masterKey.passphrase;
  if (new Set([sessionSecret, audit, master]).size < 3)
    return fail('Two of SESSION_SECRET, AUDIT_KEY and the encryption key are the same', 'Draw one for each purpose.');
  const weak = [
    new Set(sessionSecret).size < 12 ? 'SESSION_SECRET' : [],
    new Set(auditKey.export()).size < 12 ? 'AUDIT_KEY' : [],
    masterKey.kind === 'passphrase' && new Set(master).size < 8 ? 'ENCRYPTION_PASSPHRASE' : [],
    masterKey.kind === 'key' && new Set(masterKey.key.export()).size < 12 ? 'ENCRYPTION_KEY' : [],
  ].flat();
  if (weak.length > 0) return fail(`${weak.join(', ')}: hardly any different characters`, 'Draw it: openssl rand.');
  return ok(
    masterKey.kind === 'key' ? 'Drawn, one for each purpose' : 'One for each purpose; a passphrase for the keys',
  );
}

function originOf(
  { publicOrigin, trustedProxies, production: runsAsProduction }: Config,
  production: boolean,
): Outcome {
  if (!production) return ok(publicOrigin);
  if (!publicOrigin.startsWith('https:')) return fail(publicOrigin, 'Set PUBLIC_ORIGIN to the https origin.');
  if (runsAsProduction && trustedProxies.length === 0)
    return fail(
      `${publicOrigin}, and no proxy is trusted`,
      'Set TRUSTED_PROXIES to the addresses of the proxy that ends TLS: without it every request is sent to https again.',
    );
  const wide = trustedProxies.filter((entry) => /^(0\.0\.0\.0|::)\/0$/.test(entry));
  if (wide.length > 0)
    return fail(`TRUSTED_PROXIES is ${wide.join(', ')}`, 'Name the proxy alone: anybody could claim any address.');
  return ok(`${publicOrigin}, behind ${trustedProxies.join(', ')}`);
}

function diskOf({ dataDir, backupDir }: Config): Outcome {
  const places = [...new Set([existing(dataDir), existing(backupDir)])].map((folder) => {
    const { bavail, bsize, blocks } = statfsSync(folder);
    return { folder, free: bavail * bsize, share: bavail / blocks };
  });
  const detail = places.map(({ folder, free }) => `${folder}: ${(free / GIB).toFixed(1)} GiB free`).join('; ');
  const advice = 'Make room or extend the volume; BACKUP_RETENTION says how long backups are kept.';
  try {
    if (existsSync(dataDir)) accessSync(dataDir, constants.W_OK);
  } catch {
    return fail(`${dataDir} cannot be written`, 'Give DATA_DIR to the user that the program runs as.');
  }
  if (existsSync(backupDir) && (statSync(backupDir).mode & 0o007) !== 0)
    return warn(`${backupDir} is open to every user of this machine`, `chmod o-rwx ${backupDir}`);
  if (places.some(({ free }) => free < GIB)) return fail(detail, advice);
  return places.some(({ free, share }) => free < 5 * GIB || share < 0.1) ? warn(detail, advice) : ok(detail);
}

/** The folder itself or the nearest one above it that exists: it will lie on the same file system. */
function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}

async function mailOf({ smtpUrl, mailDir }: Config, production: boolean): Promise<Outcome> {
  if (smtpUrl === undefined) {
    const detail = `Letters become files in ${mailDir}`;
    return production ? warn(detail, 'Set SMTP_URL, unless something collects the files on purpose.') : ok(detail);
  }
  return attempt(async () => {
    const limits = {
      connectionTimeout: SMTP_TIMEOUT_MS,
      greetingTimeout: SMTP_TIMEOUT_MS,
      socketTimeout: SMTP_TIMEOUT_MS,
    };
    const transport = createTransport({ url: smtpUrl, ...limits });
    try {
      await transport.verify();
    } finally {
      transport.close();
    }
    const { protocol, host } = new URL(smtpUrl);
    return ok(`${protocol}//${host} accepts the connection and the login`);
  }, 'Check SMTP_URL and the mail server: codes and warnings do not reach anybody.');
}

async function placesOf({ geoipDatabase: files }: Config): Promise<Outcome> {
  const { status, detail } = (
    await openGeoip({ files, documentationPlaces: false, log: pino({ level: 'silent' }) })
  ).status();
  return status === 'up'
    ? ok(detail)
    : warn(detail, 'Set GEOIP_DATABASE to an MMDB file: without it no login is judged by its place.');
}

async function backupRoleOf({ backupUrl, databaseUrl }: Config, production: boolean): Promise<Outcome> {
  if (backupUrl === undefined) {
    const advice = 'Set DATABASE_BACKUP_URL to a role with pg_read_all_data: `tradeguard database prepare`.';
    return production ? fail('Backups are off', advice) : warn('Backups are off', advice);
  }
  if (new URL(backupUrl).username === new URL(databaseUrl).username)
    return fail('It is the role of the application', 'The application must not read every table: use another role.');
  return attempt(async () => {
    const [role] = await ask<{ reads: boolean; rolsuper: boolean; name: string }>(
      backupUrl,
      `select pg_has_role(rolname, 'pg_read_all_data', 'USAGE') as reads, rolsuper, rolname as name
         from pg_roles where rolname = current_user`,
    );
    if (role === undefined || !role.reads)
      return fail('It may not read every table', 'grant pg_read_all_data to it, or run `tradeguard database prepare`.');
    return role.rolsuper
      ? warn(`${role.name} is a superuser`, 'Use a role that only reads.')
      : ok(`${role.name} reads only`);
  }, 'Check DATABASE_BACKUP_URL.');
}

async function drillOf({ drillUrl, databaseUrl }: Config): Promise<Outcome> {
  if (drillUrl === undefined)
    return warn('Drills are off', 'Set DATABASE_DRILL_URL: a backup that was never restored is a hope.');
  const live = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  const [role] = await ask<{ creates: boolean; name: string; reaches: boolean }>(
    drillUrl,
    `select rolcreatedb or rolsuper as creates, rolname as name, exists (
        select from pg_database where datname = $1 and has_database_privilege(oid, 'CONNECT')) as reaches
       from pg_roles where rolname = current_user`,
    [live],
  );
  if (!role?.creates) return fail('It may not create databases', 'alter role ... createdb.');
  return role.reaches
    ? warn(`${role.name} can connect to ${live}`, 'A restore runs what the dump says: use a role that cannot reach it.')
    : ok(`${role.name} makes databases of its own`);
}

async function ask<T extends pg.QueryResultRow>(url: string, text: string, params: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<T>(text, params)).rows;
  } finally {
    await client.end();
  }
}

function toolsOf({ backupToolsDir }: Config, serverMajor: number): Outcome {
  try {
    const folders = backupToolsDir === undefined ? {} : { folders: [backupToolsDir] };
    const { version, pgDump } = findPostgresTools({ serverMajor, ...folders });
    return ok(`${version}, ${pgDump}`);
  } catch (error) {
    return fail((error as Error).message, `Install postgresql-client-${serverMajor}, or set BACKUP_TOOLS_DIR.`);
  }
}

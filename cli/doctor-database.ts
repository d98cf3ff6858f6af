import { migrationNames } from '../db/migrate.ts';
import { createOrm } from '../db/orm.ts';
import { oneRow, rows, type Tx } from '../db/sql.ts';
import type { Config } from '../platform/config.ts';
import { attempt, type Finding, fail, finding, type Outcome, ok, warn } from './doctor-finding.ts';

const OLDEST_MAJOR = 14;
const PROTECTED = [
  ...['audit_entry', 'audit_seal', 'audit_tree_node', 'audit_checkpoint', 'audit_era', 'audit_log_origin'],
  ...['audit_archive', 'audit_archive_part'],
];
/** `DELETE | UPDATE | TRUNCATE` as pg_trigger.tgtype has them (PostgreSQL source, catalog/pg_trigger.h). */
const EVERY_CHANGE = 8 | 16 | 32;
/** API and worker processes of a small installation; each may take its whole pool. */
const PROCESSES = 4;
const CLOCK_WARN_MS = 1_000;
/** Codes of authenticator apps are good for half a minute to either side. */
const CLOCK_FAIL_MS = 30_000;

/** What the server and the role of DATABASE_URL look like. */
interface Server {
  version: string;
  major: number;
  role: string;
  powers: string;
  owned: number;
  may_create: boolean;
  forbidden: string | null;
  unguarded: string | null;
  unsafe: string | null;
  checksums: boolean;
  tls: boolean;
  local: boolean;
  max_connections: number;
}

/**
 * The checks of the database, as the application's role sees it. @returns the server's major version beside them;
 * undefined where it does not answer
 */
export async function examineDatabase(
  config: Config,
  production: boolean,
): Promise<{ findings: Finding[]; major: number | undefined }> {
  const db = await createOrm({ databaseUrl: config.databaseUrl, poolMax: 2, applicationName: 'tradeguard-doctor' });
  try {
    let server: Server | undefined;
    const reachable = await attempt(async () => {
      server = await readServer(db.fork());
      const { version, major } = server;
      return major < OLDEST_MAJOR
        ? fail(`PostgreSQL ${version}`, `Upgrade to PostgreSQL ${OLDEST_MAJOR} or newer.`)
        : ok(`PostgreSQL ${version}, as ${server.role}`);
    }, 'Check DATABASE_URL, the network and the server; `tradeguard database prepare` makes roles and database.');
    const findings = [finding('database', 'before', 'The database answers', reachable)];
    if (server === undefined) return { findings, major: undefined };
    const skew = await attempt(() => clockOf(db.fork()), 'Keep every machine on the same time (NTP).');
    findings.push(
      finding('database-role', 'before', 'The role of the application owns and creates nothing', roleOf(server)),
      finding('audit-rights', 'before', 'The audit log cannot be changed by the application', auditOf(server)),
      finding('database-durability', 'before', 'What is committed survives a crash', durabilityOf(server, production)),
      finding('database-tls', 'before', 'The way to the database is encrypted', encryptionOf(server)),
      finding('connections', 'before', 'Connections suffice for all processes', connectionsOf(server, config)),
      finding('clock-database', 'before', 'This clock agrees with the database', skew),
      finding(
        'migrations',
        'at',
        'The schema is up to date',
        await attempt(() => migrationsOf(db.fork()), 'Run `tradeguard migrate` with DATABASE_OWNER_URL.'),
      ),
    );
    return { findings, major: server.major };
  } finally {
    await db.close();
  }
}

function readServer(tx: Tx): Promise<Server> {
  return oneRow<Server>(
    tx,
    `with protected as (select c.oid, c.relname from pg_class c
                         where c.relnamespace = 'public'::regnamespace and c.relname = any($1)),
          -- The months of a table as well: a trigger can be switched off on one of them alone.
          guarded as (select oid from protected
                      union select i.inhrelid from pg_inherits i join protected p on p.oid = i.inhparent)
     select current_setting('server_version') as version,
            current_setting('server_version_num')::int / 10000 as major,
            r.rolname as role,
            concat_ws(', ', case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
              case when r.rolcreatedb then 'createdb' end, case when r.rolreplication then 'replication' end,
              case when r.rolbypassrls then 'bypassrls' end) as powers,
            (select count(*)::int from pg_class c where c.relnamespace = 'public'::regnamespace
               and pg_has_role(r.oid, c.relowner, 'USAGE')) as owned,
            has_schema_privilege('public', 'CREATE') as may_create,
            (select string_agg(p.relname || ' ' || lower(privilege), ', ') from protected p,
               unnest(array['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) as privilege
              where has_table_privilege(p.oid, privilege)) as forbidden,
            (select string_agg(g.oid::regclass::text, ', ' order by g.oid::regclass::text) from guarded g
              where (select coalesce(bit_or(t.tgtype), 0::int2) from pg_trigger t
                      where t.tgrelid = g.oid and t.tgenabled in ('O', 'A')
                        and t.tgfoid = to_regproc('public.audit_refuse_change')) & $2 <> $2) as unguarded,
            (select string_agg(name || '=' || setting, ', ') from pg_settings
              where name in ('fsync', 'synchronous_commit', 'full_page_writes') and setting = 'off') as unsafe,
            current_setting('data_checksums') = 'on' as checksums,
            coalesce((select s.ssl from pg_stat_ssl s where s.pid = pg_backend_pid()), false) as tls,
            coalesce(inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1', true) as local,
            current_setting('max_connections')::int as max_connections
       from pg_roles r where r.rolname = current_user`,
    [PROTECTED, EVERY_CHANGE],
  );
}

function roleOf({ role, powers, owned, may_create: mayCreate }: Server): Outcome {
  const wrong = [
    powers === '' ? [] : `it is ${powers}`,
    owned === 0 ? [] : `it owns ${owned} tables or indexes`,
    mayCreate ? 'it may create tables' : [],
  ].flat();
  if (wrong.length === 0) return ok(`${role} owns nothing and creates nothing`);
  return fail(
    `${role}: ${wrong.join(', ')}`,
    'Let DATABASE_URL name a role of its own: `tradeguard database prepare`, then `tradeguard migrate`.',
  );
}

function auditOf({ forbidden, unguarded }: Server): Outcome {
  if (forbidden !== null)
    return fail(`It may: ${forbidden}`, 'Run `tradeguard migrate` as the owner: it takes such rights back.');
  if (unguarded !== null)
    return fail(
      `Triggers that refuse changes are off or gone: ${unguarded}`,
      'Find out who switched them off, run `tradeguard audit verify`, and open an incident.',
    );
  return ok('No right to change it, and every refusing trigger is on');
}

function durabilityOf({ unsafe, checksums }: Server, production: boolean): Outcome {
  if (unsafe !== null) {
    const advice = 'Switch these on in the server: a crash loses or tears what was committed.';
    return production ? fail(unsafe, advice) : warn(unsafe, advice);
  }
  return checksums
    ? ok('Synchronous commits, data checksums')
    : warn(
        'Data checksums are off',
        'Stop the server once and run pg_checksums --enable: silent damage is found then.',
      );
}

function encryptionOf({ tls, local }: Server): Outcome {
  if (tls) return ok('TLS');
  if (local) return ok('Within this machine');
  return warn('No TLS', 'Add sslmode=require to DATABASE_URL, or make sure that the network is private.');
}

function connectionsOf({ max_connections: limit }: Server, { dbPool }: Config): Outcome {
  const needed = PROCESSES * dbPool.max;
  const detail = `${limit} at the server, ${dbPool.max} for each API or worker process`;
  if (limit >= needed + 10) return ok(detail);
  return warn(detail, `Keep (processes x DB_POOL_MAX) + 10 below max_connections; four processes need ${needed + 10}.`);
}

async function clockOf(tx: Tx): Promise<Outcome> {
  await oneRow(tx, 'select 1 as connected');
  const before = Date.now();
  const { now } = await oneRow<{ now: number }>(
    tx,
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  const after = Date.now();
  // The database looked at its clock at some moment between the two.
  const skew = now < before ? now - before : now > after ? now - after : 0;
  const detail = `${Math.abs(Math.round(skew))} ms apart, measured to ${after - before} ms`;
  const advice = 'Keep every machine on the same time (NTP): codes, signatures and deadlines depend on it.';
  if (Math.abs(skew) > CLOCK_FAIL_MS) return fail(detail, advice);
  return Math.abs(skew) > CLOCK_WARN_MS ? warn(detail, advice) : ok(detail);
}

async function migrationsOf(tx: Tx): Promise<Outcome> {
  const found = await rows<{ name: string }>(tx, 'select name from schema_migration');
  const applied = new Set(found.map(({ name }) => name));
  const missing = migrationNames.filter((name) => !applied.has(name));
  const unknown = [...applied].filter((name) => !migrationNames.includes(name));
  if (missing.length > 0)
    return fail(`Missing: ${missing.join(', ')}`, 'Run `tradeguard migrate` with DATABASE_OWNER_URL.');
  if (unknown.length > 0)
    return fail(`Made by a newer version: ${unknown.join(', ')}`, 'Run the version that the schema belongs to.');
  return ok(`${migrationNames.length} migrations`);
}

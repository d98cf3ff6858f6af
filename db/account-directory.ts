import type { DeviceComponents } from '../domain/device.ts';
import type { Tier } from '../domain/limits.ts';
import type { FactorMethod } from '../domain/login.ts';
import type { Role } from '../domain/roles.ts';
import { ATTEMPT_COLUMNS, type AttemptRow } from './dashboard-auth.ts';
import { ENROLLED_METHODS } from './owned-factors.ts';
import { row, rows, type Tx } from './sql.ts';

/** An account as staff see it. Times are PostgreSQL text. */
export interface AccountRow {
  id: string;
  email: string;
  full_name: string;
  role: Role;
  tier: Tier;
  created_at: string;
  disabled_at: string | null;
  restricted_at: string | null;
  account_id: string | null;
  lockout_id: string | null;
  locked_until: string | null;
  seconds_left: number | null;
  open_sessions: number;
  last_login_at: string | null;
  last_login_status: string | null;
}

export const ACCOUNT_STATES = ['locked', 'restricted', 'disabled'] as const;
export type AccountState = (typeof ACCOUNT_STATES)[number];

export interface AccountFilter {
  /** The address, or how it begins. */
  email?: { is: string } | { startsWith: string } | undefined;
  role?: Role | undefined;
  state?: AccountState | undefined;
}

interface Page {
  limit: number;
  after: { at: string; id: string } | null;
}

/** The lockout that holds now, if any; at most one row a person. */
const LOCKOUT = `left join lateral (
    select l.id, l.locked_until, greatest(0, ceil(extract(epoch from l.locked_until - clock_timestamp())))::integer as seconds_left
      from lockout l where l.user_id = app_user.id and l.unlocked_at is null and l.locked_until > now()
     order by l.started_at desc limit 1) held on true`;
const LAST_LOGIN = `left join lateral (
    select started_at, status from login where user_id = app_user.id order by started_at desc limit 1) latest on true`;
const COLUMNS = `app_user.id, email, full_name, role, tier, app_user.created_at, disabled_at, restricted_at,
    (select a.id from account a where a.user_id = app_user.id) as account_id,
    held.id as lockout_id, held.locked_until, held.seconds_left,
    (select count(*)::integer from session s
      where s.user_id = app_user.id and s.revoked_at is null and s.expires_at > now()) as open_sessions,
    latest.started_at as last_login_at, latest.status as last_login_status`;

/** Literals: a partial index serves each. */
const STATES: Record<AccountState, string> = {
  locked: `id in (select l.user_id from lockout l where l.unlocked_at is null and l.locked_until > now())`,
  restricted: 'restricted_at is not null',
  disabled: 'disabled_at is not null',
};

/** Accounts that meet every filter, newest first, after the given position. */
export function listAccounts(tx: Tx, filter: AccountFilter, { limit, after }: Page): Promise<AccountRow[]> {
  const params: unknown[] = [];
  const bind = (value: unknown) => `$${params.push(value)}`;
  const conditions = ['true'];
  if (filter.role !== undefined) conditions.push(`role = ${bind(filter.role)}`);
  if (filter.state !== undefined) conditions.push(STATES[filter.state]);
  if (filter.email !== undefined && 'is' in filter.email)
    conditions.push(`email_key = ${bind(filter.email.is.toLowerCase())}`);
  else if (filter.email !== undefined) {
    // Backslash first: it is what the others are escaped with.
    const prefix = filter.email.startsWith.toLowerCase().replaceAll(/[\\%_]/g, '\\$&');
    conditions.push(`email_key like ${bind(`${prefix}%`)}`);
  }
  if (after !== null) {
    conditions.push(`(created_at, id) < (${bind(after.at)}::timestamptz, ${bind(after.id)}::uuid)`);
  }
  // The page first: what is looked up beside it is looked up for its rows alone.
  return rows<AccountRow>(
    tx,
    `select ${COLUMNS} from (
       select * from app_user where ${conditions.join(' and ')}
        order by created_at desc, id desc limit ${bind(limit)}) app_user ${LOCKOUT} ${LAST_LOGIN}
      order by app_user.created_at desc, app_user.id desc`,
    params,
  );
}

export type AccountDetailRow = AccountRow & {
  time_zone: string | null;
  email_confirmed_at: string | null;
  password_changed_at: string | null;
  password_one_time: boolean;
  factors: FactorMethod[];
  devices: number;
  signing_keys: number;
  unlock_requested_by: string | null;
  restriction_id: string | null;
  restricted_since: string | null;
  held: number;
  unresolved_incidents: number;
};

/** One account with what it has; undefined for none. */
export function readAccount(tx: Tx, userId: string): Promise<AccountDetailRow | undefined> {
  return row<AccountDetailRow>(
    tx,
    `select ${COLUMNS}, time_zone, email_confirmed_at, password_changed_at, password_one_time,
            ${ENROLLED_METHODS} as factors,
            (select count(*)::integer from device d where d.user_id = app_user.id and d.revoked_at is null) as devices,
            (select count(*)::integer from signing_key k where k.user_id = app_user.id and k.revoked_at is null) as signing_keys,
            (select l.unlock_requested_by from lockout l where l.id = held.id) as unlock_requested_by,
            r.id as restriction_id, r.started_at as restricted_since,
            (select count(*)::integer from transaction t
              where t.status = 'quarantined' and t.user_id = app_user.id) as held,
            (select count(*)::integer from incident i
              where i.user_id = app_user.id and i.status <> 'resolved') as unresolved_incidents
       from app_user ${LOCKOUT} ${LAST_LOGIN}
       left join restriction r on r.user_id = app_user.id and r.lifted_at is null
      where app_user.id = $1`,
    [userId],
  );
}

export async function accountExists(tx: Tx, userId: string): Promise<boolean> {
  return (await row(tx, 'select from app_user where id = $1', [userId])) !== undefined;
}

export interface AccountSessionRow {
  id: string;
  channel: 'cookie' | 'bearer';
  scope: 'full' | 'password_change';
  ip: string | null;
  user_agent: string | null;
  device_id: string | null;
  login_id: string | null;
  created_at: string;
  last_seen_at: string;
  factor_at: string | null;
  expires_at: string;
}

/** The open sessions of somebody, newest first. */
export function accountSessions(tx: Tx, userId: string, { limit, after }: Page): Promise<AccountSessionRow[]> {
  return rows<AccountSessionRow>(
    tx,
    `select id, channel, scope, host(ip) as ip, user_agent, device_id, login_id, created_at, last_seen_at, factor_at, expires_at
       from session where user_id = $1 and revoked_at is null and expires_at > clock_timestamp()
        and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
      order by created_at desc, id desc limit $4`,
    [userId, after?.at ?? null, after?.id ?? null, limit],
  );
}

export interface AccountDeviceRow {
  id: string;
  components: DeviceComponents;
  trusted_at: string | null;
  first_seen_at: string;
  last_seen_at: string;
  open_sessions: number;
}

/** The devices of somebody that were not forgotten, seen last first. */
export function accountDevices(tx: Tx, userId: string, { limit, after }: Page): Promise<AccountDeviceRow[]> {
  return rows<AccountDeviceRow>(
    tx,
    `select id, components, trusted_at, first_seen_at, last_seen_at,
            (select count(*)::integer from session s
              where s.user_id = $1 and s.device_id = device.id and s.revoked_at is null and s.expires_at > now()) as open_sessions
       from device where user_id = $1 and revoked_at is null
        and ($2::timestamptz is null or (last_seen_at, id) < ($2, $3::uuid))
      order by last_seen_at desc, id desc limit $4`,
    [userId, after?.at ?? null, after?.id ?? null, limit],
  );
}

/** The logins of somebody, however they ended, newest first. */
export function accountLogins(tx: Tx, userId: string, { limit, after }: Page): Promise<AttemptRow[]> {
  return rows<AttemptRow>(
    tx,
    `select ${ATTEMPT_COLUMNS} from login where user_id = $1
        and ($2::timestamptz is null or (started_at, id) < ($2, $3::uuid))
      order by started_at desc, id desc limit $4`,
    [userId, after?.at ?? null, after?.id ?? null, limit],
  );
}

export interface LockoutRow {
  id: string;
  user_id: string | null;
  subject: string;
  started_at: string;
  locked_until: string;
  seconds_left: number;
  unlock_requested_by: string | null;
  unlock_reason: string | null;
}

/** Who is locked out now, those first that are locked longest from now on. */
export function runningLockouts(tx: Tx, { limit, after }: Page): Promise<LockoutRow[]> {
  return rows<LockoutRow>(
    tx,
    `select id, user_id, encode(subject, 'hex') as subject, started_at, locked_until, unlock_requested_by, unlock_reason,
            greatest(0, ceil(extract(epoch from locked_until - clock_timestamp())))::integer as seconds_left
       from lockout where unlocked_at is null and locked_until > now()
        and ($1::timestamptz is null or (locked_until, id) < ($1, $2::uuid))
      order by locked_until desc, id desc limit $3`,
    [after?.at ?? null, after?.id ?? null, limit],
  );
}

/** Staff that may sign in, by name: whom a case can be given to, and who the ids on a page are. */
export function staffDirectory(tx: Tx, limit: number): Promise<{ id: string; full_name: string; role: Role }[]> {
  return rows(
    tx,
    `select id, full_name, role from app_user
      where role in ('reviewer', 'admin', 'auditor') and disabled_at is null order by full_name, id limit $1`,
    [limit],
  );
}

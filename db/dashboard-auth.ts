import type { LoginStatus } from '../domain/login.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import { rows, type Tx } from './sql.ts';

/** Failures looked at, the latest first: however hard an attack, the dashboard costs the same. */
export const FAILURES_COUNTED = 5_000;

export interface AttemptRow {
  id: string;
  user_id: string | null;
  subject: string;
  status: LoginStatus;
  score: number | null;
  rule_set_version: string | null;
  reasons: readonly Reason[];
  device_finding: string | null;
  channel: 'cookie' | 'bearer';
  ip: string | null;
  network: string | null;
  user_agent: string | null;
  started_at: string;
}

/** The latest logins of everybody, however they ended. */
export function recentAttempts(tx: Tx, limit: number): Promise<AttemptRow[]> {
  return rows<AttemptRow>(
    tx,
    `select id, user_id, encode(subject, 'hex') as subject, status, score, rule_set_version, reasons, device_finding,
            channel, host(ip) as ip, network, user_agent, started_at
       from login order by started_at desc limit $1`,
    [limit],
  );
}

/** Selects the failures of the last 24 hours from an index that holds nothing else. */
const FAILED = `
  select subject, user_id, network, status, started_at from login
   where (password_ok = false or status = 'locked') and started_at > clock_timestamp() - interval '24 hours'
   order by started_at desc limit ${FAILURES_COUNTED}`;

export interface FailuresOfUserRow {
  user_id: string | null;
  subject: string;
  failures: number;
  while_locked: number;
  networks: number;
  last_at: string;
}

/** Wrong passwords of the last 24 hours by account (or by the keyed hash of an address that has none), most first. */
export function failedLoginsByUser(tx: Tx, limit: number): Promise<FailuresOfUserRow[]> {
  return rows<FailuresOfUserRow>(
    tx,
    `select f.user_id, encode(f.subject, 'hex') as subject, (count(*) filter (where f.status <> 'locked'))::integer as failures,
            (count(*) filter (where f.status = 'locked'))::integer as while_locked,
            count(distinct f.network)::integer as networks, max(f.started_at) as last_at
       from (${FAILED}) f group by f.subject, f.user_id order by count(*) desc, max(f.started_at) desc limit $1`,
    [limit],
  );
}

export interface FailuresOfNetworkRow {
  network: string | null;
  failures: number;
  while_locked: number;
  subjects: number;
}

/** The same by network (/24, /48), most first: one network against many accounts is not one person's bad memory. */
export function failedLoginsByNetwork(tx: Tx, limit: number): Promise<FailuresOfNetworkRow[]> {
  return rows<FailuresOfNetworkRow>(
    tx,
    `select f.network, (count(*) filter (where f.status <> 'locked'))::integer as failures,
            (count(*) filter (where f.status = 'locked'))::integer as while_locked, count(distinct f.subject)::integer as subjects
       from (${FAILED}) f group by f.network order by count(*) desc limit $1`,
    [limit],
  );
}

export interface LockedRow {
  id: string;
  user_id: string | null;
  subject: string;
  started_at: string;
  locked_until: string;
  seconds_left: number;
  unlock_requested_by: string | null;
}

/** Who is locked out now, the freshest lock first. */
export function lockedAccounts(tx: Tx, limit: number): Promise<LockedRow[]> {
  return rows<LockedRow>(
    tx,
    `select id, user_id, encode(subject, 'hex') as subject, started_at, locked_until, unlock_requested_by,
            ceil(extract(epoch from locked_until - clock_timestamp()))::integer as seconds_left
       from lockout where unlocked_at is null and locked_until > clock_timestamp()
      order by locked_until desc limit $1`,
    [limit],
  );
}

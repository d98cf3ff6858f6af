import type { LoginStatus } from '../domain/login.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { GeoLookup } from '../platform/geo-port.ts';
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
  place: GeoLookup | null;
  started_at: string;
  finished_at: string | null;
}

export const ATTEMPT_COLUMNS = `id, user_id, encode(subject, 'hex') as subject, status, score, rule_set_version, reasons,
  device_finding, channel, host(ip) as ip, network, user_agent, place, started_at, finished_at`;

/** The latest logins of everybody, however they ended. */
export function recentAttempts(tx: Tx, limit: number): Promise<AttemptRow[]> {
  return rows<AttemptRow>(tx, `select ${ATTEMPT_COLUMNS} from login order by started_at desc limit $1`, [limit]);
}

/** Selects the failures of the last 24 hours from an index that holds nothing else; `now()` is stable, so it bounds the scan. */
const FAILED = `
  select subject, user_id, network, password_ok, started_at from login
   where (password_ok = false or status = 'locked') and started_at > now() - interval '24 hours'
   order by started_at desc limit ${FAILURES_COUNTED}`;

/** Counted in two steps, since `count(distinct)` sorts where this hashes. */
const failuresBy = (columns: string) => `
  select ${columns}, count(*) filter (where not password_ok) as failures,
         count(*) filter (where password_ok is null) as while_locked, max(started_at) as last_at
    from (${FAILED}) as failed group by ${columns}`;

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
    `select f.user_id, encode(f.subject, 'hex') as subject, sum(f.failures)::integer as failures,
            sum(f.while_locked)::integer as while_locked, count(f.network)::integer as networks, max(f.last_at) as last_at
       from (${failuresBy('subject, user_id, network')}) f
      group by f.subject, f.user_id order by sum(f.failures + f.while_locked) desc, max(f.last_at) desc limit $1`,
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
    `select f.network, sum(f.failures)::integer as failures, sum(f.while_locked)::integer as while_locked,
            count(*)::integer as subjects
       from (${failuresBy('subject, network')}) f
      group by f.network order by sum(f.failures + f.while_locked) desc limit $1`,
    [limit],
  );
}

/** Attempts whose places are added up, the latest first. */
export const PLACES_COUNTED = 2_000;

export interface LoginPlaceRow {
  latitude: number;
  longitude: number;
  country: string | null;
  region: string | null;
  attempts: number;
  /** Wrong passwords, and attempts that met a lock. */
  failures: number;
  denied: number;
  accounts: number;
  last_at: string;
}

/** Where the latest attempts of the last 24 hours came from, most first. Attempts from nobody-knows-where are left out. */
export function loginPlaces(tx: Tx, limit: number): Promise<LoginPlaceRow[]> {
  return rows<LoginPlaceRow>(
    tx,
    `select (p ->> 'latitude')::float8 as latitude, (p ->> 'longitude')::float8 as longitude, p ->> 'country' as country,
            p ->> 'region' as region, count(*)::integer as attempts,
            count(*) filter (where password_ok = false or status = 'locked')::integer as failures,
            count(*) filter (where status = 'denied')::integer as denied,
            count(distinct subject)::integer as accounts, max(started_at) as last_at
       from (select place -> 'place' as p, password_ok, status, subject, started_at from login
              where started_at > now() - interval '24 hours' order by started_at desc limit ${PLACES_COUNTED}) latest
      where p is not null group by 1, 2, 3, 4 order by count(*) desc, max(started_at) desc limit $1`,
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
       from lockout where unlocked_at is null and locked_until > now()
      order by locked_until desc limit $1`,
    [limit],
  );
}

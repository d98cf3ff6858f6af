import { areValidCoordinates, clusterKey } from '../domain/geo.ts';
import type { AttemptStats, KnownPlace } from '../domain/risk/login-rules.ts';
import type { Micros } from '../domain/time.ts';
import type { GeoPlace } from '../platform/geo-port.ts';
import type { LoginRecord } from './logins.ts';
import { oneRow, run, type Tx } from './sql.ts';

/** What a login is compared with. */
export interface LoginHistory {
  knownPlaces: KnownPlace[];
  /** Time zone of the place that most logins came from. */
  habitualZone: string | null;
  lastPassed: { place: KnownPlace['place']; at: Micros } | null;
  accountAttempts: AttemptStats;
  networkAttempts: AttemptStats;
}

/**
 * Attempts of one network that are looked at, the latest within the hour: behind some networks are thousands of people,
 * and the cost of one login must not grow with them.
 */
const NETWORK_SAMPLE = 1_000;

/** Reads the account's baseline and the failures of the last hour, this attempt included. */
export async function readHistory(tx: Tx, login: LoginRecord): Promise<LoginHistory> {
  const found = await oneRow<{
    places: { latitude: number; longitude: number; accuracy: number; country: string | null; seen: number }[] | null;
    habitual: string | null;
    last: { latitude: number; longitude: number; accuracy: number | null; at: number } | null;
    account: [attempts: number, failures: number];
    network: [attempts: number, failures: number];
  }>(
    tx,
    `select
       (select json_agg(json_build_object('latitude', latitude, 'longitude', longitude, 'accuracy', accuracy_km,
          'country', country, 'seen', (extract(epoch from last_seen_at) * 1000000)::bigint))
          from login_place where user_id = $1) as places,
       (select time_zone from login_place where user_id = $1 and time_zone is not null
          order by logins desc, last_seen_at desc limit 1) as habitual,
       (select json_build_object('latitude', latitude, 'longitude', longitude, 'accuracy', accuracy_km,
          'at', (extract(epoch from last_at) * 1000000)::bigint)
          from login_baseline where user_id = $1 and latitude is not null) as last,
       (select json_build_array(count(*), count(*) filter (where not password_ok)) from login
          where subject = $2 and started_at > clock_timestamp() - interval '1 hour' and password_ok is not null) as account,
       (select json_build_array(count(*), count(*) filter (where not password_ok)) from (
          select password_ok from login
           where network = $3 and started_at > clock_timestamp() - interval '1 hour' and password_ok is not null
           order by started_at desc limit ${NETWORK_SAMPLE}) as sample) as network`,
    [login.userId, login.subject, login.network],
  );
  return {
    knownPlaces: (found.places ?? []).map(({ latitude, longitude, accuracy, country, seen }) => ({
      place: { latitude, longitude, accuracyKm: accuracy, ...(country === null ? {} : { country }) },
      lastSeenAt: seen,
    })),
    habitualZone: found.habitual,
    lastPassed: found.last && {
      place: {
        latitude: found.last.latitude,
        longitude: found.last.longitude,
        ...(found.last.accuracy === null ? {} : { accuracyKm: found.last.accuracy }),
      },
      at: found.last.at,
    },
    accountAttempts: { attempts: found.account[0], failures: found.account[1] },
    networkAttempts: { attempts: found.network[0], failures: found.network[1] },
  };
}

/**
 * Learns the place of a login that passed. Called for no other: a guesser must not make his place a usual one. Networks
 * that hide where somebody is teach nothing, and of two logins the one that arrived later counts, whichever ends first.
 */
export async function learnPlace(tx: Tx, login: LoginRecord): Promise<void> {
  const place = 'place' in login.place ? login.place.place : undefined;
  if (login.userId === null || place === undefined || !teaches(place)) return;
  const { latitude, longitude, accuracyKm, country, timeZone } = place;
  const at = login.startedMicros;
  await run(
    tx,
    `insert into login_place as known (user_id, cluster, country, latitude, longitude, accuracy_km, time_zone,
       first_seen_at, last_seen_at)
     values ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8::float8 / 1000000), to_timestamp($8::float8 / 1000000))
     on conflict (user_id, cluster) do update set logins = known.logins + 1,
       last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at), time_zone = excluded.time_zone`,
    [login.userId, clusterKey(place), country, latitude, longitude, accuracyKm, timeZone ?? null, at],
  );
  await run(
    tx,
    `insert into login_baseline as b (user_id, last_seq, last_at, latitude, longitude, accuracy_km)
     values ($1, $2, to_timestamp($3::float8 / 1000000), $4, $5, $6)
     on conflict (user_id) do update set last_seq = excluded.last_seq, last_at = excluded.last_at,
       latitude = excluded.latitude, longitude = excluded.longitude, accuracy_km = excluded.accuracy_km
     where b.last_seq < excluded.last_seq`,
    [login.userId, login.seq, at, latitude, longitude, accuracyKm],
  );
}

function teaches(place: GeoPlace): boolean {
  return place.flags.length === 0 && areValidCoordinates(place.latitude, place.longitude);
}

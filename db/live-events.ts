import type { Severity } from '../domain/incident.ts';
import type { FrontDoorRefusal } from './front-door-events.ts';
import { type RecordedEvent, recordedEventsSince } from './live-audit-events.ts';
import { type RunEvent, runEventsSince } from './live-run-events.ts';
import { rows, type Tx } from './sql.ts';

/** Something that staff want to see at once. */
export type LiveEvent =
  | { kind: 'hold'; key: string; micros: number; transactionId: string; score: number }
  | { kind: 'decision'; key: string; micros: number; transactionId: string; status: string; code: string | null }
  | {
      kind: 'incident';
      key: string;
      micros: number;
      incidentId: string;
      change: string;
      severity: Severity;
      status: string;
    }
  /** Something was done that happens too often to tell each of: at most one of a kind is told at each look. */
  | { kind: 'activity'; key: string; micros: number; of: 'login' | 'transaction' }
  | { kind: 'refusal'; key: string; micros: number; refusal: FrontDoorRefusal['kind']; cause: string; route: string }
  | RecordedEvent
  | RunEvent;

const MICROS = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;
const SINCE = `('epoch'::timestamptz + $1::bigint * interval '1 microsecond')`;

interface EventRow {
  kind: 'hold' | 'decision' | 'incident' | 'activity' | 'refusal';
  key: string;
  micros: string;
  data: Record<string, unknown>;
}

/**
 * What happened at or after an instant (microseconds since the epoch), oldest first. A row becomes visible only when its
 * transaction commits, which is later than its time says: who follows must look back. What is under way is told as it
 * stands, with the present as its time.
 *
 * @param limit of each of the three sources; `complete` is false where one of them has more
 */
export async function liveEventsSince(
  tx: Tx,
  micros: number,
  limit: number,
): Promise<{ events: LiveEvent[]; complete: boolean }> {
  const sources = [
    await rowEventsSince(tx, micros, limit),
    await recordedEventsSince(tx, micros, limit),
    await runEventsSince(tx, micros, limit),
  ];
  return {
    events: sources.flat().sort((a, b) => a.micros - b.micros),
    complete: sources.every((found) => found.length < limit),
  };
}

/** Holds, their ends, changes of incidents; and of logins, transactions and each kind of refusal the latest alone. */
async function rowEventsSince(tx: Tx, micros: number, limit: number): Promise<LiveEvent[]> {
  const found = await rows<EventRow>(
    tx,
    `(select 'hold' as kind, 'hold:' || id || ':' || hold as key, ${MICROS('held_at')} as micros,
             jsonb_build_object('transactionId', id, 'score', score::numeric / 100) as data
        from transaction where held_at >= ${SINCE} order by held_at limit $2)
     union all
     (select 'decision', 'decision:' || id || ':' || hold, ${MICROS('finished_at')},
             jsonb_build_object('transactionId', id, 'status', status, 'code', code)
        from transaction where held_at is not null and finished_at >= ${SINCE} order by finished_at limit $2)
     union all
     (select 'incident', 'incident:' || e.id, ${MICROS('e.at')},
             jsonb_build_object('incidentId', i.id, 'change', e.kind, 'severity', i.severity, 'status', i.status)
        from incident_event e join incident i on i.id = e.incident_id
       where e.at >= ${SINCE} and e.kind <> 'notified' order by e.at limit $2)
     union all
     (select 'activity', 'login:' || id || ':' || (finished_at is null), ${MICROS('started_at')}, '{"of": "login"}'::jsonb
        from login where started_at >= ${SINCE} order by started_at desc limit 1)
     union all
     (select 'activity', 'transaction:' || id, ${MICROS('created_at')}, '{"of": "transaction"}'::jsonb
        from transaction where created_at >= ${SINCE} order by created_at desc, id desc limit 1)
     union all
     (select 'refusal', k.kind || ':' || ${MICROS('f.last_at')}, ${MICROS('f.last_at')},
             jsonb_build_object('refusal', k.kind, 'cause', f.cause, 'route', f.route)
        from unnest(array['rate_limited', 'session_invalid', 'signature_invalid']) k (kind) cross join lateral (
          select cause, route, last_at from front_door_event
           where kind = k.kind and last_at >= ${SINCE} order by last_at desc limit 1) f)
     order by micros limit $2`,
    [micros, limit],
  );
  return found.map(({ kind, key, micros: at, data }) => ({ kind, key, micros: Number(at), ...data }) as LiveEvent);
}

/** The database's clock, microseconds since the epoch. */
export async function nowMicros(tx: Tx): Promise<number> {
  const [found] = await rows<{ now: string }>(tx, `select ${MICROS('clock_timestamp()')} as now`);
  return Number(found?.now);
}

/** Of these sessions those that are still open and belong to staff. */
export async function openStaffSessions(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
  const found = await rows<{ id: string }>(
    tx,
    `select s.id from session s join app_user u on u.id = s.user_id
      where s.id = any($1::uuid[]) and s.revoked_at is null and s.expires_at > clock_timestamp()
        and u.disabled_at is null and u.role in ('reviewer', 'admin', 'auditor')`,
    [ids],
  );
  return new Set(found.map(({ id }) => id));
}

import type { Severity } from '../domain/incident.ts';
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
    };

const MICROS = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint`;
const SINCE = `('epoch'::timestamptz + $1::bigint * interval '1 microsecond')`;

interface EventRow {
  kind: LiveEvent['kind'];
  key: string;
  micros: string;
  data: Record<string, unknown>;
}

/**
 * Holds, their ends and changes of incidents at or after an instant (microseconds since the epoch), oldest first. A row
 * becomes visible only when its transaction commits, which is later than its time says: who follows must look back.
 */
export async function liveEventsSince(tx: Tx, micros: number, limit: number): Promise<LiveEvent[]> {
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

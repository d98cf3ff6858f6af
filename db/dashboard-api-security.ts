import type { FrontDoorRefusal } from './front-door-events.ts';
import { rows, type Tx } from './sql.ts';

/** Rows looked at, the latest first; each stands for all refusals of one caller and route in one minute. */
const EVENTS_COUNTED = 5_000;

export interface RefusalGroups {
  total: number;
  byRoute: { route: string; refusals: number }[];
  byCause: { cause: string; refusals: number }[];
  byNetwork: { network: string | null; refusals: number }[];
}

const TOP = 20;

/** What the front door refused in the last 24 hours, added up in one pass over an index range. */
export async function refusalsOf(tx: Tx, kind: FrontDoorRefusal['kind']): Promise<RefusalGroups> {
  const found = await rows<{
    by: 'total' | 'route' | 'cause' | 'network';
    value: string | null;
    refusals: string;
  }>(
    tx,
    `select case when grouping(route) = 0 then 'route' when grouping(cause) = 0 then 'cause'
                 when grouping(network) = 0 then 'network' else 'total' end as by,
            coalesce(route, cause, network) as value, coalesce(sum(refusals), 0) as refusals
       from (select route, cause, network, refusals from front_door_event
              where kind = $1 and last_at > now() - interval '24 hours'
              order by last_at desc limit ${EVENTS_COUNTED}) as latest
      group by grouping sets ((), (route), (cause), (network))
      order by sum(refusals) desc nulls last`,
    [kind],
  );
  const groups = (by: 'route' | 'cause' | 'network') =>
    found.filter((one) => one.by === by).map(({ value, refusals }) => ({ value, refusals: Number(refusals) }));
  return {
    total: Number(found.find((one) => one.by === 'total')?.refusals ?? 0),
    byRoute: groups('route')
      .slice(0, TOP)
      .map(({ value, refusals }) => ({ route: value ?? '', refusals })),
    byCause: groups('cause').map(({ value, refusals }) => ({ cause: value ?? '', refusals })),
    byNetwork: groups('network')
      .slice(0, TOP)
      .map(({ value, refusals }) => ({ network: value, refusals })),
  };
}

export interface RefusalRow {
  route: string;
  network: string | null;
  user_id: string | null;
  cause: string;
  refusals: number;
  first_at: string;
  last_at: string;
}

/** The latest refusals of a kind. */
export function latestRefusals(tx: Tx, kind: FrontDoorRefusal['kind'], limit: number): Promise<RefusalRow[]> {
  return rows<RefusalRow>(
    tx,
    `select route, network, user_id, cause, refusals, first_at, last_at from front_door_event
      where kind = $1 and last_at > now() - interval '24 hours' order by last_at desc limit $2`,
    [kind, limit],
  );
}

export interface FailedFactorsRow {
  challenge: 'login' | 'transaction' | 'step_up';
  method: string;
  failures: number;
}

/** Wrong codes of the last 24 hours by what they were for. */
export function failedFactors(tx: Tx): Promise<FailedFactorsRow[]> {
  return rows<FailedFactorsRow>(
    tx,
    `select challenge_kind as challenge, method, count(*)::integer as failures
       from (select challenge_kind, method from factor_attempt
              where not passed and created_at > now() - interval '24 hours'
              order by created_at desc limit ${EVENTS_COUNTED}) as latest
      group by challenge_kind, method order by count(*) desc`,
  );
}

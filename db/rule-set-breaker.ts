import { forecastOf, type HourlyForecast, OWN_PAST_MIN_HOURS } from '../domain/risk/breaker.ts';
import { oneRow, row, rows, type Tx } from './sql.ts';

/** The version that decides, and since when. */
export interface LiveVersion {
  version: string;
  since: string;
}

export function readLive(tx: Tx): Promise<LiveVersion> {
  return oneRow<LiveVersion>(tx, `select version, status_at as since from rule_set where status = 'live'`);
}

/** What the index `transaction_held_by` is about: holds of live customers, in the words of its predicate. */
const HELD = `action in ('quarantine', 'step_up_then_quarantine') and virtual is null and first_status <> 422`;

/**
 * Holds by a version within the last hour, or since it went live where that is later; counting stops above `atMost`. An
 * index scan over no more rows than that, without a lock.
 */
export async function recentHolds(tx: Tx, live: LiveVersion, atMost: number): Promise<number> {
  const { holds } = await oneRow<{ holds: string }>(
    tx,
    `select count(*) as holds from (
       select from transaction
        where rule_set_version = $1 and created_at >= greatest($2::timestamptz, clock_timestamp() - interval '1 hour')
          and ${HELD} limit $3) as held`,
    [live.version, live.since, atMost + 1],
  );
  return Number(holds);
}

/** Where a forecast is from: the report that the version went live with, or what it held itself. */
export interface ForecastSource {
  from: 'report' | 'own_past';
  reportId: string | null;
  perHour: HourlyForecast;
}

/** What the live version was expected to hold in an hour; null where nobody can tell yet. */
export async function expectedHolds(tx: Tx, live: LiveVersion): Promise<ForecastSource | null> {
  const report = await row<{ id: string; forecast: HourlyForecast }>(
    tx,
    `select b.id, b.result #> '{forecast,perHour}' as forecast
       from rule_set_proposal p join backtest_report b on b.id = p.report_id
      where p.version = $1 and p.status = 'approved' order by p.decided_at desc limit 1`,
    [live.version],
  );
  if (report !== undefined) return { from: 'report', reportId: report.id, perHour: report.forecast };
  const { hours } = await oneRow<{ hours: number }>(
    tx,
    `select floor(extract(epoch from least(clock_timestamp() - $1::timestamptz, interval '30 days')) / 3600)::integer - 1 as hours`,
    [live.since],
  );
  if (hours < OWN_PAST_MIN_HOURS) return null;
  const counts = await rows<{ n: string }>(
    tx,
    `select count(*) as n from transaction
      where rule_set_version = $1 and ${HELD}
        and created_at >= greatest($2::timestamptz, clock_timestamp() - interval '30 days')
        and created_at < clock_timestamp() - interval '1 hour'
      group by date_trunc('hour', created_at, 'UTC')`,
    [live.version, live.since],
  );
  const perHour = forecastOf(
    counts.map(({ n }) => Number(n)),
    hours,
  );
  return { from: 'own_past', reportId: null, perHour };
}

/**
 * The version to return to: the latest that was live before and was not taken out by the breaker since, else `v1`. Null
 * where that is the very one that decides.
 */
export async function versionBefore(tx: Tx, live: string): Promise<string | null> {
  const found = await row<{ version: string }>(
    tx,
    `select version from (
       select version, max(id) filter (where kind = 'live') as live_id, max(id) filter (where kind = 'demoted') as demoted_id
         from rule_set_event where kind in ('live', 'demoted') group by version) as life
      where version <> $1 and live_id is not null and (demoted_id is null or demoted_id < live_id)
      order by live_id desc limit 1`,
    [live],
  );
  if (found !== undefined) return found.version;
  return live === 'v1' ? null : 'v1';
}

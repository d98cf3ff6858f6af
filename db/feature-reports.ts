import type { Feature, FeatureState } from '../domain/feature.ts';
import { rows, run, type Tx } from './sql.ts';

/** A worker tells every minute; one that did not for this long is gone. */
const GONE_AFTER_SECONDS = 180;

/** Stores what one worker process can do, and forgets the workers that are gone. */
export async function storeFeatures(tx: Tx, worker: string, features: readonly Feature[]): Promise<void> {
  await run(
    tx,
    `insert into feature_report (worker, name, state, why)
     select $1, name, state, why from jsonb_to_recordset($2::jsonb) as told (name text, state text, why text)
     on conflict (worker, name) do update
       set state = excluded.state, why = excluded.why, seen_at = clock_timestamp()`,
    [worker, JSON.stringify(features)],
  );
  await run(tx, 'delete from feature_report where seen_at < clock_timestamp() - make_interval(secs => $1)', [
    GONE_AFTER_SECONDS,
  ]);
}

/** Takes a worker's word back when it stops. */
export async function forgetFeatures(tx: Tx, worker: string): Promise<void> {
  await run(tx, 'delete from feature_report where worker = $1', [worker]);
}

/** What every worker told lately. */
export function reportedFeatures(tx: Tx): Promise<Feature[]> {
  return rows<{ name: string; state: FeatureState; why: string | null }>(
    tx,
    `select name, state, why from feature_report
      where seen_at > clock_timestamp() - make_interval(secs => $1) order by name, worker`,
    [GONE_AFTER_SECONDS],
  );
}

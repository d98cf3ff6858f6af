import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import { iso, oneRow, type Tx } from './sql.ts';

/** How many decisions of a window are compared at most: the newest. */
export const MAX_COMPARED = 50_000;
const EXAMPLES = 10;

/** What happened beside what the version would have made of it, by both actions and the label. */
export interface ComparedActions {
  live: TransactionAction;
  shadow: TransactionAction;
  /** Of a confirmed fraud true, of one confirmed clean false. */
  fraud: boolean | null;
  n: number;
}

/** One decision that the version would have made otherwise. */
export interface ShadowExample {
  transactionId: string;
  at: string;
  live: { version: string; score: number; action: TransactionAction };
  shadow: { score: number; action: TransactionAction; points: Record<string, number> };
}

export interface ShadowComparison {
  /** Decisions of the window that were looked at, watched by the version or not. */
  looked: number;
  liveVersions: string[];
  counts: ComparedActions[];
  /** The newest of each kind. */
  newlyHeld: ShadowExample[];
  noLongerHeld: ShadowExample[];
}

const HOLDS = `('quarantine', 'step_up_then_quarantine')`;

/**
 * What a version in the shadow would have decided, beside what was decided, in one statement: an index scan over the
 * window, of {@link MAX_COMPARED} rows at most whatever the traffic.
 *
 * @param window RFC 3339, from inclusive, to exclusive
 */
export async function compareShadow(
  tx: Tx,
  window: { readonly version: string; readonly from: string; readonly to: string },
): Promise<ShadowComparison> {
  const examples = (condition: string) => `(
    select coalesce(jsonb_agg(e.example order by e.created_at desc), '[]') from (
      select created_at, jsonb_build_object('transactionId', id, 'at', created_at,
               'live', jsonb_build_object('version', rule_set_version, 'score', score, 'action', action),
               'shadow', shadow - 'version') as example
        from watched where ${condition} order by created_at desc limit ${EXAMPLES}) as e)`;
  const found = await oneRow<{
    looked: string;
    live_versions: string[];
    counts: ComparedActions[];
    newly_held: ShadowExample[];
    no_longer_held: ShadowExample[];
  }>(
    tx,
    `with looked as materialized (
       select id, created_at, rule_set_version, score, action, shadows from transaction
        where created_at >= $2::timestamptz and created_at < $3::timestamptz and shadows is not null and action is not null
        order by created_at desc limit $4),
     watched as materialized (
       select l.id, l.created_at, l.rule_set_version, l.score, l.action, s.value as shadow,
              s.value ->> 'action' as shadow_action
         from looked l cross join lateral (
           select value from jsonb_array_elements(l.shadows) where value ->> 'version' = $1 limit 1) s),
     counted as (
       select w.action, w.shadow_action, m.is_fraud, count(*) as n
         from watched w left join fraud_mark m on m.transaction_id = w.id group by 1, 2, 3)
     select (select count(*) from looked) as looked,
            array(select distinct rule_set_version from watched order by 1) as live_versions,
            (select coalesce(jsonb_agg(jsonb_build_object('live', action, 'shadow', shadow_action, 'fraud', is_fraud, 'n', n)
               order by action, shadow_action), '[]') from counted) as counts,
            ${examples(`shadow_action in ${HOLDS} and action not in ${HOLDS}`)} as newly_held,
            ${examples(`shadow_action not in ${HOLDS} and action in ${HOLDS}`)} as no_longer_held`,
    [window.version, window.from, window.to, MAX_COMPARED],
  );
  const utc = (example: ShadowExample) => ({ ...example, at: iso(example.at) });
  return {
    looked: Number(found.looked),
    liveVersions: found.live_versions,
    counts: found.counts,
    newlyHeld: found.newly_held.map(utc),
    noLongerHeld: found.no_longer_held.map(utc),
  };
}

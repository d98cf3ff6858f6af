import { rows, type Tx } from './sql.ts';

/** What one rule of one rule set came to within a time. */
export interface RulePrecisionRow {
  rule_id: string;
  rule_set_version: string;
  fired: number;
  held: number;
  confirmed_fraud: number;
  false_positive: number;
  inconclusive: number;
}

/**
 * How often each rule fired in transactions of [from, to), and what those turned out to be by their latest labels. Imported
 * transactions are somebody else's past and are left out. The cost grows with the transactions of that time alone.
 */
export function rulePrecision(tx: Tx, range: { from: string; to: string }): Promise<RulePrecisionRow[]> {
  return rows<RulePrecisionRow>(
    tx,
    `with judged as materialized (
       select t.reasons, t.rule_set_version, t.held_at is not null as held,
              (select l.label from transaction_label l where l.transaction_id = t.id order by l.id desc limit 1) as label
         from transaction t
        where t.created_at >= $1::timestamptz and t.created_at < $2::timestamptz and t.virtual is null),
     fired as (
       select r.rule_id, j.rule_set_version, j.held, j.label
         from judged j cross join lateral (
           select distinct e ->> 'ruleId' as rule_id from jsonb_array_elements(j.reasons) e
            where (e ->> 'points')::integer > 0) r)
     select rule_id, rule_set_version, count(*)::integer as fired,
            count(*) filter (where held)::integer as held,
            count(*) filter (where label = 'confirmed_fraud')::integer as confirmed_fraud,
            count(*) filter (where label = 'false_positive')::integer as false_positive,
            count(*) filter (where label = 'inconclusive')::integer as inconclusive
       from fired group by rule_id, rule_set_version order by rule_id, rule_set_version`,
    [range.from, range.to],
  );
}

import type { TransactionFeatures } from '../domain/risk/features.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import { rows, type Tx } from './sql.ts';

/** A decision with everything that it was made from. */
export interface RecordedDecisionRow {
  id: string;
  /** PostgreSQL's text. */
  created_at: string;
  rule_set_version: string;
  score: number;
  reasons: readonly Reason[];
  action: TransactionAction | null;
  /** The status of the first answer, which says the action where that was not kept. */
  first_decision: string;
  hold_after_step_up: boolean;
  features: TransactionFeatures | Record<string, unknown>;
  step_up_minor: string;
  currency: string;
}

const COLUMNS = `id, created_at::text as created_at, rule_set_version, score, reasons, action,
  first_body ->> 'status' as first_decision, hold_after_step_up, features,
  settings ->> 'stepUpAmountMinor' as step_up_minor, settings ->> 'baseCurrency' as currency`;

/** One decision, in a list of at most one. */
export function decisionById(tx: Tx, id: string): Promise<RecordedDecisionRow[]> {
  return rows<RecordedDecisionRow>(tx, `select ${COLUMNS} from transaction where id = $1`, [id]);
}

/** A page of decisions made in a period, oldest first, after the given one. */
export function decisionsBetween(
  tx: Tx,
  query: { from: string; to: string; after: { at: string; id: string } | null; limit: number },
): Promise<RecordedDecisionRow[]> {
  return rows<RecordedDecisionRow>(
    tx,
    `select ${COLUMNS} from transaction
      where created_at >= $1::timestamptz and created_at < $2::timestamptz
        and ($3::timestamptz is null or (created_at, id) > ($3::timestamptz, $4::uuid))
      order by created_at, id limit $5`,
    [query.from, query.to, query.after?.at ?? null, query.after?.id ?? null, query.limit],
  );
}

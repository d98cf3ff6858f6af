import type { LabelSource, TransactionLabel } from '../domain/transaction-label.ts';
import { foldLabel } from './label-features.ts';
import { iso, oneRow, row, rows, type Tx } from './sql.ts';

export interface NewLabel {
  transactionId: string;
  label: TransactionLabel;
  source: LabelSource;
  /** Who says so; null where no person does. */
  by: string | null;
  reason: string;
}

export interface StoredLabel {
  label: TransactionLabel;
  source: LabelSource;
  labelledBy: string | null;
  reason: string;
  /** RFC 3339, the database's time. */
  knownAt: string;
}

/**
 * Stores what a transaction turned out to be, and folds it into what is known of account and counterparty; the latest label
 * is the one that counts, those before stay on record. The caller holds the locks of accounts and transaction, taken in that
 * order, so that two labels at once have an order and no decision waits for this one in a circle.
 */
export async function labelTransaction(tx: Tx, given: NewLabel): Promise<StoredLabel> {
  const { known_at: knownAt } = await oneRow<{ known_at: string }>(
    tx,
    `insert into transaction_label (transaction_id, label, source, labelled_by, reason)
     values ($1, $2, $3, $4, $5) returning known_at`,
    [given.transactionId, given.label, given.source, given.by, given.reason],
  );
  await foldLabel(tx, { transactionId: given.transactionId, isFraud: given.label === 'confirmed_fraud' });
  return {
    label: given.label,
    source: given.source,
    labelledBy: given.by,
    reason: given.reason,
    knownAt: iso(knownAt),
  };
}

/** The label that counts now, or undefined. */
export function currentLabel(tx: Tx, transactionId: string): Promise<{ label: TransactionLabel } | undefined> {
  return row(tx, 'select label from transaction_label where transaction_id = $1 order by id desc limit 1', [
    transactionId,
  ]);
}

/** Every label of a transaction, the one that counts first. */
export async function labelsOf(tx: Tx, transactionId: string): Promise<StoredLabel[]> {
  const found = await rows<StoredLabel>(
    tx,
    `select label, source, labelled_by as "labelledBy", reason, known_at as "knownAt"
       from transaction_label where transaction_id = $1 order by id desc`,
    [transactionId],
  );
  return found.map((one) => ({ ...one, knownAt: iso(one.knownAt) }));
}

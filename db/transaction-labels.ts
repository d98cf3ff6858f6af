import type { LabelSource, TransactionLabel } from '../domain/transaction-label.ts';
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

/** What follows from a label, in the transaction that stores it. `knownAt` is PostgreSQL's text. */
export interface KnownLabel {
  transactionId: string;
  label: TransactionLabel;
  knownAt: string;
}

/**
 * Stores what a transaction turned out to be; the latest label is the one that counts, those before stay on record. The caller
 * holds the transaction's row lock, so that two labels at once have an order.
 */
export async function labelTransaction(tx: Tx, given: NewLabel): Promise<StoredLabel> {
  const { known_at: knownAt } = await oneRow<{ known_at: string }>(
    tx,
    `insert into transaction_label (transaction_id, label, source, labelled_by, reason)
     values ($1, $2, $3, $4, $5) returning known_at`,
    [given.transactionId, given.label, given.source, given.by, given.reason],
  );
  await onLabel(tx, { transactionId: given.transactionId, label: given.label, knownAt });
  return {
    label: given.label,
    source: given.source,
    labelledBy: given.by,
    reason: given.reason,
    knownAt: iso(knownAt),
  };
}

/**
 * The one place where what was learned about a transaction goes on to whoever judges the next ones. Storing it is all there is
 * to do so far: the precision of rules is read from the stored labels.
 */
async function onLabel(_tx: Tx, _label: KnownLabel): Promise<void> {}

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

import type { TransactionStatus, TransactionType } from '../domain/transaction.ts';
import type { TransactionLabel } from '../domain/transaction-label.ts';
import type { CaseVerdict } from './review-queue.ts';
import { iso, isoOrNull, oneRow, row, rows, type Tx } from './sql.ts';

/** Transactions of the account that a case shows beside the held one. */
const HISTORY = 20;

export interface ReviewNote {
  noteId: string;
  authorId: string;
  text: string;
  at: string;
}

/** Adds a note to a case; notes are never changed. */
export async function addNote(
  tx: Tx,
  note: { id: string; transactionId: string; authorId: string; text: string },
): Promise<ReviewNote> {
  const { at } = await oneRow<{ at: string }>(
    tx,
    'insert into review_note (id, transaction_id, author_id, text) values ($1, $2, $3, $4) returning at',
    [note.id, note.transactionId, note.authorId, note.text],
  );
  return { noteId: note.id, authorId: note.authorId, text: note.text, at: iso(at) };
}

export async function notesOf(tx: Tx, transactionId: string): Promise<ReviewNote[]> {
  const found = await rows<ReviewNote>(
    tx,
    `select id as "noteId", author_id as "authorId", text, at from review_note where transaction_id = $1 order by at, id`,
    [transactionId],
  );
  return found.map((note) => ({ ...note, at: iso(note.at) }));
}

/** Verdicts of every hold, oldest first. */
export async function caseVerdicts(tx: Tx, transactionId: string): Promise<CaseVerdict[]> {
  const found = await rows<CaseVerdict>(
    tx,
    `select hold, reviewer_id as "reviewerId", verdict, reason, source, recorded_at as at
       from review_verdict where transaction_id = $1 order by recorded_at, id`,
    [transactionId],
  );
  return found.map((verdict) => ({ ...verdict, at: iso(verdict.at) }));
}

export interface Appeal {
  reason: string;
  appealedAt: string;
  rejectedCode: string;
  rejectedAt: string;
}

export async function appealOf(tx: Tx, transactionId: string): Promise<Appeal | null> {
  const found = await row<Appeal>(
    tx,
    `select reason, appealed_at as "appealedAt", rejected_code as "rejectedCode", rejected_at as "rejectedAt"
       from transaction_appeal where transaction_id = $1`,
    [transactionId],
  );
  if (found === undefined) return null;
  return { ...found, appealedAt: iso(found.appealedAt), rejectedAt: iso(found.rejectedAt) };
}

/** Another transaction of the account. Amounts are minor units in decimal digits. */
export interface PastTransaction {
  id: string;
  type: TransactionType;
  amount: string | null;
  currency: string;
  category: string;
  counterparty: string | null;
  status: TransactionStatus;
  code: string | null;
  score: number;
  label: TransactionLabel | null;
  created_at: string;
  finished_at: string | null;
}

/** The account's latest transactions but this one, newest first. */
export async function accountHistory(
  tx: Tx,
  given: { accountId: string; transactionId: string },
): Promise<PastTransaction[]> {
  const found = await rows<PastTransaction>(
    tx,
    `select t.id, t.type, t.amount, t.currency, t.category, t.counterparty, t.status, t.code, t.score, t.created_at,
            t.finished_at,
            (select l.label from transaction_label l where l.transaction_id = t.id order by l.id desc limit 1) as label
       from transaction t where t.account_id = $1 and t.id <> $2 order by t.t desc limit ${HISTORY}`,
    [given.accountId, given.transactionId],
  );
  return found.map((one) => ({ ...one, created_at: iso(one.created_at), finished_at: isoOrNull(one.finished_at) }));
}

export interface CaseEvent {
  at: string;
  incidentId: string;
  cause: string;
  kind: string;
  actor: string;
  details: Record<string, unknown>;
}

/** What happened to the incidents of a transaction, oldest first. */
export async function caseTimeline(tx: Tx, transactionId: string): Promise<CaseEvent[]> {
  const found = await rows<CaseEvent>(
    tx,
    `select e.at, i.id as "incidentId", i.cause, e.kind, e.actor, e.details
       from incident i join incident_event e on e.incident_id = i.id
      where i.subject_kind = 'transaction' and i.subject_id = $1 order by e.id`,
    [transactionId],
  );
  return found.map((event) => ({ ...event, at: iso(event.at) }));
}

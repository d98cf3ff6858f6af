import { DomainError } from '../domain/errors.ts';
import { isAppealable } from '../domain/transaction.ts';
import { appealLetter } from '../domain/transaction-letters.ts';
import { lockOwner } from './account-owners.ts';
import { countTowardsLimits } from './account-state.ts';
import type { AuditLog, RequestTrace } from './audit.ts';
import { openIncident } from './incidents.ts';
import { lockAccounts, reserve, settlementRefusal } from './ledger.ts';
import type { Outbox } from './outbox.ts';
import { row as firstRow, iso, oneRow, run, type Tx } from './sql.ts';
import { displayExponent, findTransaction, lockTransaction, storedTerms, type TransactionRow } from './transactions.ts';

export interface AppealDeps {
  audit: AuditLog;
  outbox: Outbox;
  publicOrigin: string;
}

export interface GivenAppeal {
  transactionId: string;
  userId: string;
  reason: string;
  /** For transactions that were decided under no rule about it. */
  appealWindowMs: number;
  request: RequestTrace;
}

/**
 * Opens a transaction again that a review rejected, on its owner's appeal: funds reserved anew, counted towards the limits
 * again, a second hold of its full time, an incident, a letter; all of it or nothing, under the locks of owner, accounts and transaction. Its workflow has to be
 * started by the caller; where that fails, `reconcile` finds an open row without one.
 *
 * @returns the transaction as it is held now
 * @throws DomainError `not_found`, `account_restricted`, `already_appealed`, `not_appealable`, `appeal_expired`,
 *   `insufficient_funds` or `amount_too_large`; none of them uses the appeal up
 */
export async function reopenOnAppeal(tx: Tx, deps: AppealDeps, given: GivenAppeal): Promise<TransactionRow> {
  // Owner and accounts never change: they are read before they are locked.
  const known = await findTransaction(tx, given.transactionId);
  if (known === undefined || known.user_id !== given.userId) throw notFound();
  const owner = await lockOwner(tx, given.userId);
  if (owner === undefined || owner.disabled || owner.restricted) {
    throw new DomainError('account_restricted', 'This account may not move money now. Contact support.');
  }
  const { account_id: own, counterparty_account_id: other } = known;
  await lockAccounts(tx, other === null ? [own] : [own, other]);
  const row = await lockTransaction(tx, given.transactionId);
  if (row === undefined) throw notFound();
  await refuse(tx, row, given);

  const terms = storedTerms(row);
  const refusal = await settlementRefusal(tx, row.id, terms);
  if (refusal !== null) {
    throw new DomainError(refusal, 'The account does not hold enough that is free. You may appeal once it does.');
  }
  await run(
    tx,
    `insert into transaction_appeal (transaction_id, appealed_by, reason, rejected_code, rejected_at)
     values ($1, $2, $3, $4, $5)`,
    [row.id, given.userId, given.reason, row.code, row.finished_at],
  );
  await reserve(tx, row.id, terms);
  // The rejection took it out of what its owner has moved; the approval asks the limits again.
  await countTowardsLimits(tx, own, {
    type: row.type,
    at: Number(row.t_micros),
    amount: BigInt(row.base_amount ?? 0),
  });
  // A wish to cancel that came too late for the first hold is none about this one.
  await run(
    tx,
    `update transaction set status = 'quarantined', code = null, finished_at = null, hold = hold + 1, held_at = now.at,
            cancel_requested_at = null,
            review_by = now.at + make_interval(secs => $2::double precision / 1000)
       from (select clock_timestamp() as at) as now where id = $1`,
    [row.id, (row.settings as { reviewWindowMs: number }).reviewWindowMs],
  );
  const held = await lockTransaction(tx, row.id);
  if (held === undefined) throw notFound();
  await announce(tx, deps, held, { rejected: row.code, email: owner.email, request: given.request });
  return held;
}

async function refuse(tx: Tx, row: TransactionRow, given: GivenAppeal): Promise<void> {
  if ((await firstRow(tx, 'select 1 from transaction_appeal where transaction_id = $1', [row.id])) !== undefined) {
    throw new DomainError('already_appealed', 'There was an appeal already, and there is only one.');
  }
  if (!isAppealable(row.status, row.code)) {
    throw new DomainError('not_appealable', 'Only what a review has rejected can be appealed against.');
  }
  const { appealWindowMs = given.appealWindowMs } = row.settings as { appealWindowMs?: number };
  const { over } = await oneRow<{ over: boolean }>(
    tx,
    `select $1::timestamptz + $2 * interval '1 ms' < clock_timestamp() as over`,
    [row.finished_at, appealWindowMs],
  );
  if (over) throw new DomainError('appeal_expired', 'The time to appeal is over.');
}

async function announce(
  tx: Tx,
  deps: AppealDeps,
  held: TransactionRow,
  about: { rejected: string | null; email: string; request: RequestTrace },
): Promise<void> {
  await deps.audit.append(tx, {
    action: 'transaction.appealed',
    actor: { kind: 'user', id: held.user_id },
    subject: { kind: 'transaction', id: held.id },
    outcome: 'success',
    ...about.request,
    workflowId: `transaction:${held.id}`,
    details: { accountId: held.account_id, type: held.type, rejected: about.rejected, hold: held.hold },
  });
  const letter = appealLetter(
    { ...held, exponent: displayExponent(held.currency) },
    held.review_by === null ? '' : iso(held.review_by),
    deps.publicOrigin,
  );
  await deps.outbox.enqueue(tx, {
    ...letter,
    key: `transaction:${held.id}:${letter.template}`,
    userId: held.user_id,
    to: about.email,
  });
  // Staff are written to by its workflow, which that of the transaction starts.
  await openIncident(tx, deps, {
    cause: 'quarantine',
    subjectKind: 'transaction',
    subjectId: held.id,
    userId: held.user_id,
    title: 'Transaction held for review, on appeal',
    details: { score: held.score, accountId: held.account_id, type: held.type, rejected: about.rejected },
    key: `transaction:${held.id}:quarantine:${held.hold}`,
  });
}

function notFound(): DomainError {
  return new DomainError('not_found', 'You have no transaction with this id.');
}

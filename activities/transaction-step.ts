import { asyncLocalStorage } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type AccountOwner, lockOwner } from '../db/account-owners.ts';
import { lockAccounts } from '../db/ledger.ts';
import { once } from '../db/once.ts';
import { verdictsOf } from '../db/reviews.ts';
import { iso, isoOrNull, type Tx } from '../db/sql.ts';
import {
  findTransaction,
  lockTransaction,
  type NewTransaction,
  type TransactionRow,
  transactionView,
} from '../db/transactions.ts';
import { type ReviewReminder, reviewReminders } from '../domain/review-sla.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import type { FollowUps, TransactionState } from '../workflows/contract.ts';
import type { AccountLanes } from './account-lanes.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';

/** What a step of an open transaction works with, all of it locked. */
export interface LockedTransaction {
  tx: Tx;
  row: TransactionRow;
  owner: AccountOwner;
}

/** A step's own result, and what the workflow must start because of it. */
export interface StepEffect<T> {
  result: T;
  incidents?: FollowUps['incidents'];
  mails?: string[];
  restrictions?: string[];
}

/**
 * The frame of every step after the first decision: one database transaction, once per key, under the locks of owner,
 * accounts and transaction in that order. Whatever a repeat finds stored, the state it returns is the present one.
 */
export function createTransactionStep({ db }: Pick<ActivityDeps, 'db'>, lanes: AccountLanes) {
  async function run<T>(
    transactionId: string,
    step: string,
    effect: (locked: LockedTransaction) => Promise<StepEffect<T>>,
    ownerLock: 'share' | 'alone',
  ): Promise<{ state: TransactionState; result: T }> {
    // Owner and accounts of a transaction never change: they are read before the lanes, without a lock.
    const known = found(await findTransaction(db.fork(), transactionId), transactionId);
    const accounts = accountsOf(known);
    return lanes.run(accounts, () => db.transaction(inTransaction), currentSignal());

    async function inTransaction(tx: Tx) {
      const { result, incidents, mails, restrictions } = await once(
        tx,
        `transaction:${transactionId}:${step}`,
        async () => {
          const owner = await lockOwner(tx, known.user_id, ownerLock);
          if (owner === undefined) throw new Error(`transaction ${transactionId} has lost its owner`);
          await lockAccounts(tx, accounts);
          const row = found(await lockTransaction(tx, transactionId), transactionId);
          return effect({ tx, row, owner });
        },
      );
      const row = found(await findTransaction(tx, transactionId), transactionId);
      const state = await stateOf(tx, row, {
        mails: mails ?? [],
        incidents: incidents ?? [],
        restrictions: restrictions ?? [],
      });
      return { state, result };
    }
  }

  return {
    /**
     * @param ownerLock `alone` for a step that may freeze the account
     * @throws ApplicationFailure (non-retryable) when there is no such transaction or the database refuses the data
     */
    run: <T>(
      transactionId: string,
      step: string,
      effect: (locked: LockedTransaction) => Promise<StepEffect<T>>,
      ownerLock: 'share' | 'alone' = 'share',
    ): Promise<{ state: TransactionState; result: T }> =>
      finalOnDataErrors(() => run(transactionId, step, effect, ownerLock)),

    /** The present state, without changing anything. */
    read: (transactionId: string): Promise<TransactionState> =>
      db.transaction(async (tx) =>
        stateOf(tx, found(await findTransaction(tx, transactionId), transactionId), { mails: [], incidents: [] }),
      ),
  };
}

export type TransactionStep = ReturnType<typeof createTransactionStep>;

/** Aborts when Temporal gave this attempt up; undefined where an activity is called outside a worker. */
export function currentSignal(): AbortSignal | undefined {
  return asyncLocalStorage.getStore()?.cancellationSignal;
}

/** The accounts a transaction touches. */
export function accountsOf(row: Pick<TransactionRow, 'account_id' | 'counterparty_account_id'>): string[] {
  return row.counterparty_account_id === null ? [row.account_id] : [row.account_id, row.counterparty_account_id];
}

/** What the workflow goes by. */
export async function stateOf(tx: Tx, row: NewTransaction, followUps: FollowUps): Promise<TransactionState> {
  const verdicts = row.held_at === null ? [] : await verdictsOf(tx, row);
  const approvers = new Set(verdicts.filter((one) => one.verdict === 'approve').map((one) => one.reviewerId));
  return {
    view: transactionView(row),
    risk: scoreAsFraction(row.score),
    stepUpExpiresAt: isoOrNull(row.step_up_expires_at),
    reviewBy: row.review_by === null ? null : iso(row.review_by),
    payBy: row.status === 'payment_required' ? isoOrNull(row.payment_expires_at) : null,
    approvals: { given: approvers.size, required: row.required_approvals },
    hold: row.hold,
    reminders: remindersOf(row),
    followUps,
  };
}

/** What was imported is somebody else's past: nobody is waited for. */
function remindersOf(row: NewTransaction): ReviewReminder[] {
  if (row.status !== 'quarantined' || row.held_at === null || row.review_by === null || row.virtual !== null) return [];
  return reviewReminders(Date.parse(iso(row.held_at)), Date.parse(iso(row.review_by)));
}

function found(row: TransactionRow | undefined, id: string): TransactionRow {
  if (row === undefined) throw ApplicationFailure.nonRetryable(`there is no transaction ${id}`, 'TransactionUnknown');
  return row;
}

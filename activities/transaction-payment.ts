import { ApplicationFailure } from '@temporalio/common';
import { openIncident } from '../db/incidents.ts';
import { findPayment, notePayment } from '../db/payments.ts';
import { iso } from '../db/sql.ts';
import { findTransaction, type TransactionRow } from '../db/transactions.ts';
import { judgePayment, type Payment } from '../domain/payment.ts';
import { PaymentError, type PaymentPort } from '../platform/payment-port.ts';
import type { TransactionState } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import type { Ending, TransactionEnding } from './transaction-ending.ts';
import type { LockedTransaction, StepEffect, TransactionStep } from './transaction-step.ts';

/**
 * Why the provider is asked: a webhook or the clock says that something may have happened (`look`), the time to pay is
 * over (`expire`), or the deposit is taken back by its owner or by an operator.
 */
export type PaymentOccasion = 'look' | 'expire' | 'owner' | 'operator';

/**
 * What happens while a deposit waits for its payment. The provider is asked first, without a database connection; what it
 * says is then applied under the locks of every step, once. A payment that has come is always booked, whoever wanted the
 * deposit to end: money that we hold must be on the account.
 */
export function createTransactionPayment(deps: ActivityDeps, step: TransactionStep, ending: TransactionEnding) {
  const { db } = deps;

  function provider(): PaymentPort {
    if (deps.payments !== undefined) return deps.payments;
    throw ApplicationFailure.retryable('STRIPE_SECRET_KEY is not set in this worker', 'PaymentsOff');
  }

  /**
   * What the provider says now; asks it for the payment first where it was not asked for yet, which it does once per
   * deposit. Null where there is none and none will come: the provider does not take it, or it is not wanted any more and
   * what pays it was handed to nobody. A payment that was made may have been paid: without word of it nothing ends.
   */
  async function ask(row: TransactionRow, occasion: PaymentOccasion): Promise<Payment | null> {
    const known = await findPayment(db.fork(), row.id);
    if (known !== undefined) {
      return occasion === 'look'
        ? (await provider().read(known.paymentId)).payment
        : provider().cancel(known.paymentId);
    }
    if (occasion !== 'look') return null;
    const { amount, currency } = row;
    const payment = await provider()
      .request({ transactionId: row.id, amountMinor: amount ?? '0', currency })
      .catch(refusedForGood);
    if (payment !== null) await notePayment(db.fork(), row.id, payment);
    return payment;
  }

  async function apply(
    locked: LockedTransaction,
    payment: Payment | null,
    occasion: PaymentOccasion,
  ): Promise<StepEffect<null>> {
    const { tx, row, owner } = locked;
    if (row.status !== 'payment_required') return { result: null };
    if (payment === null) return { result: null, ...(await gone(locked, occasion)) };
    await notePayment(tx, row.id, payment);
    const expected = { transactionId: row.id, amountMinor: row.amount ?? '0', currency: row.currency };
    switch (judgePayment(expected, payment)) {
      case 'wait':
        return { result: null };
      case 'gone':
        return { result: null, ...(await gone(locked, occasion)) };
      case 'mismatch':
        return mismatch(locked, payment, (await ending.reject(tx, row, owner, 'payment_mismatch')).incidents);
      case 'book': {
        const { incidents } = await ending.book(tx, row, owner);
        // Beyond counting, for instance: the money is at the provider and not on the account.
        const isBooked = (await findTransaction(tx, row.id))?.status === 'settled';
        return isBooked ? { result: null, incidents } : mismatch(locked, payment, incidents);
      }
    }
  }

  function gone({ tx, row, owner }: LockedTransaction, occasion: PaymentOccasion) {
    switch (occasion) {
      case 'owner':
        return ending.reject(tx, row, owner, 'cancelled', { kind: 'user', id: row.user_id });
      case 'operator':
        return ending.reject(tx, row, owner, 'cancelled', { kind: 'operator' });
      case 'expire':
        return ending.reject(tx, row, owner, 'payment_expired');
      case 'look':
        return ending.reject(tx, row, owner, 'payment_failed');
    }
  }

  /** Money came that is not what was asked for: nothing is booked, and a person decides what becomes of it. */
  async function mismatch(
    { tx, row }: LockedTransaction,
    payment: Payment,
    incidents: Ending['incidents'],
  ): Promise<StepEffect<null>> {
    const incident = await openIncident(tx, deps, {
      cause: 'payment_mismatch',
      subjectKind: 'transaction',
      subjectId: row.id,
      userId: row.user_id,
      title: 'A deposit was paid and could not be booked: book or refund it by hand',
      details: {
        paymentId: payment.paymentId,
        expected: { amountMinor: row.amount, currency: row.currency },
        received: { amountMinor: payment.receivedMinor, currency: payment.currency },
      },
      key: `transaction:${row.id}:payment_mismatch`,
    });
    return { result: null, incidents: [...incidents, incident] };
  }

  return {
    /**
     * Asks the provider how a deposit's payment stands, and ends the deposit where it has been paid or will not be. Does
     * nothing where the deposit waits for no payment (any more).
     *
     * @param n which look of this workflow it is, so that a retry is the same one
     */
    async followPayment(transactionId: string, n: string, occasion: PaymentOccasion): Promise<TransactionState> {
      // Read at every attempt: what was asked for meanwhile, and time that has passed, count where the provider is away.
      const row = await findTransaction(db.fork(), transactionId);
      if (row?.status !== 'payment_required') return step.read(transactionId);
      if (occasion === 'owner' && row.cancel_requested_at === null) return step.read(transactionId);
      const why = occasion === 'look' ? whyNow(row) : occasion;
      const payment = await ask(row, why).catch(asRetryable);
      const { state } = await step.run(transactionId, `payment:${n}`, (locked) => apply(locked, payment, why));
      return state;
    },
  };
}

/** A look that comes after the time to pay, or after the owner took the deposit back, is about that. */
function whyNow(row: TransactionRow): PaymentOccasion {
  if (row.cancel_requested_at !== null) return 'owner';
  return row.payment_expires_at !== null && Date.parse(iso(row.payment_expires_at)) < Date.now() ? 'expire' : 'look';
}

/** A payment that the provider does not take is none. */
function refusedForGood(error: unknown): null {
  if (error instanceof PaymentError && !error.retryable) return null;
  throw error;
}

/** Tried again for as long as the workflow lives: the provider may be away, or a key wrong until an operator mends it. */
function asRetryable(error: unknown): never {
  throw error instanceof PaymentError ? ApplicationFailure.retryable(error.message, 'PaymentError') : error;
}

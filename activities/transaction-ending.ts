import type { AccountOwner } from '../db/account-owners.ts';
import { readFeatures, storeFeatures } from '../db/account-state.ts';
import type { AuditEvent } from '../db/audit.ts';
import { resolveIncidentFor } from '../db/incidents.ts';
import { endReservation, postSettlement, settlementRefusal } from '../db/ledger.ts';
import { quoteFor } from '../db/prices.ts';
import type { Tx } from '../db/sql.ts';
import { areTermsUnchanged, reportAlteredTerms } from '../db/step-up-terms.ts';
import {
  markPaymentRequired,
  markRejected,
  markSettled,
  storedTerms,
  type TransactionRow,
} from '../db/transactions.ts';
import type { SettlementTerms } from '../domain/ledger.ts';
import { outgrewConfirmation, outgrewControls, priceOrder } from '../domain/quote.ts';
import { applySettlement } from '../domain/risk/features.ts';
import { isAppealable, isTrade, type RejectionCode } from '../domain/transaction.ts';
import type { FollowUps, TransactionSettings } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { createTransactionLetters } from './transaction-letters.ts';

/** Ends that come while nobody looks, of transactions that were not held. */
const WRITTEN_ABOUT: ReadonlySet<RejectionCode> = new Set([
  'step_up_failed',
  'step_up_expired',
  'payment_expired',
  'payment_failed',
  'payment_mismatch',
]);

/** Who brought the end about, for the audit log. */
export type Actor = AuditEvent['actor'];

/** Incidents whose workflows must hear of the end. */
export type Ending = Pick<FollowUps, 'incidents'>;

/**
 * How a transaction that was open ends. Both ways run under the locks of owner, accounts and transaction, in the
 * transaction of the step that decided it, so money, status, features and trace change together.
 */
export function createTransactionEnding(deps: ActivityDeps) {
  const letters = createTransactionLetters(deps);

  async function record(tx: Tx, row: TransactionRow, actor: Actor, action: string, details: Record<string, unknown>) {
    await deps.audit.append(tx, {
      action,
      actor,
      subject: { kind: 'transaction', id: row.id },
      outcome: action === 'transaction.settled' || action === 'transaction.approved' ? 'success' : 'denied',
      ip: row.ip,
      userAgent: row.user_agent,
      requestId: row.request_id,
      workflowId: `transaction:${row.id}`,
      details: { accountId: row.account_id, type: row.type, ...details },
    });
  }

  async function tellOwner(tx: Tx, row: TransactionRow, owner: AccountOwner, code: RejectionCode | null) {
    const wasHeld = row.held_at !== null;
    if (code === null) {
      if (wasHeld) await letters.approved(tx, owner, row);
    } else if (wasHeld || WRITTEN_ABOUT.has(code)) {
      const { appealWindowMs = null } = row.settings as TransactionSettings;
      const mayAppeal = row.hold === 1 && isAppealable('rejected', code);
      await letters.rejected(tx, owner, row, code, mayAppeal ? appealWindowMs : null);
    }
  }

  /** A hold's incident is over with the hold. */
  async function closeHold(tx: Tx, row: TransactionRow, resolution: string, actor: Actor): Promise<Ending> {
    if (row.held_at === null) return { incidents: [] };
    const incident = await resolveIncidentFor(tx, deps, {
      cause: 'quarantine',
      subjectKind: 'transaction',
      subjectId: row.id,
      resolution,
      resolvedBy: actor.kind === 'user' ? (actor.id ?? null) : null,
    });
    return { incidents: incident === null ? [] : [incident] };
  }

  /** Rejects and frees what was reserved. */
  async function reject(
    tx: Tx,
    row: TransactionRow,
    owner: AccountOwner,
    code: RejectionCode,
    actor: Actor = { kind: 'system' },
  ): Promise<Ending> {
    await endReservation(tx, row.id, 'released');
    await markRejected(tx, row.id, code);
    await record(tx, row, actor, code === 'cancelled' ? 'transaction.cancelled' : 'transaction.rejected', { code });
    await tellOwner(tx, row, owner, code);
    return closeHold(tx, row, `rejected: ${code}`, actor);
  }

  /** A deposit that may proceed waits for its money, where that comes from a provider; everything else settles now. */
  async function settle(
    tx: Tx,
    row: TransactionRow,
    owner: AccountOwner,
    actor: Actor = { kind: 'system' },
  ): Promise<Ending> {
    if (!waitsForPayment(row)) return book(tx, row, owner, actor);
    if (owner.restricted || owner.disabled) return reject(tx, row, owner, 'account_restricted', actor);
    const { paymentTimeoutMs } = row.settings as TransactionSettings;
    await markPaymentRequired(tx, row.id, { timeoutMs: paymentTimeoutMs });
    await record(tx, row, actor, 'transaction.payment_required', {});
    if (row.held_at !== null) await letters.toBePaid(tx, owner, row);
    return closeHold(tx, row, 'approved; the deposit waits for its payment', actor);
  }

  /**
   * Settles at today's terms. What was true when it was decided may have changed since: restriction, balance, limit and
   * price are asked again, and a no rejects with its code.
   */
  async function book(
    tx: Tx,
    row: TransactionRow,
    owner: AccountOwner,
    actor: Actor = { kind: 'system' },
  ): Promise<Ending> {
    // Money that a provider has taken is booked whatever the account's state: restricted, it cannot leave again.
    const isPaid = row.status === 'payment_required';
    if (!isPaid && (owner.restricted || owner.disabled)) {
      return reject(tx, row, owner, 'account_restricted', actor);
    }
    if (!isPaid && !areTermsUnchanged(row)) {
      const { incidents } = await reject(tx, row, owner, 'step_up_failed', actor);
      return { incidents: [...incidents, await reportAlteredTerms(tx, deps, row)] };
    }
    const priced = await currentTerms(tx, row);
    if (typeof priced === 'string') return reject(tx, row, owner, priced, actor);
    const { terms, price } = priced;
    const refusal = await settlementRefusal(tx, row.id, terms);
    if (refusal !== null) return reject(tx, row, owner, refusal, actor);

    await endReservation(tx, row.id, 'consumed');
    await postSettlement(tx, row.id, terms);
    await markSettled(tx, row.id, { price: price?.toString() ?? null, amount: terms.amount.toString() });
    await learn(tx, row, terms);
    await record(tx, row, actor, 'transaction.settled', { amount: terms.amount.toString(), currency: row.currency });
    await tellOwner(tx, { ...row, amount: terms.amount.toString() }, owner, null);
    return closeHold(tx, row, 'approved and settled', actor);
  }

  return { settle, book, reject, record };
}

/** Whether a deposit has to be paid at a provider before it is booked. */
export function waitsForPayment(row: {
  type: TransactionRow['type'];
  settings: object;
  virtual: object | null;
}): boolean {
  const { payments } = row.settings as TransactionSettings;
  return row.type === 'deposit' && payments === 'provider' && row.virtual === null;
}

export type TransactionEnding = ReturnType<typeof createTransactionEnding>;

/** What settling means now; a code when it must not. */
async function currentTerms(
  tx: Tx,
  row: TransactionRow,
): Promise<{ terms: SettlementTerms; price: bigint | null } | RejectionCode> {
  const settings = row.settings as TransactionSettings;
  const terms = storedTerms(row);
  const { amount: decided, quantity } = terms;
  if (!isTrade(row.type) || row.instrument_id === null || quantity === null) return { terms, price: null };

  const priced = priceOrder(
    {
      type: row.type === 'buy' ? 'buy' : 'sell',
      quantity,
      priceLimit: row.price_limit === null ? null : BigInt(row.price_limit),
      statedAmount: null,
    },
    await quoteFor(tx, row.instrument_id),
    { maxAgeMs: settings.priceMaxAgeMs, currency: row.currency },
  );
  if (!priced.ok) return priced.code;
  const controls = {
    stepUpAbove: BigInt(settings.stepUpAmountMinor),
    secondApprovalAbove: settings.secondApprovalAboveMinor === null ? null : BigInt(settings.secondApprovalAboveMinor),
  };
  const limit = { type: row.type, priceLimit: row.price_limit === null ? null : BigInt(row.price_limit) };
  if (row.challenge_hash !== null && outgrewConfirmation(limit, decided, priced.amount)) return 'price_limit';
  if (outgrewControls(decided, priced.amount, controls)) return 'price_limit';
  return { terms: { ...terms, amount: priced.amount }, price: priced.price };
}

/** The average learns from what settled, on the day of the transaction's own time. */
async function learn(tx: Tx, row: TransactionRow, terms: SettlementTerms): Promise<void> {
  const features = await readFeatures(tx, row.account_id);
  const settled = applySettlement(features, {
    at: Number(row.t_micros),
    type: row.type,
    amountMinor: terms.amount,
  });
  await storeFeatures(tx, row.account_id, settled);
}

import type { AccountOwner } from '../db/account-owners.ts';
import { readFeatures, storeFeatures } from '../db/account-state.ts';
import type { AuditEvent } from '../db/audit.ts';
import { resolveIncidentFor } from '../db/incidents.ts';
import { endReservation, postSettlement, settlementRefusal } from '../db/ledger.ts';
import { quoteFor } from '../db/prices.ts';
import type { Tx } from '../db/sql.ts';
import { areTermsUnchanged, reportAlteredTerms } from '../db/step-up-terms.ts';
import {
  type BaseValue,
  markPaymentRequired,
  markRejected,
  markSettled,
  storedTerms,
  type TransactionRow,
} from '../db/transactions.ts';
import { formatRate } from '../domain/exchange.ts';
import type { SettlementTerms } from '../domain/ledger.ts';
import { outgrewConfirmation, outgrewControls, priceOrder } from '../domain/quote.ts';
import { settleOnAccount } from '../domain/risk/account-state.ts';
import { isAppealable, isTrade, type RejectionCode } from '../domain/transaction.ts';
import type { ExceededLimit } from '../domain/transaction-view.ts';
import type { FollowUps, TransactionSettings } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { createTransactionLetters } from './transaction-letters.ts';
import { createTransactionLimits } from './transaction-limits.ts';
import { storedValue, valueNow } from './transaction-value.ts';

/** Ends that come while nobody looks, of transactions that were not held. */
const WRITTEN_ABOUT: ReadonlySet<RejectionCode> = new Set([
  'step_up_failed',
  'step_up_expired',
  'payment_expired',
  'payment_failed',
  'payment_mismatch',
]);

/** What settling means now. */
interface CurrentTerms {
  terms: SettlementTerms;
  price: bigint | null;
  /** In the base currency. */
  base: bigint;
  value: BaseValue;
}

/** Why an end is none that settles; with `limit` where that is the reason. */
interface Refused {
  code: RejectionCode;
  limit?: ExceededLimit;
}

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
  const limits = createTransactionLimits(deps);

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
    limit: ExceededLimit | null = null,
  ): Promise<Ending> {
    await endReservation(tx, row.id, 'released');
    await limits.recount(tx, row, 0n);
    await markRejected(tx, row.id, code, limit);
    const action = code === 'cancelled' ? 'transaction.cancelled' : 'transaction.rejected';
    await record(tx, row, actor, action, { code, ...(limit === null ? {} : { limit }) });
    await tellOwner(tx, row, owner, code);
    return closeHold(tx, row, `rejected: ${code}`, actor);
  }

  /** Whether it may proceed at today's price, rate and limits. */
  async function permitted(tx: Tx, row: TransactionRow, owner: AccountOwner): Promise<CurrentTerms | Refused> {
    const current = await currentTerms(tx, row);
    if ('code' in current) return current;
    const limit = await limits.exceededNow(tx, row, owner, current.base);
    return limit === null ? current : { code: 'limit_exceeded', limit };
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
    const current = await permitted(tx, row, owner);
    if ('code' in current) return reject(tx, row, owner, current.code, actor, current.limit);
    const { paymentTimeoutMs } = row.settings as TransactionSettings;
    await limits.recount(tx, row, current.base);
    await markPaymentRequired(tx, row.id, { timeoutMs: paymentTimeoutMs, ...current.value });
    await record(tx, row, actor, 'transaction.payment_required', {});
    if (row.held_at !== null) await letters.toBePaid(tx, owner, row);
    return closeHold(tx, row, 'approved; the deposit waits for its payment', actor);
  }

  /**
   * Settles at today's terms. What was true when it was decided may have changed since: restriction, balance, price, rate
   * and limits are asked again, and a no rejects with its code.
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
    const current = isPaid ? decidedTerms(row) : await permitted(tx, row, owner);
    if ('code' in current) return reject(tx, row, owner, current.code, actor, current.limit);
    const { terms, price, base, value } = current;
    const refusal = await settlementRefusal(tx, row.id, terms);
    if (refusal !== null) return reject(tx, row, owner, refusal, actor);

    await endReservation(tx, row.id, 'consumed');
    await postSettlement(tx, row.id, terms);
    const amount = terms.amount.toString();
    await markSettled(tx, row.id, { price: price?.toString() ?? null, amount, ...value });
    await limits.recount(tx, row, base);
    await learn(tx, row, base);
    await record(tx, row, actor, 'transaction.settled', {
      amount,
      currency: row.currency,
      ...(value.rate === null ? {} : { baseAmount: value.base_amount, exchangeRate: formatRate(BigInt(value.rate)) }),
    });
    await tellOwner(tx, { ...row, amount }, owner, null);
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

/** The terms as they were decided: what a provider was asked for and has taken is booked as it was let through. */
function decidedTerms(row: TransactionRow): CurrentTerms {
  const { base_amount, rate, rate_at } = row;
  return {
    terms: storedTerms(row),
    price: null,
    base: BigInt(base_amount ?? 0),
    value: { base_amount, rate, rate_at },
  };
}

/** What settling means now; a code when price or rate are against it. */
async function currentTerms(tx: Tx, row: TransactionRow): Promise<CurrentTerms | Refused> {
  const priced = await pricedTerms(tx, row);
  if (typeof priced === 'string') return { code: priced };
  const settings = row.settings as TransactionSettings;
  const { terms } = priced;
  const value = await valueNow(tx, { amount: terms.amount, currency: row.currency, virtual: row.virtual }, settings);
  if (value === 'amount_too_large') return { code: value };
  // A reviewer may let a rate pass that is old. Without any, nobody can say what the amount is.
  if (value.amount === null) return { code: 'rate_unavailable' };
  if (outgrew(row, value.amount)) return { code: value.standing === 'base' ? 'price_limit' : 'rate_moved' };
  return { ...priced, base: value.amount, value: storedValue(value) };
}

/** The terms at today's price; a code when there is none that may be taken. */
async function pricedTerms(
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
  const limit = { type: row.type, priceLimit: row.price_limit === null ? null : BigInt(row.price_limit) };
  if (row.challenge_hash !== null && outgrewConfirmation(limit, decided, priced.amount)) return 'price_limit';
  return { terms: { ...terms, amount: priced.amount }, price: priced.price };
}

/**
 * Whether price or rate carried it over a threshold that its decision had not to meet. An amount that nobody knew asked
 * for no step-up, and for both reviewers.
 */
function outgrew(row: TransactionRow, now: bigint): boolean {
  const { stepUpAmountMinor, secondApprovalAboveMinor } = row.settings as TransactionSettings;
  const hadBoth = row.required_approvals > 1;
  return outgrewControls(BigInt(row.base_amount ?? 0), now, {
    stepUpAbove: BigInt(stepUpAmountMinor),
    secondApprovalAbove: hadBoth || secondApprovalAboveMinor === null ? null : BigInt(secondApprovalAboveMinor),
  });
}

/** The average learns from what settled, on the day of the transaction's own time. */
async function learn(tx: Tx, row: TransactionRow, amountMinor: bigint): Promise<void> {
  const features = await readFeatures(tx, row.account_id);
  const settled = settleOnAccount(features, {
    at: Number(row.t_micros),
    type: row.type,
    amountMinor,
  });
  await storeFeatures(tx, row.account_id, settled);
}

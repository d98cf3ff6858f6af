import type { LimitGroup, LimitWindow } from './limits.ts';
import type { FactorMethod } from './login.ts';
import { isAppealable, type TransactionStatus, type TransactionType } from './transaction.ts';

/** What a client sees of a transaction. Amounts are decimal strings, times RFC 3339 UTC. Risk is for staff alone. */
export interface TransactionView {
  transactionId: string;
  type: TransactionType;
  /** Null for a rejected trade that never got a price. */
  amount: string | null;
  currency: string;
  status: TransactionStatus;
  code?: string;
  methods?: FactorMethod[];
  expiresAt?: string;
  reviewBy?: string;
  /** Until when a deposit may be paid. */
  payBy?: string;
  /** With `limit_exceeded`: which limit, and the most that it would have let through. */
  limit?: ExceededLimit;
  createdAt: string;
}

/** A limit that refused a transaction, in the base currency. */
export interface ExceededLimit {
  group: LimitGroup;
  window: LimitWindow;
  limit: string;
  left: string;
  currency: string;
}

/**
 * What the customer can do now, in a sentence. It depends on the state alone: why a decision was made is for staff, and
 * would tell a thief what to avoid.
 */
export function nextStepOf(
  view: Pick<TransactionView, 'status' | 'code' | 'expiresAt' | 'reviewBy' | 'payBy'>,
): string {
  switch (view.status) {
    case 'settled':
      return 'It is done; there is nothing to do.';
    case 'step_up_required':
      return `Confirm it with one of the methods by ${view.expiresAt ?? 'the end of its time'}, or cancel it.`;
    case 'quarantined':
      return `It is under review: wait until ${view.reviewBy ?? 'the end of the review'}, or cancel it. You will get a letter.`;
    case 'payment_required':
      return `Pay it by ${view.payBy ?? 'the end of its time'}, or cancel it.`;
    case 'rejected':
      return isAppealable(view.status, view.code ?? null)
        ? 'Nothing was moved. You may appeal once, or contact support.'
        : 'Nothing was moved. Ask again under a new key, or contact support.';
  }
}

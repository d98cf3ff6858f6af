import type { LimitGroup, LimitWindow } from './limits.ts';
import type { FactorMethod } from './login.ts';
import type { TransactionStatus, TransactionType } from './transaction.ts';

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

import { DomainError } from './errors.ts';

export const TRANSACTION_TYPES = ['buy', 'sell', 'deposit', 'withdrawal', 'transfer'] as const;
export type TransactionType = (typeof TRANSACTION_TYPES)[number];

/**
 * `settled` and `rejected` are final, but for a rejection by review that its owner appeals against once (see
 * {@link isAppealable}). `step_up_required` and `quarantined` hold reserved funds until they end;
 * `payment_required` is a deposit that was let through and waits for its money.
 */
export const TRANSACTION_STATUSES = [
  'settled',
  'step_up_required',
  'quarantined',
  'payment_required',
  'rejected',
] as const;
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

/** Why a transaction was rejected. */
export const REJECTION_CODES = [
  'insufficient_funds',
  'step_up_failed',
  'step_up_expired',
  'review_rejected',
  'review_expired',
  'cancelled',
  'instrument_unknown',
  'price_stale',
  'price_limit',
  'currency_unsupported',
  'counterparty_unknown',
  'amount_mismatch',
  'amount_too_small',
  'amount_too_large',
  'account_restricted',
  'payment_failed',
  'payment_expired',
  'payment_mismatch',
  'amount_not_payable',
  'rate_unavailable',
  'rate_moved',
  'limit_exceeded',
] as const;
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** Spelling of a category; a transaction without one has {@link DEFAULT_CATEGORY}. */
export const CATEGORY_PATTERN = /^[a-z0-9_]{1,40}$/;
export const DEFAULT_CATEGORY = 'other';

const NEXT: Readonly<Record<TransactionStatus, readonly TransactionStatus[]>> = {
  step_up_required: ['settled', 'quarantined', 'payment_required', 'rejected'],
  quarantined: ['settled', 'payment_required', 'rejected'],
  payment_required: ['settled', 'rejected'],
  settled: [],
  rejected: ['quarantined'],
};

const FINAL: ReadonlySet<TransactionStatus> = new Set(['settled', 'rejected']);

/** True when the transaction has come to its end: nothing waits for it, and only an appeal may open it again. */
export function isFinal(status: TransactionStatus): boolean {
  return FINAL.has(status);
}

/** True when a transaction in `from` may become `to`. */
export function canBecome(from: TransactionStatus, to: TransactionStatus): boolean {
  return NEXT[from].includes(to);
}

/** Throws `illegal_transition` unless a transaction in `from` may become `to`. */
export function assertCanBecome(from: TransactionStatus, to: TransactionStatus): void {
  if (!canBecome(from, to)) throw new DomainError('illegal_transition', `A ${from} transaction cannot become ${to}.`);
}

/** The owner may cancel while the transaction is held, waits for a factor or for its payment. */
export function isCancellable(status: TransactionStatus): boolean {
  return !isFinal(status);
}

/** Rejections that their owner may appeal against: a reviewer's, and that of a hold that nobody decided. */
export const APPEALABLE_CODES = ['review_rejected', 'review_expired'] as const satisfies readonly RejectionCode[];

/** True for a rejection by review. Whether there was an appeal before, and whether there is still time, is asked apart. */
export function isAppealable(status: TransactionStatus, code: string | null): boolean {
  return status === 'rejected' && (APPEALABLE_CODES as readonly (string | null)[]).includes(code);
}

/** Buys and sells name an instrument and a quantity. */
export function isTrade(type: TransactionType): boolean {
  return type === 'buy' || type === 'sell';
}

/** What has to be set aside while the transaction is undecided. */
export function reserves(type: TransactionType): 'cash' | 'position' | 'nothing' {
  switch (type) {
    case 'buy':
    case 'withdrawal':
    case 'transfer':
      return 'cash';
    case 'sell':
      return 'position';
    case 'deposit':
      return 'nothing';
  }
}

import type { RejectionCode } from '../../domain/transaction.ts';
import type { Body } from '../calls.ts';
import { moneyText, quantityText } from '../parts/money.tsx';

export type Details = Body<'getTransaction'>;

/** Why nothing was moved, for each code that a transaction can be rejected with. */
const REJECTIONS: Readonly<Record<RejectionCode, string>> = {
  insufficient_funds: 'The account does not hold enough that is free.',
  step_up_failed: 'The confirmation failed too often.',
  step_up_expired: 'It was not confirmed in time.',
  review_rejected: 'A reviewer decided against it.',
  review_expired: 'Nobody approved it in time.',
  cancelled: 'You cancelled it.',
  instrument_unknown: 'This instrument is not traded here.',
  price_stale: 'There is no current price of this instrument.',
  price_limit: 'The market price is beyond your limit.',
  currency_unsupported: 'This currency is not known here, or the instrument is traded in another one.',
  counterparty_unknown: 'There is no such account to transfer to.',
  amount_mismatch: 'The amount is not quantity times price.',
  amount_too_small: 'Quantity times price rounds to zero.',
  amount_too_large: 'The amount, or what the account would hold then, is too large.',
  account_restricted: 'The account is restricted.',
  payment_failed: 'The payment was cancelled.',
  payment_expired: 'It was not paid in time.',
  payment_mismatch: 'What was paid is not what was asked for. Contact support.',
  amount_not_payable: 'Card payments take amounts of this currency with a last digit of zero.',
  rate_unavailable: 'There is no exchange rate for this currency.',
  rate_moved: 'Price or exchange rate moved it above an amount that needs more confirmation. Ask again.',
  limit_exceeded: 'It is beyond one of your limits.',
};

/** `withdrawal of 900.00 USD`, `buy of 2.5 ACME`. */
export function whatText({ type, amount, currency, instrument, quantity }: Details): string {
  return instrument === null
    ? `${type} of ${moneyText(amount, currency)}`
    : `${type} of ${quantityText(quantity)} ${instrument}`;
}

/** The same as a title. */
export function titleText(details: Details): string {
  const text = whatText(details);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** In a sentence, why a transaction was rejected. */
export function rejectionText({ code, limit }: Pick<Details, 'code' | 'limit'>): string {
  if (limit !== undefined) {
    return `Your limit is ${moneyText(limit.limit, limit.currency)} ${WINDOWS[limit.window]}; ${moneyText(limit.left, limit.currency)} were left.`;
  }
  return REJECTIONS[code as RejectionCode] ?? 'It was rejected.';
}

type Limits = Body<'getLimits'>['limits'][number];

export const GROUPS: Readonly<Record<Limits['group'], string>> = {
  money_out: 'Withdrawals and transfers',
  deposit: 'Deposits',
  trade: 'Buys and sells',
};

export const WINDOWS: Readonly<Record<Limits['window'], string>> = {
  per_transaction: 'for one transaction',
  rolling_24h: 'in 24 hours',
  rolling_30d: 'in 30 days',
};

/** Nothing has been decided for good: it may change by itself. */
export const isOpen = ({ status }: Pick<Details, 'status'>): boolean => status !== 'settled' && status !== 'rejected';

/** Customers have no live events: what is open is read again this often while somebody looks at it. */
export const REFRESH_MS = 5_000;

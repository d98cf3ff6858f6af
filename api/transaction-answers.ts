import { z } from 'zod';
import type { TransactionRow } from '../db/transactions.ts';
import { DomainError, ERROR_MEANINGS, type ErrorCode } from '../domain/errors.ts';
import type { LimitGroup, LimitWindow } from '../domain/limits.ts';
import type { ExceededLimit } from '../domain/transaction-view.ts';
import type { TransactionView } from '../workflows/contract.ts';
import { factorMethod, limitGroup, limitWindow, transactionStatus, transactionType } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import { problemReply } from './problem.ts';
import type { Reply } from './route.ts';

export const exceededLimit = z.object({
  group: limitGroup,
  window: limitWindow,
  limit: z.string(),
  left: z.string(),
  currency: z.string(),
});

export const transactionViewSchema = z.object({
  transactionId: z.uuid(),
  type: transactionType,
  amount: z.string().nullable(),
  currency: z.string(),
  status: transactionStatus,
  code: z.string().optional(),
  methods: z.array(factorMethod).optional(),
  expiresAt: z.iso.datetime().optional(),
  reviewBy: z.iso.datetime().optional(),
  limit: exceededLimit
    .optional()
    .describe('With limit_exceeded: the limit in the base currency, and the most that it would have let through'),
  payBy: z.iso.datetime().optional().describe('Until when a deposit may be paid'),
  createdAt: z.iso.datetime(),
});

export const transactionDetailsSchema = transactionViewSchema.extend({
  nextStep: z.string().describe('What you can do now'),
  instrument: z.string().nullable(),
  quantity: z.string().nullable(),
  priceLimit: z.string().nullable(),
  price: z.string().nullable(),
  baseAmount: z.string().nullable().describe('In the base currency; null while there is no exchange rate'),
  baseCurrency: z.string(),
  exchangeRate: z.string().nullable().describe('Units of the base currency for one unit; null for the base itself'),
  ratedAt: z.iso.datetime().nullable(),
  category: z.string(),
  counterparty: z.string().nullable(),
  finishedAt: z.iso.datetime().nullable(),
  appealBy: z.iso.datetime().optional().describe('Until when a rejection by review can be appealed against'),
});
nameSchemas({
  ExceededLimit: exceededLimit,
  Transaction: transactionViewSchema,
  TransactionDetail: transactionDetailsSchema,
});

/** In words, for each code a transaction can be rejected with. */
const REJECTIONS: Readonly<Record<string, string>> = {
  insufficient_funds: 'The account does not hold enough that is free.',
  step_up_failed: 'The confirmation failed too often; nothing was moved.',
  step_up_expired: 'It was not confirmed in time; nothing was moved.',
  review_rejected: 'A reviewer decided against it; nothing was moved.',
  review_expired: 'Nobody approved it in time; nothing was moved.',
  cancelled: 'It was cancelled; nothing was moved.',
  instrument_unknown: 'This instrument is not traded here.',
  price_stale: 'There is no current price of this instrument.',
  price_limit: 'The market price is beyond the limit.',
  currency_unsupported: 'This currency is not known here, or the instrument is traded in another one.',
  counterparty_unknown: 'There is no such account to transfer to.',
  amount_mismatch: 'The amount is not quantity times price. Leave it out, or correct it.',
  amount_too_small: 'Quantity times price rounds to zero.',
  amount_too_large: 'The amount, or what the account would hold then, is too large.',
  account_restricted: 'The account is restricted.',
  payment_failed: 'The payment was cancelled; nothing was booked.',
  payment_expired: 'It was not paid in time; nothing was booked.',
  amount_not_payable: 'Card payments take amounts of this currency with a last digit of zero. Round the amount.',
  rate_unavailable: 'There is no exchange rate for this currency; nothing was moved.',
  rate_moved:
    'Price or exchange rate moved it above an amount that needs more confirmation; nothing was moved. Ask again.',
  payment_mismatch: 'What was paid is not what was asked for; nothing was booked. Contact support.',
};

/** A rejected transaction as a problem document; the same for every repeat, so it quotes the first request. */
export function rejectionReply(view: TransactionView, requestId: string): Reply {
  const code = isErrorCode(view.code) ? view.code : 'insufficient_funds';
  const { transactionId, limit } = view;
  const detail = limit === undefined ? (REJECTIONS[code] ?? 'The transaction was rejected.') : limitDetail(limit);
  const reply = problemReply(
    new DomainError(code, detail, { transactionId, ...(limit === undefined ? {} : { limit }) }),
    requestId,
  );
  // A restriction that came up after the request was accepted rejects it like every other reason.
  const body = { ...(reply.body as Record<string, unknown>), status: 422, title: 'Unprocessable Entity' };
  return { ...reply, status: 422, body };
}

const GROUP_NAMES: Readonly<Record<LimitGroup, string>> = {
  money_out: 'withdrawals and transfers',
  deposit: 'deposits',
  trade: 'buys and sells',
};
const WINDOW_NAMES: Readonly<Record<LimitWindow, string>> = {
  per_transaction: 'for one',
  rolling_24h: 'within 24 hours',
  rolling_30d: 'within 30 days',
};

function limitDetail({ group, window, limit, left, currency }: ExceededLimit): string {
  return `Your limit on ${GROUP_NAMES[group]} is ${limit} ${currency} ${WINDOW_NAMES[window]}; ${left} ${currency} are left.`;
}

/** The answer to `POST /api/transactions` for a stored decision. */
export function decisionReply(
  decided: { httpStatus: number; body: TransactionView; requestId: string },
  replayed: boolean,
): Reply {
  const reply: Reply =
    decided.body.status === 'rejected'
      ? rejectionReply(decided.body, decided.requestId)
      : { status: decided.httpStatus, body: decided.body };
  return replayed ? { ...reply, headers: { ...reply.headers, 'Idempotency-Replayed': 'true' } } : reply;
}

/** Why a transaction takes no factor (any more). */
export function notAwaitingFactor(row: Pick<TransactionRow, 'status' | 'code'>): DomainError {
  if (row.code === 'step_up_expired') {
    return new DomainError('factor_expired', 'The time to confirm this transaction is over.');
  }
  return new DomainError('not_awaiting_factor', `The transaction waits for no factor: it is ${row.status}.`);
}

/** The row is not the one whose terms were shown. */
export function termsChanged(): DomainError {
  return new DomainError(
    'terms_changed',
    'This is not what you were asked to confirm. Nothing was moved; ask for it anew.',
  );
}

export function transactionNotFound(): DomainError {
  return new DomainError('not_found', 'You have no transaction with this id.');
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERROR_MEANINGS, code);
}

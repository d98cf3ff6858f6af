import { createHash } from 'node:crypto';
import { z } from 'zod';
import { displayExponent } from '../db/transactions.ts';
import { isDomainError } from '../domain/errors.ts';
import { PRICE_EXPONENT, parseAmount, parsePrice, parseQuantity } from '../domain/money.ts';
import { CATEGORY_PATTERN, DEFAULT_CATEGORY, isTrade } from '../domain/transaction.ts';
import { canonicalJson } from '../security/canonical-json.ts';
import type { TransactionRequest } from '../workflows/contract.ts';
import { transactionType } from './enumerations.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A decimal string; its digits are judged where the currency is known. */
const decimal = z.string().max(24);

const shape = z.strictObject({
  type: transactionType,
  instrument: z
    .string()
    .regex(/^[A-Z0-9.]{1,12}$/, 'an instrument is 1 to 12 of A-Z, 0-9 and .')
    .optional()
    .describe('What a buy or sell is about'),
  quantity: decimal.optional().describe('Units of the instrument, up to 6 fraction digits'),
  price: decimal.optional().describe('The worst price a buy or sell accepts; it settles at the market price'),
  amount: decimal.optional().describe('May be left out for a buy or sell, where it is quantity x price'),
  currency: z.string().regex(/^[A-Z]{3}$/, 'a currency is three letters (ISO 4217)'),
  category: z.string().regex(CATEGORY_PATTERN, 'a category is 1 to 40 of a-z, 0-9 and _').default(DEFAULT_CATEGORY),
  counterparty: textInput(1, 64)
    .optional()
    .describe("A transfer's recipient: their account id, as GET /api/portfolio shows it to them"),
});

type Issue = [field: keyof z.output<typeof shape>, message: string];

/** The body of `POST /api/transactions`. Which members belong together depends on the type. */
export const transactionBody = shape
  .superRefine((body, ctx) => {
    for (const [field, message] of [...membersOf(body), ...numbersOf(body)]) {
      ctx.addIssue({ code: 'custom', path: [field], message });
    }
  })
  .meta({
    examples: [
      { type: 'deposit', amount: '250.00', currency: 'USD' },
      { type: 'buy', instrument: 'ACME', quantity: '2', currency: 'USD' },
    ],
  });
nameSchemas({ TransactionOrder: transactionBody });
export type TransactionBody = z.output<typeof transactionBody>;

function membersOf(body: z.output<typeof shape>): Issue[] {
  const issues: Issue[] = [];
  const trade = isTrade(body.type);
  for (const field of ['instrument', 'quantity'] as const) {
    if (trade && body[field] === undefined) issues.push([field, `a ${body.type} needs it`]);
  }
  for (const field of ['instrument', 'quantity', 'price'] as const) {
    if (!trade && body[field] !== undefined) issues.push([field, `a ${body.type} has none`]);
  }
  if (!trade && body.amount === undefined) issues.push(['amount', `a ${body.type} needs it`]);
  if (body.type === 'transfer' && (body.counterparty === undefined || !UUID.test(body.counterparty.toLowerCase()))) {
    issues.push(['counterparty', "a transfer needs the recipient's account id"]);
  }
  return issues;
}

function numbersOf(body: z.output<typeof shape>): Issue[] {
  const exponent = displayExponent(body.currency);
  const wrong = (field: Issue[0], text: string | undefined, parse: (text: string) => unknown): Issue[] => {
    if (text === undefined) return [];
    try {
      parse(text);
      return [];
    } catch (error) {
      if (!isDomainError(error)) throw error;
      return [[field, error.detail]];
    }
  };
  return [
    ...wrong('amount', body.amount, (text) => parseAmount(text, exponent)),
    ...wrong('price', body.price, (text) => parseAmount(text, PRICE_EXPONENT)),
    ...wrong('quantity', body.quantity, parseQuantity),
  ];
}

/** Hex SHA-256 of the validated body in canonical form: spelling of the JSON does not matter, every value does. */
export function bodyHash(body: TransactionBody): string {
  return createHash('sha256')
    .update(canonicalJson(JSON.parse(JSON.stringify(body))))
    .digest('hex');
}

/** The body's part of a transaction request: integers as decimal digits, absent members null. */
export function requestedTerms(
  body: TransactionBody,
): Pick<
  TransactionRequest,
  'type' | 'instrument' | 'quantity' | 'priceLimit' | 'amount' | 'currency' | 'category' | 'counterparty' | 'bodyHash'
> {
  const exponent = displayExponent(body.currency);
  const digits = (text: string | undefined, parse: (text: string) => bigint) =>
    text === undefined ? null : parse(text).toString();
  return {
    type: body.type,
    instrument: body.instrument ?? null,
    quantity: digits(body.quantity, parseQuantity),
    priceLimit: digits(body.price, parsePrice),
    amount: digits(body.amount, (text) => parseAmount(text, exponent)),
    currency: body.currency,
    category: body.category,
    counterparty: (body.type === 'transfer' ? body.counterparty?.toLowerCase() : body.counterparty) ?? null,
    bodyHash: bodyHash(body),
  };
}

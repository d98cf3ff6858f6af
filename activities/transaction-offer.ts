import { settlementRefusal } from '../db/ledger.ts';
import { quoteFor } from '../db/prices.ts';
import { row, type Tx } from '../db/sql.ts';
import type { Valuation } from '../domain/exchange.ts';
import type { SettlementTerms } from '../domain/ledger.ts';
import { isCurrency } from '../domain/money.ts';
import { isPayable } from '../domain/payment.ts';
import { priceOrder } from '../domain/quote.ts';
import { isTrade, type RejectionCode } from '../domain/transaction.ts';
import type { TransactionInput, TransactionRequest, TransactionSettings } from '../workflows/contract.ts';
import { waitsForPayment } from './transaction-ending.ts';
import { valueNow } from './transaction-value.ts';

/** What the request comes to in money, and why it cannot be done if it cannot. */
export interface Offer {
  code: RejectionCode | null;
  terms: SettlementTerms | null;
  price: bigint | null;
  /** What it is in the base currency; null where it never got an amount. */
  value: Valuation | null;
}

/** Prices and values the request and asks whether it could be settled. The accounts are locked. */
export async function offerOf(
  tx: Tx,
  { request, settings, virtual }: Pick<TransactionInput, 'request' | 'settings' | 'virtual'>,
  recipient: string | null,
): Promise<Offer> {
  const rejected = (code: RejectionCode): Offer => ({ code, terms: null, price: null, value: null });
  if (!isCurrency(request.currency)) return rejected('currency_unsupported');
  if (request.type === 'transfer' && recipient === null) return rejected('counterparty_unknown');
  const priced = await amountOf(tx, request, settings);
  if (typeof priced === 'string') return rejected(priced);
  const terms: SettlementTerms = {
    type: request.type,
    accountId: request.accountId,
    counterpartyAccountId: recipient,
    currency: request.currency,
    amount: priced.amount,
    instrument: request.instrument,
    quantity: request.quantity === null ? null : BigInt(request.quantity),
  };
  const { currency } = request;
  const value = await valueNow(tx, { amount: priced.amount, currency, virtual }, settings);
  if (value === 'amount_too_large') return rejected(value);
  const toBePaid = waitsForPayment({ type: request.type, settings, virtual });
  const code =
    toBePaid && !isPayable(currency, priced.amount)
      ? 'amount_not_payable'
      : await settlementRefusal(tx, request.transactionId, terms);
  return { code, terms, price: priced.price, value };
}

async function amountOf(
  tx: Tx,
  request: TransactionRequest,
  settings: TransactionSettings,
): Promise<{ amount: bigint; price: bigint | null } | RejectionCode> {
  const stated = request.amount === null ? null : BigInt(request.amount);
  if (!isTrade(request.type)) return { amount: stated ?? 0n, price: null };
  const priced = priceOrder(
    {
      type: request.type === 'buy' ? 'buy' : 'sell',
      quantity: BigInt(request.quantity ?? 0),
      priceLimit: request.priceLimit === null ? null : BigInt(request.priceLimit),
      statedAmount: stated,
    },
    await quoteFor(tx, request.instrument ?? ''),
    { maxAgeMs: settings.priceMaxAgeMs, currency: request.currency },
  );
  return priced.ok ? priced : priced.code;
}

/** The account a transfer goes to; null where there is none, or it is the sender's own. */
export async function recipientOf(tx: Tx, request: TransactionRequest): Promise<string | null> {
  if (request.counterparty === null || request.counterparty === request.accountId) return null;
  const found = await row<{ id: string }>(tx, `select id from account where id = $1 and kind = 'customer'`, [
    request.counterparty,
  ]);
  return found?.id ?? null;
}

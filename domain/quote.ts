import { isDomainError } from './errors.ts';
import { currencyExponent, tradeAmount } from './money.ts';
import type { RejectionCode, TransactionType } from './transaction.ts';

/** What the price port knows of an instrument right now; `price` in currency units x 10^4, null before the first one. */
export interface Quote {
  readonly currency: string;
  readonly price: bigint | null;
  readonly ageMs: number;
}

export interface Order {
  readonly type: 'buy' | 'sell';
  /** Millionths of a unit. */
  readonly quantity: bigint;
  /** The worst price the client accepts; null accepts the market's. Never the price it is settled at. */
  readonly priceLimit: bigint | null;
  /** What the client thinks it comes to, minor units; null leaves it to us. */
  readonly statedAmount: bigint | null;
}

export type PricedOrder =
  | { readonly ok: true; readonly price: bigint; readonly amount: bigint }
  | { readonly ok: false; readonly code: RejectionCode };

/**
 * Prices an order by the market, half-even (see `multiplyHalfEven`). Unknown, stale, beyond the limit or in another
 * currency: refused. A stated amount must be quantity times the limit, or times the market's price.
 */
export function priceOrder(
  order: Order,
  quote: Quote | undefined,
  rules: { readonly maxAgeMs: number; readonly currency: string },
): PricedOrder {
  if (quote === undefined) return refuse('instrument_unknown');
  if (quote.currency !== rules.currency) return refuse('currency_unsupported');
  if (quote.price === null || quote.ageMs > rules.maxAgeMs) return refuse('price_stale');
  const { price } = quote;
  if (order.priceLimit !== null && (order.type === 'buy' ? price > order.priceLimit : price < order.priceLimit)) {
    return refuse('price_limit');
  }
  try {
    const exponent = currencyExponent(rules.currency);
    const amount = tradeAmount(order.quantity, price, exponent);
    const stated = order.statedAmount;
    const matches =
      stated === null ||
      stated === amount ||
      (order.priceLimit !== null && stated === tradeAmount(order.quantity, order.priceLimit, exponent));
    return matches ? { ok: true, price, amount } : refuse('amount_mismatch');
  } catch (error) {
    if (!isDomainError(error) || (error.code !== 'amount_too_small' && error.code !== 'amount_too_large')) throw error;
    return refuse(error.code);
  }
}

/** The amounts above which more is asked for: a step-up, and a second reviewer (null: never). Minor units. */
export interface AmountControls {
  readonly stepUpAbove: bigint;
  readonly secondApprovalAbove: bigint | null;
}

/**
 * True when the market carried an order over a threshold that its decision had not to meet. It must not settle then:
 * nobody was asked for the proof or the second pair of eyes that its amount needs now.
 */
export function outgrewControls(decided: bigint, now: bigint, controls: AmountControls): boolean {
  const crossed = (threshold: bigint) => decided <= threshold && now > threshold;
  return (
    crossed(controls.stepUpAbove) || (controls.secondApprovalAbove !== null && crossed(controls.secondApprovalAbove))
  );
}

/**
 * True when a buy has grown beyond what its owner confirmed with a factor. Their own price limit was among what they confirmed:
 * within it (`priceOrder` refuses what is beyond) the amount may follow the market.
 */
export function outgrewConfirmation(
  order: { readonly type: TransactionType; readonly priceLimit: bigint | null },
  confirmed: bigint,
  now: bigint,
): boolean {
  return order.type === 'buy' && order.priceLimit === null && now > confirmed;
}

function refuse(code: RejectionCode): PricedOrder {
  return { ok: false, code };
}

import { DomainError } from './errors.ts';
import { currencyExponent, divideHalfEven, formatAmount, MAX_INT64, parseAmount } from './money.ts';
import type { Reason } from './risk/reasons.ts';
import type { TransactionAction } from './risk/transaction-decision.ts';

/** A rate is an integer: units of the base currency for one unit of the other, times 10^10. */
export const RATE_EXPONENT = 10;

/** The rule that says that there was no current rate. */
export const RATE_RULE = 'exchange_rate';

/** A rate as it is recorded. */
export interface ExchangeRate {
  /** Units of the base currency for one unit of the other, times 10^10. */
  readonly rate: bigint;
  /** Its date, as exactly as it is stored. */
  readonly at: string;
  /** Milliseconds from its date to the moment that is asked about. */
  readonly ageMs: number;
}

/**
 * What an amount is in the base currency.
 * - `base`: it is in the base currency, no rate is needed;
 * - `current`: converted at a rate that is young enough to decide by;
 * - `stale`: converted at the newest rate, which is too old to decide by;
 * - `none`: there is no rate, so nothing is known.
 */
export type Valuation =
  | { readonly standing: 'base'; readonly amount: bigint; readonly rate: null }
  | { readonly standing: 'current' | 'stale'; readonly amount: bigint; readonly rate: ExchangeRate }
  | { readonly standing: 'none'; readonly amount: null; readonly rate: null };

/** Ten-billionths of a rate. Throws `amount_invalid` unless it is a decimal above zero with up to 10 fraction digits. */
export function parseRate(text: string): bigint {
  return parseAmount(text, RATE_EXPONENT);
}

/** Decimal string of a rate in ten-billionths. */
export function formatRate(rate: bigint): string {
  return formatAmount(rate, RATE_EXPONENT);
}

/**
 * Minor units of `to` that an amount of minor units of `from` comes to, rounded half to even: over many amounts it neither
 * gains nor loses. May be zero. Throws `amount_too_large` above 64 bits and RangeError for a negative operand.
 */
export function convert(amount: bigint, rate: bigint, from: string, to: string): bigint {
  const scale = 10n ** BigInt(currencyExponent(to));
  const minor = divideHalfEven(amount * rate * scale, 10n ** BigInt(RATE_EXPONENT + currencyExponent(from)));
  if (minor > MAX_INT64) throw new DomainError('amount_too_large', 'The amount in the base currency is too large.');
  return minor;
}

/**
 * Values an amount of minor units of `currency` in the base currency.
 * @param found the newest rate in force, if there is one; not looked at where the currency is the base
 * @throws DomainError `amount_too_large` as {@link convert}
 */
export function valueInBase(
  amount: bigint,
  currency: string,
  found: ExchangeRate | undefined,
  rules: { readonly baseCurrency: string; readonly maxAgeMs: number },
): Valuation {
  if (currency === rules.baseCurrency) return { standing: 'base', amount, rate: null };
  if (found === undefined) return { standing: 'none', amount: null, rate: null };
  return {
    standing: found.ageMs > rules.maxAgeMs ? 'stale' : 'current',
    amount: convert(amount, found.rate, currency, rules.baseCurrency),
    rate: found,
  };
}

/** True where the amount is known well enough to decide by it without a person. */
export function isCertain(value: Valuation): value is Valuation & { amount: bigint } {
  return value.standing === 'base' || value.standing === 'current';
}

/**
 * What a decision becomes where the amount is not certain: a reviewer has to look. Whoever would have had to prove
 * themselves still has to, before the hold.
 */
export function heldWithoutRate(action: TransactionAction, value: Valuation): TransactionAction {
  if (isCertain(value)) return action;
  return action === 'settle' || action === 'quarantine' ? 'quarantine' : 'step_up_then_quarantine';
}

/** The reason that goes with {@link heldWithoutRate}; none where the amount is certain. Ages are in seconds. */
export function rateReasons(value: Valuation, currency: string, maxAgeMs: number): Reason[] {
  if (isCertain(value)) return [];
  return [
    {
      ruleId: RATE_RULE,
      title: `No current ${currency} exchange rate (seconds since the newest)`,
      value: value.rate === null ? 'none' : Math.floor(value.rate.ageMs / 1000),
      baseline: null,
      threshold: Math.floor(maxAgeMs / 1000),
      points: 0,
      note: 'error',
    },
  ];
}

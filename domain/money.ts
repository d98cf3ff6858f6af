import { DomainError } from './errors.ts';

/**
 * Money is a bigint of minor units (cents for USD), never a float. Instrument prices carry four fraction digits and
 * quantities six, whatever the currency.
 */
export const PRICE_EXPONENT = 4;
export const QUANTITY_EXPONENT = 6;

/** The largest value a signed 64-bit column (PostgreSQL bigint) holds. */
export const MAX_INT64 = 9_223_372_036_854_775_807n;

/** Minor-unit exponents of the currencies we know, from ISO 4217. What is not here is refused. */
export const CURRENCY_EXPONENTS = {
  USD: 2,
  EUR: 2,
  GBP: 2,
  CHF: 2,
  CAD: 2,
  AUD: 2,
  NZD: 2,
  SEK: 2,
  NOK: 2,
  DKK: 2,
  PLN: 2,
  CZK: 2,
  HUF: 2,
  RON: 2,
  BGN: 2,
  TRY: 2,
  UAH: 2,
  ILS: 2,
  SGD: 2,
  HKD: 2,
  CNY: 2,
  TWD: 2,
  INR: 2,
  IDR: 2,
  MYR: 2,
  PHP: 2,
  THB: 2,
  PKR: 2,
  BDT: 2,
  LKR: 2,
  AED: 2,
  SAR: 2,
  QAR: 2,
  EGP: 2,
  MAD: 2,
  ZAR: 2,
  NGN: 2,
  KES: 2,
  GHS: 2,
  BRL: 2,
  MXN: 2,
  ARS: 2,
  COP: 2,
  PEN: 2,
  UYU: 2,
  DOP: 2,
  CRC: 2,
  GTQ: 2,
  KZT: 2,
  GEL: 2,
  JPY: 0,
  KRW: 0,
  VND: 0,
  CLP: 0,
  PYG: 0,
  ISK: 0,
  UGX: 0,
  RWF: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  KWD: 3,
  JOD: 3,
  OMR: 3,
  TND: 3,
} as const satisfies Record<string, number>;

export type Currency = keyof typeof CURRENCY_EXPONENTS;

/** True for a currency code whose exponent we know; matching is exact (upper case). */
export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(CURRENCY_EXPONENTS, code);
}

/** Fraction digits of a currency. Throws `currency_unsupported` for an unknown code. */
export function currencyExponent(code: string): number {
  if (!isCurrency(code)) throw new DomainError('currency_unsupported', 'This currency is not supported.');
  return CURRENCY_EXPONENTS[code];
}

/** The accepted spelling of an amount: up to 15 integer digits, up to `exponent` fraction digits, no sign, no padding. */
export function amountPattern(exponent: number): RegExp {
  return exponent === 0 ? /^(0|[1-9]\d{0,14})$/ : new RegExp(`^(0|[1-9]\\d{0,14})(\\.\\d{1,${exponent}})?$`);
}

/** The accepted spelling of a quantity: up to 12 integer and up to 6 fraction digits. */
export const QUANTITY_PATTERN = /^(0|[1-9]\d{0,11})(\.\d{1,6})?$/;

/**
 * Minor units of a decimal string, exactly.
 * Throws `amount_invalid` unless the text matches {@link amountPattern}, is above zero and fits 64 bits.
 */
export function parseAmount(text: string, exponent: number): bigint {
  if (!amountPattern(exponent).test(text)) {
    throw new DomainError('amount_invalid', `An amount is a decimal string with up to ${exponent} fraction digits.`);
  }
  const minor = scaledInteger(text, exponent);
  if (minor <= 0n) throw new DomainError('amount_invalid', 'An amount must be above zero.');
  if (minor > MAX_INT64) throw new DomainError('amount_invalid', 'The amount is too large.');
  return minor;
}

/** Ten-thousandths of a price per unit. Throws `amount_invalid` as {@link parseAmount}. */
export function parsePrice(text: string): bigint {
  return parseAmount(text, PRICE_EXPONENT);
}

/** Millionths of a unit. Throws `quantity_invalid` unless the text matches {@link QUANTITY_PATTERN} and is above zero. */
export function parseQuantity(text: string): bigint {
  if (!QUANTITY_PATTERN.test(text)) {
    throw new DomainError('quantity_invalid', 'A quantity is a decimal string with up to 6 fraction digits.');
  }
  const micro = scaledInteger(text, QUANTITY_EXPONENT);
  if (micro <= 0n) throw new DomainError('quantity_invalid', 'A quantity must be above zero.');
  return micro;
}

/** Decimal string of minor units with exactly `exponent` fraction digits; negative balances keep their sign. */
export function formatAmount(minor: bigint, exponent: number): string {
  const sign = minor < 0n ? '-' : '';
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0');
  return exponent === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** Decimal string of a price in ten-thousandths. */
export function formatPrice(price: bigint): string {
  return formatAmount(price, PRICE_EXPONENT);
}

/** Decimal string of a quantity in millionths. */
export function formatQuantity(quantity: bigint): string {
  return formatAmount(quantity, QUANTITY_EXPONENT);
}

/**
 * Quantity (millionths) times price (ten-thousandths) in minor units of a currency with `exponent` fraction digits,
 * rounded half to even so that many small trades do not drift to one side. May be zero.
 * Throws `amount_too_large` above 64 bits and RangeError for a negative operand.
 */
export function multiplyHalfEven(quantity: bigint, price: bigint, exponent: number): bigint {
  if (quantity < 0n || price < 0n) throw new RangeError('quantity and price are not negative');
  const minor = divideHalfEven(quantity * price, 10n ** BigInt(QUANTITY_EXPONENT + PRICE_EXPONENT - exponent));
  if (minor > MAX_INT64) throw new DomainError('amount_too_large', 'Quantity times price is too large.');
  return minor;
}

/** `dividend / divisor`, rounded half to even. Throws RangeError for a negative dividend or a divisor that is not positive. */
export function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  if (dividend < 0n || divisor <= 0n) throw new RangeError('a dividend is not negative and a divisor is positive');
  const quotient = dividend / divisor;
  const twiceRemainder = (dividend % divisor) * 2n;
  const roundUp = twiceRemainder > divisor || (twiceRemainder === divisor && quotient % 2n === 1n);
  return roundUp ? quotient + 1n : quotient;
}

/**
 * What a trade costs, in minor units: {@link multiplyHalfEven}, refused with `amount_too_small` when it rounds to
 * nothing, since a trade that moves shares for no money would break the ledger's meaning.
 */
export function tradeAmount(quantity: bigint, price: bigint, exponent: number): bigint {
  const minor = multiplyHalfEven(quantity, price, exponent);
  if (minor === 0n) throw new DomainError('amount_too_small', 'Quantity times price rounds to zero.');
  return minor;
}

/**
 * Compares `amount` with `multiple` times the average `sum / count` without dividing:
 * -1 below, 0 exactly equal, 1 above. Throws RangeError for an empty average.
 */
export function compareWithAverage(amount: bigint, multiple: bigint, sum: bigint, count: number): -1 | 0 | 1 {
  if (count <= 0) throw new RangeError('an average needs at least one value');
  const left = amount * BigInt(count);
  const right = multiple * sum;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The integer `text` times ten to the `exponent`; the text has been matched before. */
function scaledInteger(text: string, exponent: number): bigint {
  const [integer = '', fraction = ''] = text.split('.');
  return BigInt(integer + fraction.padEnd(exponent, '0'));
}

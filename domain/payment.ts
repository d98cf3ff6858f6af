/** Where a payment stands at the payment provider. `open` waits for the payer, `processing` for their bank. */
export const PAYMENT_STATES = ['open', 'processing', 'succeeded', 'canceled'] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

/** A payment as the provider tells it. Amounts are minor units as decimal digits, since JSON has no bigint. */
export interface Payment {
  readonly paymentId: string;
  readonly state: PaymentState;
  readonly amountMinor: string;
  readonly receivedMinor: string;
  /** ISO 4217, upper case. */
  readonly currency: string;
  /** The deposit it was made for, as the provider was told; null for a payment that is not ours. */
  readonly transactionId: string | null;
}

/** What a deposit is waiting to be paid. */
export interface ExpectedPayment {
  readonly transactionId: string;
  readonly amountMinor: string;
  readonly currency: string;
}

/**
 * - `wait`: nothing has come yet;
 * - `book`: exactly what was asked for has come;
 * - `mismatch`: money has come that is not what was asked for: a person has to look, nothing is booked;
 * - `gone`: it was cancelled, and no money will come.
 */
export type PaymentVerdict = 'wait' | 'book' | 'mismatch' | 'gone';

/** Holds a payment against the deposit it is said to be for. */
export function judgePayment(expected: ExpectedPayment, seen: Payment): PaymentVerdict {
  if (seen.state === 'canceled') return 'gone';
  if (seen.state !== 'succeeded') return 'wait';
  const isExact =
    seen.transactionId === expected.transactionId &&
    seen.currency === expected.currency &&
    seen.receivedMinor === expected.amountMinor;
  return isExact ? 'book' : 'mismatch';
}

/** Currencies of three fraction digits, of which card networks take only two (https://docs.stripe.com/currencies#three-decimal). */
const THREE_DIGITS: ReadonlySet<string> = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);

/** True for an amount of minor units that a provider can be asked for: with three fraction digits the last one is zero. */
export function isPayable(currency: string, amountMinor: bigint): boolean {
  return !THREE_DIGITS.has(currency) || amountMinor % 10n === 0n;
}

/** Milliseconds until the provider is asked again where no webhook came: 1, 2, 4 ... minutes, at last once an hour. */
export function nextPaymentLookMs(looks: number): number {
  return Math.min(60_000 * 2 ** Math.min(looks, 10), 3_600_000);
}

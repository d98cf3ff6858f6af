import type { PaymentPort } from './payment-port.ts';
import type { StripeSettings } from './stripe-payments.ts';

/** The payment provider, where one is configured. Its library is loaded only then: it is large. */
export async function openPayments(settings: StripeSettings | undefined): Promise<PaymentPort | undefined> {
  if (settings === undefined) return undefined;
  const { createStripePayments } = await import('./stripe-payments.ts');
  return createStripePayments(settings);
}

import { isUtf8 } from 'node:buffer';
import Stripe from 'stripe';
import { formatAmount } from '../domain/money.ts';
import { isPayable, type Payment, type PaymentState } from '../domain/payment.ts';
import { PaymentError, type PaymentEvent, type PaymentPort, WebhookError } from './payment-port.ts';

/** The version whose shapes are read here; Stripe answers in it whatever the account's default is. */
const API_VERSION = '2026-10-28.endive';
/** Seconds that a webhook's signature is good for (https://docs.stripe.com/webhooks/signature). */
const WEBHOOK_TOLERANCE_SECONDS = 300;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const TIMEOUT_MS = 10_000;
/** The workflow retries for as long as it lives: these two only bridge a connection that was just closed. */
const NETWORK_RETRIES = 1;

/**
 * Stripe counts in the minor units of ISO 4217, also where there are none (JPY, KRW), but for these: their amounts have no
 * fraction and are written with two digits of it (https://docs.stripe.com/currencies#special-cases).
 */
const WRITTEN_WITH_TWO_MORE: ReadonlySet<string> = new Set(['ISK', 'UGX']);

const STATE_OF: Readonly<Record<string, PaymentState>> = {
  succeeded: 'succeeded',
  canceled: 'canceled',
  processing: 'processing',
};

export interface StripeSettings {
  readonly secretKey: string;
  readonly webhookSecret: string;
  /** Origin of the API; another one than Stripe's for tests alone. */
  readonly apiBase: string;
}

/** Deposits by Stripe PaymentIntents (https://docs.stripe.com/api/payment_intents). */
export function createStripePayments({ secretKey, webhookSecret, apiBase }: StripeSettings): PaymentPort {
  const { hostname, port, protocol } = new URL(apiBase);
  const stripe = new Stripe(secretKey, {
    apiVersion: API_VERSION,
    host: hostname,
    ...(port === '' ? {} : { port }),
    protocol: protocol === 'http:' ? 'http' : 'https',
    timeout: TIMEOUT_MS,
    maxNetworkRetries: NETWORK_RETRIES,
    telemetry: false,
  });

  return {
    async request({ transactionId, amountMinor, currency }) {
      const amount = toStripe(amountMinor, currency);
      const intent = await reached(() =>
        stripe.paymentIntents.create(
          {
            amount,
            currency: currency.toLowerCase(),
            automatic_payment_methods: { enabled: true },
            metadata: { transactionId },
          },
          { idempotencyKey: `tradeguard-deposit-${transactionId}` },
        ),
      );
      return paymentOf(intent);
    },

    async read(paymentId) {
      const intent = await reached(() => stripe.paymentIntents.retrieve(paymentId));
      const payment = paymentOf(intent);
      return { payment, clientSecret: payment.state === 'open' ? intent.client_secret : null };
    },

    async cancel(paymentId) {
      try {
        return paymentOf(await stripe.paymentIntents.cancel(paymentId, { cancellation_reason: 'abandoned' }));
      } catch (error) {
        // Paid, under way or cancelled already: Stripe refuses, and what it is now decides.
        if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw paymentErrorOf(error);
        return (await this.read(paymentId)).payment;
      }
    },

    readWebhook(body, signature) {
      // The library signs the decoded text: bytes that another spelling would decode to must not pass for those signed.
      const isExact = isUtf8(body) && !body.subarray(0, 3).equals(BYTE_ORDER_MARK);
      if (!isExact || isAhead(signature)) throw new WebhookError('the webhook is not as Stripe signs it');
      let event: Stripe.Event;
      try {
        event = stripe.webhooks.constructEvent(body, signature, webhookSecret, WEBHOOK_TOLERANCE_SECONDS);
      } catch {
        throw new WebhookError('the signature of the webhook does not hold');
      }
      return eventOf(event);
    },
  };
}

/** The library refuses what is old, and takes any time to come. */
function isAhead(signature: string): boolean {
  const time = Number(/(?:^|,)t=(\d{1,12})(?:,|$)/.exec(signature)?.[1] ?? Number.NaN);
  return !(time <= Date.now() / 1000 + WEBHOOK_TOLERANCE_SECONDS);
}

function eventOf(event: Stripe.Event): PaymentEvent {
  const subject = event.data.object as { object?: string };
  const payment = subject.object === 'payment_intent' ? paymentOf(subject as Stripe.PaymentIntent) : null;
  return { eventId: event.id, type: event.type, payment };
}

/** @throws PaymentError for an amount that Stripe cannot be asked for */
function toStripe(amountMinor: string, currency: string): number {
  const minor = BigInt(amountMinor);
  const amount = Number(WRITTEN_WITH_TWO_MORE.has(currency) ? minor * 100n : minor);
  if (!isPayable(currency, minor) || !Number.isSafeInteger(amount)) {
    throw new PaymentError('Stripe takes no such amount', false);
  }
  return amount;
}

/** Minor units as we count them; with a fraction, which equals no amount of ours, where Stripe took part of one. */
function fromStripe(amount: number, currency: string): string {
  if (!WRITTEN_WITH_TWO_MORE.has(currency)) return String(amount);
  return formatAmount(BigInt(amount), 2).replace(/\.00$/, '');
}

function paymentOf(intent: Stripe.PaymentIntent): Payment {
  const currency = intent.currency.toUpperCase();
  return {
    paymentId: intent.id,
    state: STATE_OF[intent.status] ?? 'open',
    amountMinor: fromStripe(intent.amount, currency),
    receivedMinor: fromStripe(intent.amount_received, currency),
    currency,
    transactionId: intent.metadata.transactionId ?? null,
  };
}

async function reached<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw paymentErrorOf(error);
  }
}

/** Stripe's own words may quote what was sent: only kind, status and code are kept. */
function paymentErrorOf(error: unknown): PaymentError {
  if (!(error instanceof Stripe.errors.StripeError)) return new PaymentError('Stripe could not be asked', true);
  const { type, statusCode, code } = error;
  // A key that is refused is for an operator to mend: deposits wait for it until their time is over.
  const isRetryable = statusCode === undefined || [401, 403, 409, 429].includes(statusCode) || statusCode >= 500;
  return new PaymentError(`Stripe: ${[type, statusCode, code].filter(Boolean).join(' ')}`, isRetryable);
}

import { isUtf8 } from 'node:buffer';
import Stripe from 'stripe';
import type { Payment, PaymentState } from '../domain/payment.ts';
import { PaymentError, type PaymentEvent, type PaymentPort, WebhookError } from './payment-port.ts';

/** The version whose shapes are read here; Stripe answers in it whatever the account's default is. */
const API_VERSION = '2026-10-28.endive';
/** Seconds that a webhook's signature is good for (https://docs.stripe.com/webhooks/signature). */
const WEBHOOK_TOLERANCE_SECONDS = 300;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const TIMEOUT_MS = 10_000;
/** The workflow retries for as long as it lives: these two only bridge a connection that was just closed. */
const NETWORK_RETRIES = 1;

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
      if (!Number.isSafeInteger(Number(amountMinor))) throw new PaymentError('Stripe takes no such amount', false);
      const intent = await reached(() =>
        stripe.paymentIntents.create(
          {
            amount: Number(amountMinor),
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

function paymentOf(intent: Stripe.PaymentIntent): Payment {
  return {
    paymentId: intent.id,
    state: STATE_OF[intent.status] ?? 'open',
    amountMinor: String(intent.amount),
    receivedMinor: String(intent.amount_received),
    currency: intent.currency.toUpperCase(),
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

import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The members of a PaymentIntent that matter, as https://docs.stripe.com/api/payment_intents/object has them. */
export interface FakeIntent {
  id: string;
  object: 'payment_intent';
  amount: number;
  amount_received: number;
  currency: string;
  client_secret: string;
  livemode: boolean;
  metadata: Record<string, string>;
  status: 'requires_payment_method' | 'processing' | 'succeeded' | 'canceled';
}

export const STRIPE_KEYS = {
  STRIPE_SECRET_KEY: `sk_test_${'4f'.repeat(12)}`,
  STRIPE_WEBHOOK_SECRET: `whsec_${'7d'.repeat(16)}`,
};

/**
 * Stripe on loopback, in what this program uses of it: PaymentIntents by form-encoded requests under an API key, with
 * idempotency keys, errors in its shape, and webhooks signed as https://docs.stripe.com/webhooks/signature says.
 */
export async function startStripe() {
  const intents = new Map<string, FakeIntent>();
  const byKey = new Map<string, string>();
  const requests: { method: string; path: string; body: string; idempotencyKey: string | undefined }[] = [];
  let failures = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, , , id, action] = (request.url ?? '').split('/');
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined;
    requests.push({ method: request.method ?? '', path: request.url ?? '', body, idempotencyKey });
    if (failures > 0) {
      failures -= 1;
      return send(response, 500, { error: { type: 'api_error', message: 'Something went wrong' } });
    }
    if (request.headers.authorization !== `Bearer ${STRIPE_KEYS.STRIPE_SECRET_KEY}`) {
      return send(response, 401, { error: { type: 'invalid_request_error', message: 'Invalid API Key provided' } });
    }
    if (request.method === 'POST' && id === undefined) {
      const form = new URLSearchParams(body);
      // https://docs.stripe.com/currencies#special-cases and #three-decimal
      const step = { isk: 100, ugx: 100, bhd: 10, jod: 10, kwd: 10, omr: 10, tnd: 10 }[form.get('currency') ?? ''] ?? 1;
      if (Number(form.get('amount')) % step !== 0) {
        return send(response, 400, {
          error: { type: 'invalid_request_error', code: 'invalid_charge_amount', message: 'Invalid amount' },
        });
      }
      // https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
      if (Number(form.get('amount')) < 50) {
        return send(response, 400, {
          error: { type: 'invalid_request_error', code: 'amount_too_small', message: 'Min' },
        });
      }
      return send(response, 200, create(body, idempotencyKey));
    }
    const intent = intents.get(id ?? '');
    if (intent === undefined) {
      return send(response, 404, {
        error: { type: 'invalid_request_error', code: 'resource_missing', message: 'No such' },
      });
    }
    if (action === 'cancel') {
      if (intent.status !== 'requires_payment_method') {
        const code = 'payment_intent_unexpected_state';
        return send(response, 400, { error: { type: 'invalid_request_error', code, message: intent.status } });
      }
      intent.status = 'canceled';
    }
    send(response, 200, intent);
  }

  function create(body: string, key: string | undefined): FakeIntent {
    const known = intents.get(byKey.get(key ?? '') ?? '');
    if (known !== undefined) return known;
    const form = new URLSearchParams(body);
    const id = `pi_${randomBytes(12).toString('hex')}`;
    const intent: FakeIntent = {
      ...{ id, object: 'payment_intent', amount: Number(form.get('amount')), amount_received: 0 },
      ...{ currency: form.get('currency') ?? '', client_secret: `${id}_secret_${randomBytes(12).toString('hex')}` },
      ...{ livemode: false, metadata: { transactionId: form.get('metadata[transactionId]') ?? '' } },
      status: 'requires_payment_method',
    };
    intents.set(id, intent);
    if (key !== undefined) byKey.set(key, id);
    return intent;
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    env: { ...STRIPE_KEYS, STRIPE_API_BASE: `http://127.0.0.1:${port}` },
    requests,
    intents,
    /** The payment that was asked for a deposit, once it was. */
    of: (transactionId: string) =>
      [...intents.values()].find(({ metadata }) => metadata.transactionId === transactionId),
    /** What the payer does in their browser. */
    pay(intent: FakeIntent, paid: Partial<Pick<FakeIntent, 'amount_received' | 'currency'>> = {}): void {
      Object.assign(intent, { status: 'succeeded', amount_received: intent.amount, ...paid });
    },
    /** The next requests fail as they do when Stripe is down. */
    fail(count: number): void {
      failures = count;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export type StripeFake = Awaited<ReturnType<typeof startStripe>>;

/** An event about a payment as Stripe would send it now. */
export function stripeEvent(type: string, intent: object, id = `evt_${randomBytes(12).toString('hex')}`): string {
  return JSON.stringify({
    ...{ id, object: 'event', api_version: '2026-10-28.endive', created: Math.floor(Date.now() / 1000) },
    ...{ livemode: false, pending_webhooks: 1, request: null, type, data: { object: intent } },
  });
}

/** The value of `Stripe-Signature`. */
export function stripeSignature(body: string, given: { secret?: string; timestamp?: number } = {}): string {
  const { secret = STRIPE_KEYS.STRIPE_WEBHOOK_SECRET, timestamp = Math.floor(Date.now() / 1000) } = given;
  const mac = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return `t=${timestamp},v1=${mac}`;
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

import { z } from 'zod';
import { openIncident } from '../db/incidents.ts';
import { findPayment, notePaymentEvent } from '../db/payments.ts';
import type { Tx } from '../db/sql.ts';
import { findTransaction } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { networkKey } from '../domain/network.ts';
import { PAYMENT_STATES } from '../domain/payment.ts';
import { PaymentError, type PaymentEvent, type PaymentPort, WebhookError } from '../platform/payment-port.ts';
import type { ApiDeps } from './deps.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { transactionNotFound } from './transaction-answers.ts';

const WEBHOOK = '/api/payments/stripe/webhook';

/** Deposits at the payment provider: what their owner needs to pay, and what the provider tells of payments. */
export function createPaymentRoutes(deps: ApiDeps): Route[] {
  const { db, audit, gateway, events, log } = deps;

  function provider(): PaymentPort {
    if (deps.payments !== undefined) return deps.payments;
    throw new DomainError('deposits_off', 'Payments are not set up here: STRIPE_SECRET_KEY is not set.');
  }

  async function handle(paymentId: string) {
    try {
      return await provider().read(paymentId);
    } catch (error) {
      if (!(error instanceof PaymentError)) throw error;
      log.warn({ reason: error.message }, 'the payment provider could not be asked');
      throw new DomainError('payments_unavailable', 'The payment provider does not answer. Try again in a moment.', {
        retryAfter: 5,
      });
    }
  }

  /** @throws DomainError `webhook_invalid`, after the refusal was counted */
  async function verified(context: RouteContext): Promise<PaymentEvent> {
    try {
      return provider().readWebhook(context.rawBody, context.request.header('stripe-signature') ?? '');
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      const network = networkKey(context.request.ip ?? '');
      const isFirst = await events.record({
        kind: 'signature_invalid',
        bucket: `${WEBHOOK} ${network}`,
        route: `POST ${WEBHOOK}`,
        network,
        userId: null,
        cause: 'webhook_signature',
      });
      // One entry a minute and network: whoever sends these may send as many as they like.
      if (isFirst) {
        const { ip, userAgent, requestId } = context.request;
        await audit.append(db.fork(), {
          action: 'payment.webhook_refused',
          actor: { kind: 'anonymous' },
          subject: { kind: 'webhook', id: 'stripe' },
          outcome: 'denied',
          ...{ ip, userAgent, requestId },
        });
      }
      throw new DomainError('webhook_invalid', 'The signature of this webhook does not hold.');
    }
  }

  async function noteUnbooked(tx: Tx, transactionId: string, event: PaymentEvent): Promise<void> {
    const found = await findTransaction(tx, transactionId);
    if (found?.status !== 'rejected' || found.code === 'payment_mismatch') return;
    await openIncident(
      tx,
      { audit },
      {
        cause: 'payment_mismatch',
        subjectKind: 'transaction',
        subjectId: transactionId,
        userId: found.user_id,
        title: 'A deposit was paid after it had been rejected: book or refund it by hand',
        details: { paymentId: event.payment?.paymentId ?? null, code: found.code },
        key: `transaction:${transactionId}:paid_late`,
      },
    );
  }

  async function received(context: RouteContext): Promise<Reply> {
    const event = await verified(context);
    const transactionId = await db.transaction(async (tx) => {
      const { isNew, transactionId: found } = await notePaymentEvent(tx, event);
      if (isNew && found !== null) {
        await audit.append(tx, {
          action: 'payment.reported',
          actor: { kind: 'system' },
          subject: { kind: 'transaction', id: found },
          outcome: 'success',
          ip: context.request.ip,
          userAgent: context.request.userAgent,
          requestId: context.request.requestId,
          workflowId: `transaction:${found}`,
          details: { eventId: event.eventId, type: event.type, paymentId: event.payment?.paymentId ?? null },
        });
      }
      // Cannot be by our doing: what ends unpaid is cancelled at the provider first. If it is, a person must know.
      if (isNew && found !== null && event.payment?.state === 'succeeded') await noteUnbooked(tx, found, event);
      return found;
    });
    // The event is stored. Where Temporal does not answer, the workflow asks the provider by its own clock.
    if (transactionId !== null) {
      await gateway.signalPayment(transactionId).catch((err: unknown) => {
        log.warn({ err, transactionId }, 'a payment was reported and its workflow could not be told');
      });
    }
    return { status: 200, body: { received: true } };
  }

  return [
    route({
      method: 'get',
      path: '/api/transactions/{transactionId}/payment',
      name: 'getPayment',
      summary: 'What the owner of a deposit needs to pay it at the payment provider; kept nowhere, asked each time',
      access: { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' },
      params: z.object({ transactionId: z.uuid() }),
      responses: {
        200: {
          description: 'The payment as the provider tells it',
          schema: z.object({
            provider: z.literal('stripe'),
            paymentId: z.string(),
            state: z.enum(PAYMENT_STATES),
            clientSecret: z
              .string()
              .nullable()
              .describe("For the provider's own form; null once nothing is to be paid"),
          }),
        },
        404: { description: 'None' },
        409: { description: 'no_payment: this transaction has no payment, or not yet', headers: ['RetryAfter'] },
        503: { description: 'payments_unavailable' },
      },
      async handler(context) {
        const { transactionId } = context.params;
        const found = await findTransaction(db.fork(), transactionId);
        if (found === undefined || found.user_id !== principalOf(context).userId) throw transactionNotFound();
        const stored = await findPayment(db.fork(), transactionId);
        if (stored === undefined) {
          throw new DomainError('no_payment', 'There is nothing to pay for this transaction, or not yet.', {
            retryAfter: 1,
          });
        }
        const { payment, clientSecret } = await handle(stored.paymentId);
        return {
          status: 200,
          body: { provider: 'stripe', paymentId: payment.paymentId, state: payment.state, clientSecret },
        };
      },
    }),
    route({
      method: 'post',
      path: WEBHOOK,
      name: 'receiveStripeWebhook',
      summary: 'For Stripe alone: events of payments, signed over the bytes of the body',
      access: { kind: 'public' },
      // Stripe sends in bursts from few addresses; a body whose signature does not hold costs one HMAC.
      limit: 'none',
      headers: {
        'stripe-signature': { description: 't=..., v1=... as Stripe makes it', required: true },
      },
      responses: {
        200: { description: 'Stored; a repeat changes nothing', schema: z.object({ received: z.literal(true) }) },
        400: { description: 'webhook_invalid' },
        403: { description: 'deposits_off' },
      },
      handler: received,
    }),
  ];
}

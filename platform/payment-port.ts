import type { Payment } from '../domain/payment.ts';

/**
 * `retryable` for what may work in a moment (the provider does not answer, or asks to wait), else what an operator has to
 * mend. The message names no secret and no person.
 */
export class PaymentError extends Error {
  override readonly name = 'PaymentError';
  readonly retryable: boolean;
  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

/** Why a webhook is refused. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
}

/** What the payer's browser needs to pay; handed to the owner and kept nowhere. */
export interface PaymentHandle {
  readonly payment: Payment;
  /** Null once there is nothing left to pay. */
  readonly clientSecret: string | null;
}

/** Something that happened to a payment, from a webhook whose signature held. */
export interface PaymentEvent {
  /** The provider's id of the event: the same one may be delivered again. */
  readonly eventId: string;
  readonly type: string;
  /** Null for events about anything else, which change nothing here. */
  readonly payment: Payment | null;
}

/** Where deposits are paid. All methods @throws PaymentError. */
export interface PaymentPort {
  /** Asks for a payment, once per deposit however often it is called. */
  request(deposit: { transactionId: string; amountMinor: string; currency: string }): Promise<Payment>;
  read(paymentId: string): Promise<PaymentHandle>;
  /** Takes a payment back where that is still possible. @returns what became of it: it may have been paid meanwhile */
  cancel(paymentId: string): Promise<Payment>;
  /**
   * Reads a webhook, from exactly the bytes that were received.
   * @throws WebhookError where the signature does not hold or is older than five minutes
   */
  readWebhook(body: Buffer, signature: string): PaymentEvent;
}

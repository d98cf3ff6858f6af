import type { Payment, PaymentState } from '../domain/payment.ts';
import { row, run, type Tx } from './sql.ts';

/** The payment that a deposit waits for. */
export interface StoredPayment {
  transactionId: string;
  paymentId: string;
  state: PaymentState;
}

/** The payment of a deposit, once it was asked for. */
export function findPayment(tx: Tx, transactionId: string): Promise<StoredPayment | undefined> {
  return row<StoredPayment>(
    tx,
    `select transaction_id as "transactionId", payment_id as "paymentId", state from payment where transaction_id = $1`,
    [transactionId],
  );
}

/** Notes a payment, or what became of it. Of two that were made for one deposit the first one stays. */
export async function notePayment(tx: Tx, transactionId: string, { paymentId, state }: Payment): Promise<void> {
  await run(
    tx,
    `insert into payment as p (transaction_id, payment_id, state) values ($1, $2, $3)
     on conflict (transaction_id) do update set state = excluded.state, changed_at = clock_timestamp()
      where p.payment_id = excluded.payment_id and p.state <> excluded.state`,
    [transactionId, paymentId, state],
  );
}

/**
 * Notes an event of the provider. What it says is not believed further than that something happened: the workflow asks
 * the provider itself, so events may come twice, late and in any order.
 *
 * @returns whether it was not known yet, and the deposit to tell (null for a payment that is not ours)
 */
export async function notePaymentEvent(
  tx: Tx,
  event: { eventId: string; type: string; payment: Payment | null },
): Promise<{ isNew: boolean; transactionId: string | null }> {
  const paymentId = event.payment?.paymentId ?? null;
  const found = await row<{ transaction_id: string }>(
    tx,
    `select transaction_id from payment where payment_id = $1
     union select id from transaction where id = $2 and type = 'deposit'`,
    [paymentId, uuidOrNull(event.payment?.transactionId)],
  );
  const transactionId = found?.transaction_id ?? null;
  const inserted = await run(
    tx,
    `insert into payment_event (id, type, payment_id, transaction_id) values ($1, $2, $3, $4) on conflict (id) do nothing`,
    [event.eventId, event.type, paymentId, transactionId],
  );
  return { isNew: inserted === 1, transactionId };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Metadata is text that anybody with access to the provider's account may write. */
function uuidOrNull(text: string | null | undefined): string | null {
  return text !== undefined && text !== null && UUID.test(text) ? text : null;
}

import { randomUUID } from 'node:crypto';
import type { Answer } from '../helpers/persistent-client.ts';
import { persistently } from '../helpers/persistent-client.ts';
import type { IssuedSigningKey } from '../helpers/signing.ts';

/** Short, so that held and stepping-up transactions reach their end within the test. */
export const WINDOWS = { QUARANTINE_REVIEW_WINDOW: '20s', STEP_UP_TIMEOUT: '15s', LOG_LEVEL: 'warn' };

/** Who orders: of a trader, what an order needs. */
export interface Customer {
  token: string;
  accountId: string;
  signingKey: IssuedSigningKey;
}

export interface Order {
  customer: Customer;
  /** Idempotency-Key. */
  key: string;
  body: Readonly<Record<string, string>>;
}

/**
 * Deposits, withdrawals and transfers; some far above the account's average, so that every path is in flight.
 *
 * @param areFunded whether the customers have money: an installation for production without a payment service takes no deposits
 */
export function ordersOf(customers: readonly Customer[], count: number, areFunded = false): Order[] {
  const all = customers.length;
  return Array.from({ length: count }, (_, n) => {
    const customer = customers[n % all] as Customer;
    const other = customers[(n + 7) % all] as Customer;
    const large = n % 9 === 8;
    return {
      customer,
      key: randomUUID(),
      body: { currency: 'USD', ...bodyOf(n, large, !areFunded && n < all * 2, other.accountId) },
    };
  });
}

function bodyOf(n: number, large: boolean, isFirst: boolean, counterparty: string): Record<string, string> {
  if (isFirst) return { type: 'deposit', amount: '1000.00', category: 'salary' };
  if (n % 3 === 0) return { type: 'transfer', amount: large ? '400.00' : '10.00', category: 'family', counterparty };
  return { type: 'withdrawal', amount: large ? '600.00' : '25.00', category: 'rent' };
}

/** Sends an order until it is answered, whatever dies meanwhile. `base` is asked every time: a restart may move it. */
export function place(
  base: () => string,
  { customer, key, body }: Order,
  { headers = {}, patienceMs = 120_000 }: { headers?: Record<string, string>; patienceMs?: number } = {},
): Promise<Answer> {
  const { token, signingKey: signWith } = customer;
  return persistently(() => `${base()}/api/transactions`, { token, signWith, key, body, headers }, patienceMs);
}

/** @returns what is wrong with the answers: only a decision is one, and every order is a transaction of its own */
export function faultsInAnswers(answers: readonly Answer[]): string[] {
  const faults = answers
    .filter(({ status }) => ![201, 202, 422].includes(status))
    .map(({ status, body }) => `answered ${status} ${JSON.stringify(body)}`);
  const ids = new Set(answers.map(({ body }) => body?.transactionId));
  if (ids.size !== answers.length) faults.push(`${answers.length} orders became ${ids.size} transactions`);
  return faults;
}

/** The stored answer comes again for the same key. @returns what differs */
export async function faultsInRepeat(base: () => string, order: Order, first: Answer): Promise<string[]> {
  const again = await place(base, order);
  const isSame = again.status === first.status && JSON.stringify(again.body) === JSON.stringify(first.body);
  if (!isSame) return [`answered ${first.status} first and ${again.status} ${JSON.stringify(again.body)} then`];
  return again.headers.get('Idempotency-Replayed') === 'true' ? [] : ['a repeat that does not say so'];
}

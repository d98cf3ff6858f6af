import pg from 'pg';
import type { ApiClient } from '../cli/api-client.ts';
import { customerKey } from '../cli/customer-key.ts';
import type { RequestSigner } from '../cli/request-signer.ts';

/** A customer who is known to the system: registered, with a known device, money, a session and a signing key. */
export interface Customer {
  readonly email: string;
  readonly ip: string;
  readonly device: object;
  token: string;
  sign?: RequestSigner;
}

export const PASSWORD = 'correct-horse-battery-42';

/**
 * Registers customers through the API, signs each in from the device of the registration, has each get a signing key, and
 * lets each pay in 9,000.00 (more would ask for a factor).
 *
 * @param mailDir the instance's folder of letters, where their codes are read
 */
export async function makeCustomers(api: ApiClient, count: number, mailDir: string): Promise<Customer[]> {
  const customers = Array.from({ length: count }, (_, n) => newCustomer(n));
  await eachOf(customers, 4, async (customer) => {
    const { email, device } = customer;
    const registered = await api.post('/api/auth/register', {
      headers: origin(customer),
      body: { email, password: PASSWORD, fullName: 'Bench Customer', timeZone: 'Europe/Berlin', device },
    });
    expectStatus(registered, 201, 'register');
  });
  await eachOf(customers, 4, async (customer) => {
    customer.token = (await signIn(api, customer)).token;
    customer.sign = await customerKey(api, { ...customer, mailDir, headers: origin(customer) });
    const paidIn = await api.post('/api/transactions', {
      token: customer.token,
      sign: customer.sign,
      headers: { ...origin(customer), 'idempotency-key': 'pay-in' },
      body: { type: 'deposit', amount: '9000.00', currency: 'USD', category: 'salary' },
    });
    expectStatus(paidIn, 201, 'deposit');
  });
  return customers;
}

/** One login with the right password from the known device and place. @throws when it is not granted at once */
export async function signIn(api: ApiClient, customer: Customer): Promise<{ token: string; loginId: string }> {
  const { email, device } = customer;
  const answer = await api.post('/api/auth/login', {
    headers: origin(customer),
    body: { email, password: PASSWORD, device },
  });
  expectStatus(answer, 200, 'login');
  return { token: answer.body.session.token, loginId: answer.body.loginId };
}

/** One signed withdrawal that settles at once. @returns the transaction's id */
export async function withdraw(api: ApiClient, customer: Customer, key: string): Promise<string> {
  const answer = await api.post('/api/transactions', {
    token: customer.token,
    sign: customer.sign,
    headers: { ...origin(customer), 'idempotency-key': key },
    body: { type: 'withdrawal', amount: '1.00', currency: 'USD', category: 'groceries' },
  });
  expectStatus(answer, 201, 'withdrawal');
  return answer.body.transactionId;
}

/**
 * Gives every customer the same stored password hash: one that bench/argon2-memory.ts answers from memory, or a real one.
 */
export async function storePasswordHash(ownerUrl: string, hash: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(`update app_user set password_hash = $1 where email_key like 'bench-%'`, [hash]);
  } finally {
    await client.end();
  }
}

/** Runs `work` for every item, `width` at a time. */
export async function eachOf<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const lane = async () => {
    for (const item of iterator) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

function newCustomer(n: number): Customer {
  return {
    email: `bench-${n}@customers.example`,
    ip: `192.0.2.${1 + (n % 250)}`,
    device: {
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
      timezone: 'Europe/Berlin',
      language: 'de-DE',
      platform: 'Linux x86_64',
      plugins: [`viewer ${n}`],
    },
    token: '',
  };
}

/** Loopback is a trusted proxy outside production, so this is the address the API sees. */
const origin = ({ ip }: Customer) => ({ 'x-forwarded-for': ip });

function expectStatus(answer: { status: number; body: unknown }, wanted: number, what: string): void {
  if (answer.status !== wanted) {
    throw new Error(`${what}: ${answer.status} instead of ${wanted}: ${JSON.stringify(answer.body)}`);
  }
}

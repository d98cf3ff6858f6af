import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKeyring } from '../../db/keyring.ts';
import { loadConfig } from '../../platform/config.ts';
import { type ApiMember, createFleet, type Fleet, PUBLIC_ORIGIN } from '../helpers/fleet.ts';
import type { HttpClient } from '../helpers/http.ts';
import { createMailbox } from '../helpers/mailbox.ts';
import { createPeople, HOME_DEVICE } from '../helpers/people.ts';
import { persistently } from '../helpers/persistent-client.ts';
import { signatureHeaders } from '../helpers/signing.ts';
import type { Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

const TRANSACTIONS = '/api/transactions';

let fleet: Fleet;
let first: ApiMember;
let second: ApiMember;
let trading: Trading;

beforeAll(async () => {
  fleet = await createFleet({ apis: 2, workers: 2 });
  [first, second] = fleet.apis as [ApiMember, ApiMember];
  const config = loadConfig(fleet.env);
  const { db } = fleet.database;
  const keyring = await openKeyring(db, config);
  const people = createPeople({ api: first.api, db, keyring, config });
  trading = createTrading({ api: first.api, db, people } as Stack);
}, 180_000);

afterAll(() => fleet?.stop());

/** A signed withdrawal at one API process. */
function withdraw(
  api: HttpClient,
  { token, signingKey }: Trader,
  amount: string,
  idempotencyKey: string = randomUUID(),
) {
  const body = { type: 'withdrawal', amount, currency: 'USD', category: 'rent' };
  return api.post(TRANSACTIONS, body, { token, signWith: signingKey, headers: { 'Idempotency-Key': idempotencyKey } });
}

describe('[O8] two APIs and two workers in production mode: the guarantees are those of one', () => {
  it('both APIs see both workers and are ready', async () => {
    for (const { api, name } of fleet.apis) {
      const ready = await api.get('/api/health/ready');
      expect(ready.status, `${name}: ${JSON.stringify(ready.body)}`).toBe(200);
      expect(ready.body.components.workers).toMatchObject({ decisions: 2, background: 2 });
    }
  });

  it('a session of a login at one API works at the other, and ends at both', async () => {
    const person = { email: `${randomUUID()}@example.test`, password: `a long passphrase ${randomUUID()}` };
    const registered = await first.api.post('/api/auth/register', {
      ...person,
      fullName: 'Test Person',
      timeZone: 'UTC',
      device: HOME_DEVICE,
    });
    expect(registered.status).toBe(201);
    // The letter is written by whichever worker took it; the link in it is confirmed at the other API.
    const letter = await createMailbox(fleet.env.MAIL_DIR).waitFor(person.email);
    const token = letter.text.split(`${PUBLIC_ORIGIN}/confirm#token=`)[1]?.split(/\s/)[0];
    expect((await second.api.post('/api/auth/confirm', { token })).status).toBe(200);

    const { deviceToken } = registered.body;
    const login = await first.api.post('/api/auth/login', { ...person, device: HOME_DEVICE, deviceToken });
    expect(login.status, JSON.stringify(login.body)).toBe(200);
    const session = { token: login.body.session.token as string };
    expect((await second.api.get('/api/portfolio', session)).status).toBe(200);

    expect((await second.api.post('/api/auth/logout', {}, session)).status).toBe(204);
    expect((await first.api.get('/api/portfolio', session)).status).toBe(401);
  });

  it('one Idempotency-Key sent to both at once is one transaction', async () => {
    const customer = await trading.trader('1000.00');
    for (let round = 0; round < 5; round++) {
      const key = randomUUID();
      const answers = await Promise.all(fleet.apis.map(({ api }) => withdraw(api, customer, '10.00', key)));
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      expect(answers[1]?.body.transactionId).toBe(answers[0]?.body.transactionId);
    }
    expect(await trading.count(customer.accountId)).toBe(5);
    expect((await customer.portfolio()).cash[0].balance).toBe('950.00');
  });

  it('a signed request is accepted once, whichever API it is played again at', async () => {
    const { token, signingKey: key } = await trading.trader();
    const target = `/api/signing-keys/${key.keyId}`;
    const headers = signatureHeaders(key, { method: 'DELETE', target });
    const answers = await Promise.all(fleet.apis.map(({ api }) => api.delete(target, { token, headers })));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 401]);
  });

  it('20 at once of one account over both flag exactly 15', async () => {
    const customer = await trading.trader();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => withdraw((n % 2 === 0 ? first : second).api, customer, '1.00')),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    const points = await Promise.all(answers.map(({ body }) => trading.points(body.transactionId)));
    expect(points.filter(({ velocity = 0 }) => velocity > 0)).toHaveLength(15);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('five wrong passwords over both lock the account at both', async () => {
    const person = await trading.trader('0');
    const guess = (api: HttpClient) =>
      api.post('/api/auth/login', { email: person.email, password: 'not the password', device: HOME_DEVICE });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await guess((n % 2 === 0 ? first : second).api)).status);
    expect(statuses).toEqual([401, 401, 401, 401, 423]);
    const right = { email: person.email, password: person.password, device: HOME_DEVICE };
    for (const { api } of fleet.apis) expect((await api.post('/api/auth/login', right)).status).toBe(423);
  });

  it('over plain HTTP nothing is served', async () => {
    const redirected = await fetch(`${second.url}/api/health`, { redirect: 'manual' });
    expect(redirected.status).toBe(301);
    expect(redirected.headers.get('location')).toBe(`${PUBLIC_ORIGIN}/api/health`);
    const refused = await fetch(`${second.url}/api/auth/login`, { method: 'POST', body: '{}' });
    expect(refused.status).toBe(426);
  });

  it('kill -9 of one API and one worker in the middle: every request gets its one answer from those that stay', async () => {
    const customer = await trading.trader();
    const [dying, staying] = [first, second];
    let api = dying.url;
    const calls = Array.from({ length: 30 }, (_, n) => {
      const key = randomUUID();
      const body = { type: 'withdrawal', amount: '1.00', currency: 'USD', category: 'rent' };
      const attempt = async () => {
        if (n === 10) {
          api = staying.url;
          await Promise.all([dying.kill(), fleet.workers[0]?.kill()]);
        }
        return persistently(() => `${api}${TRANSACTIONS}`, {
          token: customer.token,
          signWith: customer.signingKey,
          key,
          body,
          headers: { 'X-Forwarded-Proto': 'https' },
        });
      };
      return attempt();
    });
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(201));
    expect(new Set(answers.map(({ body }) => body.transactionId)).size).toBe(30);
    expect(await trading.count(customer.accountId)).toBe(30);
    expect(await trading.ledgerFaults()).toEqual([]);
    const ready = await staying.api.get('/api/health/ready');
    expect(ready.status).toBe(200);
  });
});

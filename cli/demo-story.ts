import { setTimeout } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import { type Cast, type Person, type StaffMember, StoryError, type Trader, told } from './demo-cast.ts';

/** One scene: what is about to happen, and afterwards what did. */
export interface Scene {
  readonly title: string;
  /** @returns what happened, a sentence each @throws StoryError when it was something else */
  readonly play: () => Promise<string[]>;
}

export interface StoryOptions {
  readonly api: ApiClient;
  readonly cast: Cast;
  readonly admin: Person;
  /** Milliseconds, as the instance was configured. */
  readonly lockoutMs: number;
  /** Copies the audit log, changes one entry in the copy and verifies it. @returns what the verifier said */
  readonly tamperWithCopy: () => Promise<{ tampered: string; finding: string }>;
}

const ADA: Person = { email: 'ada@customers.example', password: 'a-long-walk-at-dawn-7' };
const BEN: Person = { email: 'ben@customers.example', password: 'rain-on-a-tin-roof-31' };
const RITA: Person = { email: 'rita@staff.example', password: 'seven-green-bottles-88' };
const POLL_MS = 200;

/** The story in its order; later scenes use what earlier ones left behind. */
export function story(options: StoryOptions): Scene[] {
  const { api, cast, admin } = options;
  const props: { ada?: Trader; admin?: StaffMember; reviewer?: StaffMember; held?: string; instrument?: string } = {};
  const held = () => required(props.held, 'a held trade');
  const ada = () => required(props.ada, "Ada's session");
  const boss = () => required(props.admin, "the administrator's session");

  const incidents = async (cause: RegExp) => {
    const answer = told(await api.get('/api/admin/security/incidents', { token: boss().token }), 200);
    const items = answer.body.items as { cause: string; severity: string; status: string }[];
    return items.filter((incident) => cause.test(incident.cause));
  };

  return [
    {
      title: 'Staff first: the administrator signs in and must enrol an authenticator before anything else',
      play: async () => {
        props.admin = await cast.enrolStaff(admin);
        return ['202 enrolment_required, then 200 with a session.'];
      },
    },
    {
      title: 'Ada registers in Berlin and signs in from the same computer',
      play: async () => {
        told(await cast.register(ADA, 'Berlin', 'Ada Example'), 201);
        const signedIn = told(await cast.login(ADA, 'Berlin'), 200, 'authenticated');
        const { token } = signedIn.body.session;
        const unsigned = {
          token,
          headers: { 'idempotency-key': 'unsigned' },
          body: { type: 'deposit', amount: '1.00' },
        };
        told(await api.post('/api/transactions', unsigned), 401, 'signature_invalid');
        props.ada = { token, sign: await cast.signingKey(ADA.email, token) };
        return [
          '200 authenticated at once: a known device in a plausible place needs no factor.',
          'The session alone moves no money: 401 signature_invalid. A code by mail, and she has a key to sign with.',
        ];
      },
    },
    {
      title: 'Normal trading: Ada pays in 9,000.00 and buys ten times for about 100.00',
      play: async () => {
        told(
          await cast.trade(ada(), 'pay-in', {
            type: 'deposit',
            amount: '9000.00',
            currency: 'USD',
            category: 'salary',
          }),
          201,
        );
        const { id, price } = await cheapestInstrument(api, ada().token);
        props.instrument = id;
        const quantity = (100 / price).toFixed(4);
        for (let n = 1; n <= 10; n += 1) {
          const order = { type: 'buy', instrument: id, quantity, currency: 'USD', category: 'savings_plan' };
          told(await cast.trade(ada(), `buy-${n}`, order), 201, 'settled');
        }
        const again = await cast.trade(ada(), 'buy-10', {
          type: 'buy',
          instrument: id,
          quantity,
          currency: 'USD',
          category: 'savings_plan',
        });
        if (told(again, 201).headers['idempotency-replayed'] !== 'true')
          throw new StoryError('A repeated order was a new order.');
        const { body } = told(await api.get('/api/portfolio', { token: ada().token }), 200);
        return [
          `11 times 201 settled, each booked once; an order sent twice under one Idempotency-Key is one order.`,
          `Portfolio: ${body.cash[0].balance} ${body.cash[0].currency} and ${body.positions[0].quantity} ${body.positions[0].instrument}.`,
        ];
      },
    },
    {
      title: "Somebody with Ada's password signs in from Tokyo, seconds later",
      play: async () => {
        told(await cast.login(ADA, 'Tokyo', 'strangers'), 403, 'login_denied');
        const [incident] = await until(() => incidents(/login/), 'an incident of the denied login');
        return [
          '403 login_denied: 8,900 km in a few seconds, a place and a device never seen. The caller is not told why.',
          `An incident opened itself: ${incident?.cause}, severity ${incident?.severity}.`,
        ];
      },
    },
    {
      title: 'Ada herself signs in from a new phone',
      play: async () => {
        const asked = told(await cast.login(ADA, 'Berlin', 'phone'), 202, 'step_up_required');
        const code = cast.mailedCode(ADA.email);
        const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
        told(await cast.submitCode(asked.body.loginId, 'Berlin', wrong), 401, 'factor_invalid');
        told(await cast.submitCode(asked.body.loginId, 'Berlin', code), 200, 'authenticated');
        return [
          `202 step_up_required (${asked.body.methods.join(', ')}): an unknown device always needs a factor.`,
          'A wrong code: 401. The code of the letter in the mail folder: 200 authenticated.',
        ];
      },
    },
    {
      title: 'A trade that looks wrong: nine times the usual amount, the twelfth in an hour, a new category',
      play: async () => {
        const { price } = await cheapestInstrument(api, ada().token);
        const order = {
          type: 'buy',
          instrument: props.instrument,
          quantity: (900 / price).toFixed(4),
          currency: 'USD',
          category: 'margin_call',
        };
        const answer = told(await cast.trade(ada(), 'odd-trade', order), 202, 'quarantined');
        props.held = answer.body.transactionId;
        const opened = await until(() => incidents(/quarantine|transaction/), 'an incident of the held trade');
        return [
          `202 quarantined for review until ${answer.body.reviewBy}; the money is reserved, and Ada has been told.`,
          `Incidents: ${opened.map(({ cause, severity }) => `${cause} (${severity})`).join(', ')}.`,
        ];
      },
    },
    {
      title: 'Rita, a reviewer, approves it: nobody decides on a trade of their own',
      play: async () => {
        props.reviewer = await newReviewer(api, cast, boss());
        const path = `/api/admin/security/transactions/${held()}/approve`;
        const body = { reason: 'Confirmed with the customer by telephone' };
        const refused = await api.post(path, { token: ada().token, body });
        if (refused.status !== 403) throw new StoryError(`Ada's own approval was answered with ${refused.status}.`);
        told(await approve(api, path, body, props.reviewer), 200);
        const after = told(await api.get(`/api/transactions/${held()}`, { token: ada().token }), 200, 'settled');
        const again = await approve(api, path, body, props.reviewer);
        return [
          `Ada's own approval: 403. Rita's: 200, and the trade is settled at today's price (${after.body.price}).`,
          `A second approval: ${again.status} ${again.body.code}.`,
        ];
      },
    },
    {
      title: "Five wrong passwords for Ben's account",
      play: async () => {
        told(await cast.register(BEN, 'New York', 'Ben Example'), 201);
        for (let n = 1; n <= 4; n += 1) {
          told(
            await cast.login({ ...BEN, password: `guess-number-${n}-of-many` }, 'New York'),
            401,
            'invalid_credentials',
          );
        }
        const fifth = told(
          await cast.login({ ...BEN, password: 'guess-number-5-of-many' }, 'New York'),
          423,
          'account_locked',
        );
        told(await cast.login(BEN, 'New York'), 423, 'account_locked');
        return [
          `401 four times, the fifth 423 account_locked, Retry-After ${fifth.headers['retry-after']} s; now even the right password: 423.`,
        ];
      },
    },
    {
      title: `The durable timer unlocks Ben (here after ${options.lockoutMs / 1000} s instead of 15 min)`,
      play: async () => {
        await setTimeout(options.lockoutMs);
        const answer = await until(async () => {
          const tried = await cast.login(BEN, 'New York');
          return tried.status === 423 ? undefined : tried;
        }, 'the unlock');
        told(answer, 200, 'authenticated');
        return ['200 authenticated with the right password; nobody had to do anything.'];
      },
    },
    {
      title: 'The audit log of all this is verified',
      play: async () => {
        const verified = await until(async () => {
          const answer = await api.post('/api/admin/security/audit-logs/verify-chain', {
            token: boss().token,
            body: {},
          });
          return told(answer, 200).body.unsealed === 0 ? answer : undefined;
        }, 'the sealing of the last entries');
        if (verified.body.valid !== true)
          throw new StoryError(`The chain is not valid: ${JSON.stringify(verified.body)}`);
        return [`${verified.body.checked} entries, every link and every MAC: valid.`];
      },
    },
    {
      title: 'Somebody who owns the database changes one entry: tried on a copy',
      play: async () => {
        const { tampered, finding } = await options.tamperWithCopy();
        return [`Changed in the copy, triggers off: ${tampered}.`, `Verification of the copy: ${finding}`];
      },
    },
  ];
}

async function newReviewer(api: ApiClient, cast: Cast, boss: StaffMember): Promise<StaffMember> {
  // What changes who may do what needs a factor of the last minutes.
  told(
    await api.post('/api/auth/step-up', { token: boss.token, body: { method: 'totp', code: await boss.code() } }),
    200,
  );
  const created = told(
    await api.post('/api/admin/users', {
      token: boss.token,
      body: { email: RITA.email, fullName: 'Rita Example', role: 'reviewer' },
    }),
    201,
  );
  const first = await cast.enrolStaff({ email: RITA.email, password: created.body.oneTimePassword });
  const changed = await api.post('/api/auth/password', {
    token: first.token,
    body: { currentPassword: created.body.oneTimePassword, newPassword: RITA.password },
  });
  told(changed, 204);
  return first;
}

async function approve(api: ApiClient, path: string, body: object, reviewer: StaffMember) {
  const answer = await api.post(path, { token: reviewer.token, body });
  if (answer.body?.code !== 'step_up_needed') return answer;
  const proof = { method: 'totp', code: await reviewer.code() };
  told(await api.post('/api/auth/step-up', { token: reviewer.token, body: proof }), 200);
  return api.post(path, { token: reviewer.token, body });
}

async function cheapestInstrument(api: ApiClient, token: string): Promise<{ id: string; price: number }> {
  const { body } = told(await api.get('/api/instruments', { token }), 200);
  const priced = (body.items as { instrument: string; price: string | null }[])
    .flatMap(({ instrument, price }) => (price === null ? [] : [{ id: instrument, price: Number(price) }]))
    .toSorted((a, b) => a.price - b.price);
  return required(priced[0], 'an instrument with a price');
}

/** Asks again until there is something, for what happens a moment after the answer. @throws StoryError after 15 s */
async function until<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = await ask();
    if (found !== undefined && !(Array.isArray(found) && found.length === 0)) return found;
    if (Date.now() > deadline) throw new StoryError(`${what} did not come within 15 s.`);
    await setTimeout(POLL_MS);
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new StoryError(`There is no ${what}.`);
  return value;
}

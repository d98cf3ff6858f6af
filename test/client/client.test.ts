import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type ClientOptions,
  type ClientSession,
  createClient,
  everyItem,
  ForbiddenError,
  followEvents,
  isProblem,
  type LiveEvent,
  type StepUpChallenge,
} from '../../client/index.ts';
import { run } from '../../db/sql.ts';
import { eventually } from '../helpers/eventually.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

let stack: Stack;
let trading: Trading;

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
});
afterAll(() => stack?.close());

const clientOf = (options: Partial<ClientOptions> = {}) => createClient({ origin: stack.url, ...options });
/** A handler that answers with the person's authenticator, and remembers what it was asked. */
function authenticator(person: SignedIn, wrongFirst = 0) {
  const asked: StepUpChallenge[] = [];
  return {
    asked,
    onStepUp: async (challenge: StepUpChallenge) => {
      asked.push(challenge);
      const code =
        asked.length <= wrongFirst ? String(asked.length).padStart(6, '0') : stack.people.totpCode(person.totpSecret);
      return { method: 'totp' as const, code };
    },
  };
}
async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
async function staleFactor({ userId }: SignedIn): Promise<void> {
  await run(
    stack.db.fork(),
    `update session set factor_at = clock_timestamp() - interval '1 hour' where user_id = $1`,
    [userId],
  );
}

describe('a customer', () => {
  it('registers, signs in, gets a key by a mailed code, trades, and signs out', async () => {
    const email = stack.people.newAddress();
    const kept: ClientSession[] = [];
    const asked: StepUpChallenge[] = [];
    const client = clientOf({
      onSession: (session) => kept.push(session),
      async onStepUp(challenge) {
        asked.push(challenge);
        const before = stack.mail.codesFor(email).length;
        await challenge.mailCode();
        const code = await eventually(() => stack.mail.codesFor(email)[before], { what: 'the code' });
        return { method: 'email_code', code };
      },
    });
    const credentials = { email, password: 'correct horse battery staple', device: HOME_DEVICE };
    await client.register({ body: { ...credentials, fullName: 'Test Person' } });
    expect(client.session.deviceToken).toMatch(/^[\w-]{43}$/);

    expect(await client.signIn(credentials)).toMatchObject({ status: 200, body: { status: 'authenticated' } });
    expect(client.session.token).toMatch(/^[\w-]{43}$/);
    expect(kept.at(-1)).toEqual(client.session);

    const { body: key } = await client.issueSigningKey();
    expect(asked).toMatchObject([{ for: 'session', methods: ['email_code'] }]);
    client.useSigningKey(key);

    const deposit = await client.transact({ type: 'deposit', amount: '250.00', currency: 'USD' });
    expect(deposit).toMatchObject({ status: 201, body: { status: 'settled', amount: '250.00' } });
    expect((await client.getTransaction({ path: { transactionId: deposit.body.transactionId } })).body).toMatchObject({
      status: 'settled',
    });
    const refused = client.transact({ type: 'withdrawal', amount: '900.00', currency: 'USD' });
    await expect(refused).rejects.toSatisfy((error) => isProblem(error, 'insufficient_funds'));

    const { deviceToken } = client.session;
    await client.signOut();
    expect(client.session).toEqual({ deviceToken });
    await expect(client.getPortfolio()).rejects.toSatisfy((error) => isProblem(error, 'session_required'));
  });

  it('goes on where an earlier run stopped', async () => {
    const person = await stack.people.register();
    const first = clientOf();
    const { email, password } = person;
    await first.signIn({ email, password, device: HOME_DEVICE });
    const second = clientOf({ session: first.session });
    expect((await second.listSessions()).body.items).toMatchObject([{ current: true, channel: 'bearer' }]);
  });

  it('asks once, however often an answer is lost', async () => {
    const trader = await trading.trader();
    const proxy = await startTcpProxy('127.0.0.1', Number(new URL(stack.url).port));
    try {
      let calls = 0;
      const client = clientOf({
        origin: `http://127.0.0.1:${proxy.port}`,
        session: { token: trader.token },
        signingKey: trader.signingKey,
        // The request has come through when the answer is dropped on its way.
        fetch: async (...given) => {
          calls += 1;
          const response = await fetch(...given);
          if (calls > 2) return response;
          await response.text();
          throw new TypeError('fetch failed');
        },
      });
      const answer = await client.transact({ type: 'withdrawal', amount: '25.00', currency: 'USD' });
      expect(answer.status).toBe(201);
      expect(calls).toBe(3);
      const all = everyItem(client.listTransactions, { query: { limit: 1 } });
      const found = await allOf(all);
      expect(found.map(({ transactionId }) => transactionId)).toEqual([answer.body.transactionId]);
    } finally {
      await proxy.close();
    }
  });

  it('reads a list to its end, page by page', async () => {
    const trader = await trading.trader();
    const client = clientOf({ session: { token: trader.token }, signingKey: trader.signingKey });
    const made: string[] = [];
    for (const amount of ['1.00', '2.00', '3.00', '4.00', '5.00']) {
      made.unshift((await client.transact({ type: 'withdrawal', amount, currency: 'USD' })).body.transactionId);
    }
    const found = await allOf(everyItem(client.listTransactions, { query: { limit: 2 } }));
    expect(found.map(({ transactionId }) => transactionId)).toEqual(made);
  });

  it('is told what is wrong with a call, and where', async () => {
    const client = clientOf();
    const refused = await client
      .register({ body: { email: 'nobody', password: 'x', fullName: '', device: HOME_DEVICE } })
      .catch((error: unknown) => error);
    expect(isProblem(refused, 'validation_failed') && refused.problem.errors).toContainEqual(
      expect.objectContaining({ in: 'body', pointer: '/email' }),
    );
  });
});

describe('a step-up', () => {
  it('proves the factor that a transaction asks for, again after a wrong answer', async () => {
    const trader = await trading.trader('50000.00');
    const { asked, onStepUp } = authenticator(trader, 1);
    const client = clientOf({ session: { token: trader.token }, signingKey: trader.signingKey, onStepUp });
    const answer = await client.transact({ type: 'withdrawal', amount: '12000.00', currency: 'USD' });
    expect(answer).toMatchObject({ status: 200, body: { status: 'settled', amount: '12000.00' } });
    expect(asked.map(({ triesLeft, ...challenge }) => [challenge.for, triesLeft])).toEqual([
      ['transaction', undefined],
      ['transaction', expect.any(Number)],
    ]);
    expect(asked[0]?.transaction).toMatchObject({ amount: '12000.00', status: 'step_up_required' });
  });

  it('is left to who calls, where nobody would prove anything', async () => {
    const trader = await trading.trader('50000.00');
    const client = clientOf({
      session: { token: trader.token },
      signingKey: trader.signingKey,
      onStepUp: async () => null,
    });
    const answer = await client.transact({ type: 'withdrawal', amount: '12000.00', currency: 'USD' });
    expect(answer).toMatchObject({ status: 202, body: { status: 'step_up_required' } });

    // Later, maybe by another program, it is asked for once more.
    const { asked, onStepUp } = authenticator(trader, 1);
    const later = clientOf({ session: { token: trader.token }, signingKey: trader.signingKey, onStepUp });
    const path = { transactionId: answer.body.transactionId };
    const { body: waiting } = await later.getTransaction({ path });
    expect(await later.resumeTransaction(waiting)).toMatchObject({ status: 200, body: { status: 'settled' } });
    expect(asked.map(({ expiresAt }) => expiresAt)).toEqual([waiting.expiresAt, waiting.expiresAt]);
    // One challenge asked twice, which is over now.
    expect(asked[0]?.over).toBe(asked[1]?.over);
    await asked[0]?.over;
    await expect(later.resumeTransaction(waiting)).rejects.toSatisfy((error) =>
      isProblem(error, 'not_awaiting_factor'),
    );
  });

  it('renews the session’s factor and repeats the call; without a handler the refusal is thrown', async () => {
    const person = await stack.people.signedIn('customer');
    await staleFactor(person);
    await expect(clientOf({ session: { token: person.token } }).issueSigningKey()).rejects.toThrow(ForbiddenError);
    const { asked, onStepUp } = authenticator(person);
    const client = clientOf({ session: { token: person.token }, onStepUp });
    expect((await client.issueSigningKey()).status).toBe(201);
    expect(asked).toMatchObject([{ for: 'session', methods: ['totp'] }]);
  });

  it('stops when the server takes no more answers', async () => {
    const person = await stack.people.signedIn('customer');
    await staleFactor(person);
    const { asked, onStepUp } = authenticator(person, 100);
    const client = clientOf({ session: { token: person.token }, onStepUp, retry: { maxDelayMs: 100 } });
    await expect(client.issueSigningKey()).rejects.toSatisfy((error) => isProblem(error, 'rate_limited'));
    // Five wrong answers are taken; whatever comes then is not looked at.
    expect(asked.length).toBe(6);
  });

  it('stops as well when it is answered wrong in the same way for ever', async () => {
    const person = await stack.people.signedIn('customer');
    await staleFactor(person);
    const onStepUp = vi.fn(async () => ({ method: 'totp' as const, code: '000000' }));
    const client = clientOf({ session: { token: person.token }, onStepUp });
    await expect(client.issueSigningKey()).rejects.toSatisfy((error) => isProblem(error, 'factor_invalid'));
    expect(onStepUp).toHaveBeenCalledTimes(10);
  });

  it('signs staff in, and enrols an authenticator with who has none', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const { asked, onStepUp } = authenticator(reviewer);
    const client = clientOf({ onStepUp });
    const { email, password } = reviewer;
    expect((await client.signIn({ email, password, device: HOME_DEVICE })).status).toBe(200);
    expect(asked).toMatchObject([{ for: 'login', methods: ['totp'] }]);

    await run(stack.db.fork(), 'delete from totp_factor where user_id = $1', [reviewer.userId]);
    const enrolling = clientOf({
      onStepUp: async ({ enrolment, methods }) => {
        expect(methods).toEqual(['totp']);
        return { method: 'totp', code: stack.people.totpCode(enrolment?.secret ?? '') };
      },
    });
    expect((await enrolling.signIn({ email, password, device: HOME_DEVICE })).status).toBe(200);
    expect((await clientOf().signIn({ email, password, device: HOME_DEVICE })).body).toMatchObject({
      status: 'step_up_required',
    });
  });
});

describe('live events', () => {
  it('are told as they happen, and go on behind the last one after the connection broke', async () => {
    const reviewer = await stack.people.signedIn('reviewer');
    const proxy = await startTcpProxy('127.0.0.1', Number(new URL(stack.url).port));
    const stop = new AbortController();
    const seen: LiveEvent[] = [];
    const breaks: number[] = [];
    const following = (async () => {
      const options = {
        origin: `http://127.0.0.1:${proxy.port}`,
        session: { token: reviewer.token },
        onBreak: () => breaks.push(seen.length),
      };
      for await (const event of followEvents({ ...options, signal: stop.signal })) seen.push(event);
    })();
    try {
      const holds = () => seen.filter(({ event }) => event === 'hold').map(({ data }) => data.transactionId);
      await eventually(() => seen.find(({ event }) => event === 'ready'), { what: 'the beginning' });
      const first = await trading.held(await trading.trader());
      await eventually(() => holds().includes(first), { what: 'the first hold' });
      expect(breaks).toEqual([]);
      proxy.refuse();
      const second = await trading.held(await trading.trader());
      proxy.accept();
      await eventually(() => holds().includes(second), { what: 'the second hold' });
      expect(seen.filter(({ event }) => event === 'ready').length).toBeGreaterThanOrEqual(2);
      expect(breaks.length).toBeGreaterThan(0);
    } finally {
      stop.abort(new Error('enough'));
      await expect(following).rejects.toThrow('enough');
      await proxy.close();
    }
  });

  it('are refused to who may not see them', async () => {
    const customer = await stack.people.signedIn('customer');
    const stream = followEvents({ origin: stack.url, session: { token: customer.token } });
    await expect(stream.next()).rejects.toThrow(ForbiddenError);
  });
});

it('shows no secret in what it throws', async () => {
  const spied = vi.spyOn(console, 'error');
  const trader = await trading.trader();
  const client = clientOf({ session: { token: trader.token }, signingKey: trader.signingKey });
  const refused = await client.transact({ type: 'withdrawal', amount: '1', currency: 'XXX' }).catch((error) => error);
  const shown = JSON.stringify([refused, String(refused), refused.stack]);
  for (const secret of [trader.token, trader.signingKey.secret]) expect(shown).not.toContain(secret);
  expect(spied).not.toHaveBeenCalled();
});

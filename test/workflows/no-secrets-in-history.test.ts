import { afterAll, beforeAll, expect, test } from 'vitest';
import { rows, run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { taskQueues, workflowIds } from '../../workflows/contract.ts';
import { historyTexts, waitUntilListed } from '../helpers/histories.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
/** What must not be found, by what it is. */
const secrets = new Map<string, string>();
const ids: string[] = [];

function keep<T extends string | undefined>(what: string, value: T): T {
  if (value === undefined || value.length < 6) throw new Error(`there is no ${what} to look for`);
  secrets.set(value, what);
  return value;
}

const strangeDevice = (n: number) => ({ ...HOME_DEVICE, screen: { ...HOME_DEVICE.screen, width: 800 + n } });

beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack?.close());

async function newestCode(email: string, count: number): Promise<string> {
  await stack.mail.waitFor(email, { subject: /code/i, count });
  return keep('e-mailed code', stack.mail.codesFor(email).at(-1) ?? '');
}

/** Signs in from a device nobody knows: a wrong code, then the right one. */
async function signInWithCode(person: { email: string; password: string }, n: number): Promise<void> {
  const asked = await stack.people.login(person, { device: strangeDevice(n) });
  expect(asked).toMatchObject({ status: 202, body: { status: 'step_up_required' } });
  const { loginId } = asked.body;
  ids.push(workflowIds.login(loginId));
  const code = await newestCode(person.email, 1);
  const wrong = keep('wrong code', code === '135790' ? '246801' : '135790');
  const path = `/api/auth/login/${loginId}/factors`;
  expect(await stack.api.post(path, { method: 'email_code', code: wrong })).toMatchObject({ status: 401 });
  const done = await stack.api.post(path, { method: 'email_code', code });
  expect(done).toMatchObject({ status: 200, body: { status: 'authenticated' } });
  keep('session token', done.body.session.token);
}

async function lockOut(): Promise<void> {
  const person = await stack.people.register();
  keep('e-mail address', person.email);
  for (let n = 0; n < 5; n += 1) {
    await stack.people.login({ ...person, password: keep('wrong password', `a wrong password, number ${n}`) });
  }
  const found = await rows<{ id: string }>(
    stack.db.fork(),
    'select l.id from lockout l join app_user u on u.id = l.user_id where u.email = $1',
    [person.email],
  );
  expect(found).toHaveLength(1);
  ids.push(workflowIds.lockout(found[0]?.id ?? ''));
}

/** Staff enrol an authenticator at the first login. */
async function enrolAtLogin(): Promise<void> {
  const person = await stack.people.register();
  await run(stack.ownerDb.fork(), `update app_user set role = 'reviewer' where email = $1`, [person.email]);
  const asked = await stack.people.login(person);
  expect(asked).toMatchObject({ status: 202, body: { status: 'enrolment_required' } });
  const { loginId, totp } = asked.body;
  ids.push(workflowIds.login(loginId));
  const secret = keep('authenticator secret', totp.secret);
  const done = await stack.api.post(`/api/auth/login/${loginId}/factors`, {
    method: 'totp',
    code: keep('authenticator code', stack.people.totpCode(secret)),
  });
  expect(done).toMatchObject({ status: 200, body: { status: 'authenticated' } });
  keep('session token', done.body.session.token);
}

async function signingKey(token: string, email: string, nth: number): Promise<IssuedSigningKey> {
  await stack.api.post('/api/auth/step-up/code', {}, { token });
  const proof = { method: 'email_code', code: await newestCode(email, nth) };
  expect(await stack.api.post('/api/auth/step-up', proof, { token })).toMatchObject({ status: 200 });
  const key = await issueSigningKey(stack.api, token);
  keep('signing secret', key.secret);
  return key;
}

/** A transaction above the limit, confirmed with an e-mailed code. */
async function confirmTransaction(token: string, email: string, codesBefore: number): Promise<void> {
  const signWith = await signingKey(token, email, codesBefore + 1);
  const asked = await stack.api.post(
    '/api/transactions',
    { type: 'deposit', amount: '20000.00', currency: 'USD' },
    { token, signWith, headers: { 'Idempotency-Key': keep('idempotency key', uuidV7()) } },
  );
  expect(asked).toMatchObject({ status: 202, body: { status: 'step_up_required' } });
  const { transactionId } = asked.body;
  ids.push(workflowIds.transaction(transactionId));
  const code = await newestCode(email, codesBefore + 2);
  const done = await stack.api.post(
    `/api/transactions/${transactionId}/factors`,
    { method: 'email_code', code },
    { token, signWith },
  );
  expect(done).toMatchObject({ body: { status: 'settled' } });
}

test('no password, code, token, key, name or address is in any history of Temporal', async () => {
  const person = await stack.people.register({ password: keep('password', 'an unmistakable passphrase 4711') });
  keep('e-mail address', person.email);
  keep('name', 'Test Person');
  const first = await stack.people.login(person);
  expect(first).toMatchObject({ status: 200 });
  ids.push(workflowIds.login(first.body.loginId));
  const token = keep('session token', first.body.session.token);
  if (first.body.deviceToken) keep('device token', first.body.deviceToken);

  await signInWithCode(person, 1);
  await confirmTransaction(token, person.email, 1);
  await lockOut();
  await enrolAtLogin();

  await waitUntilListed(stack.temporal, ids);
  const queues = taskQueues(stack.config.taskQueuePrefix);
  const texts = await historyTexts(stack.temporal, stack.keyring, [queues.decisions, queues.background]);
  expect([...texts.keys()]).toEqual(expect.arrayContaining(ids));
  // The search works: what is allowed to be there is found.
  expect(texts.get(workflowIds.login(first.body.loginId))).toContain(first.body.loginId);
  expect(secrets.size).toBeGreaterThan(15);

  const found = [...texts].flatMap(([workflowId, text]) =>
    [...secrets].filter(([secret]) => holds(text, secret)).map(([, what]) => `${what} in ${workflowId}`),
  );
  expect(found).toEqual([]);
});

/** Six digits also occur inside ids and times, by chance: a code counts where it stands alone. */
function holds(text: string, secret: string): boolean {
  if (!/^\d{6}$/.test(secret)) return text.toLowerCase().includes(secret.toLowerCase());
  return new RegExp(`(?<![\\w.-])${secret}(?![\\w.-])`).test(text);
}

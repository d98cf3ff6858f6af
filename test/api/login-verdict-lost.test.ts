import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTemporalGateway } from '../../api/temporal-gateway.ts';
import { oneRow } from '../../db/sql.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createEncryptedDataConverter } from '../../temporal/data-converter.ts';
import { type LoginInput, taskQueues, workflowIds } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let temporal: ReturnType<typeof createTemporalClient>;
beforeAll(async () => {
  stack = await createStack();
  temporal = createTemporalClient({
    address: stack.config.temporalAddress,
    namespace: stack.config.temporalNamespace,
    tls: undefined,
    identity: 'test',
    dataConverter: createEncryptedDataConverter(stack.keyring, 'refuse'),
  });
});
afterAll(async () => {
  await temporal.close();
  await stack.close();
});

/** A login as the API stores it before it asks for a verdict: another attempt like the one just made. */
async function pendingLogin(email: string): Promise<LoginInput> {
  const attemptId = randomUUID();
  const { id } = await oneRow<{ id: string }>(
    stack.ownerDb.fork(),
    `insert into login (id, attempt_id, subject, user_id, status, channel, device, device_signature, ip, network, verdict_deadline)
     select gen_random_uuid(), $2, subject, user_id, 'pending', channel, device, device_signature, ip, network,
            clock_timestamp() + interval '1 minute'
       from login l join app_user u on u.id = l.user_id where u.email_key = $1 limit 1 returning id`,
    [email, attemptId],
  );
  return {
    loginId: id,
    attemptId,
    passwordOk: false,
    userTag: 'test',
    settings: {
      queues: taskQueues(stack.config.taskQueuePrefix),
      stepUpTimeoutMs: 60_000,
      emailCodeTtlMs: 60_000,
      sessionTtlMs: 60_000,
      maxFactorTries: 5,
      deviceCookieRequired: false,
      lockout: { threshold: 5, windowMs: 900_000, durationMs: 900_000 },
    },
  };
}

const gateway = () =>
  createTemporalGateway({ temporal, queues: taskQueues(stack.config.taskQueuePrefix), verdictTimeoutMs: 10_000 });

/** Starts the workflow as the API does, but without the update that waits for its verdict. */
const startUnheard = (input: LoginInput) =>
  stack.temporal.workflow.start('login', {
    workflowId: workflowIds.login(input.loginId),
    taskQueue: input.settings.queues.decisions,
    args: [input],
  });

it('a login that ended without having heard of the request still gives its verdict', async () => {
  const person = await stack.people.register();
  await stack.people.login(person);
  const input = await pendingLogin(person.email);
  await (await startUnheard(input)).result();
  expect(await gateway().login(input)).toEqual({ status: 'invalid_credentials' });
});

it('a login that an operator terminated before its verdict is abandoned, and nobody is signed in', async () => {
  const person = await stack.people.register();
  await stack.people.login(person);
  const input = await pendingLogin(person.email);
  await stack.stopWorker();
  await (await startUnheard({ ...input, passwordOk: true })).terminate('test');
  await stack.startWorker();
  expect(await gateway().login({ ...input, passwordOk: true })).toEqual({ status: 'abandoned' });
  const { sessions } = await oneRow<{ sessions: number }>(
    stack.ownerDb.fork(),
    'select count(*)::int as sessions from session where login_id = $1',
    [input.loginId],
  );
  expect(sessions).toBe(0);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oneRow } from '../../db/sql.ts';
import { scheduleIds } from '../../workers/schedules.ts';
import { taskQueues, workflowIds } from '../../workflows/contract.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

let stack: Stack;
let admin: SignedIn;
beforeAll(async () => {
  stack = await createStack({ schedules: true });
  admin = await stack.people.signedIn('admin');
});
afterAll(() => stack?.close());

/** The queue that Temporal says a workflow's tasks go to, without the installation's prefix. */
async function queueOf(workflowId: string): Promise<string> {
  const { taskQueue } = await stack.temporal.workflow.getHandle(workflowId).describe();
  return taskQueue.slice(`${stack.config.taskQueuePrefix}-`.length);
}
const idOf = async (statement: string, param: string) =>
  (await oneRow<{ id: string }>(stack.db.fork(), statement, [param])).id;

describe('[H17] as Temporal has it', () => {
  test('what somebody waits for is on the queue of decisions: sign-ins and transactions', async () => {
    const person = await stack.people.register();
    const login = await stack.people.login(person);
    expect(await queueOf(workflowIds.login(login.body.loginId))).toBe('decisions');
    const trading = createTrading(stack);
    const { body } = await (await trading.trader()).withdraw('1.00');
    expect(await queueOf(workflowIds.transaction(body.transactionId))).toBe('decisions');
  });

  test('what follows from them is on the queue of background work: lockouts, incidents, restrictions', async () => {
    const person = await stack.people.register();
    for (let n = 0; n < 5; n++) await stack.people.login({ ...person, password: 'not the password' });
    const lockout = await idOf(
      'select l.id from lockout l join app_user u on u.id = l.user_id where u.email = $1',
      person.email,
    );
    expect(await queueOf(workflowIds.lockout(lockout))).toBe('background');

    const trading = createTrading(stack);
    const held = await trading.held(await trading.trader());
    const incident = await idOf('select id from incident where subject_id = $1', held);
    expect(await queueOf(workflowIds.incident(incident))).toBe('background');

    const owner = await stack.people.signedIn('customer');
    const restricted = await stack.api.post(
      `/api/admin/security/accounts/${owner.userId}/restrict`,
      { reason: 'a test looks where it runs' },
      { token: admin.token },
    );
    expect(restricted.status).toBe(200);
    const restriction = await idOf('select id from restriction where user_id = $1', owner.userId);
    expect(await queueOf(workflowIds.restriction(restriction))).toBe('background');
  });

  test('so is what staff ask for, backups and rotations, and all that runs by the clock', async () => {
    const post = (path: string, body: object = {}) => stack.api.post(path, body, { token: admin.token });
    const backup = await post('/api/admin/backups');
    expect(await queueOf(workflowIds.backup(backup.body.backupId))).toBe('background');
    const rotation = await post('/api/admin/keys/rotations', { scope: 'session' });
    expect(await queueOf(workflowIds.keyRotation(rotation.body.rotationId))).toBe('background');
    await post(`/api/admin/keys/rotations/${rotation.body.rotationId}/cancel`);

    const settings = { prefix: stack.config.taskQueuePrefix, queues: taskQueues(stack.config.taskQueuePrefix) };
    const ids = scheduleIds(settings);
    expect(ids.length).toBeGreaterThan(5);
    for (const id of ids) {
      const { action } = await stack.temporal.schedule.getHandle(id).describe();
      expect(action.type === 'startWorkflow' && action.taskQueue, id).toBe(settings.queues.background);
    }
  });

  test('each queue has pollers of its own', async () => {
    const { body } = await stack.api.get('/api/health');
    expect(body.components.workers).toMatchObject({ decisions: 1, background: 1 });
  });
});

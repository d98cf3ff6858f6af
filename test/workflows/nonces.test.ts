import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { NonceMaintenanceReport } from '../../activities/nonces.ts';
import { rows, run } from '../../db/sql.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack?.close());

const maintain = (): Promise<NonceMaintenanceReport> =>
  stack.temporal.workflow.execute('nonceMaintenance', {
    workflowId: `nonces-${randomUUID()}`,
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
    args: [],
  });

it('finds nothing to do right after the API started, which made the partitions', async () => {
  expect(await maintain()).toMatchObject({ created: 0, strays: 0, incidents: [] });
});

it('opens one incident, with its workflow, when nonces found no partition', async () => {
  const partitions = await rows<{ name: string }>(
    stack.ownerDb.fork(),
    `select relname as name from pg_class where relname ~ '^request_nonce_[0-9]+$'`,
  );
  for (const { name } of partitions) await run(stack.ownerDb.fork(), `drop table ${name}`);
  const stray = () =>
    run(stack.db.fork(), 'insert into request_nonce values ($1, $2, clock_timestamp())', [randomUUID(), randomUUID()]);
  await stray();
  const { strays, incidents } = await maintain();
  expect(strays).toBe(1);
  expect(incidents).toEqual([{ incidentId: expect.any(String), severity: 'medium' }]);
  const started = stack.temporal.workflow.getHandle(workflowIds.incident(incidents[0]?.incidentId ?? ''));
  expect((await started.describe()).status.name).toBe('RUNNING');

  expect((await maintain()).strays).toBe(0);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureSchedules } from '../../workers/schedules.ts';
import { taskQueues } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await createStack({ schedules: true });
});
afterAll(() => stack?.close());

const scheduleOf = (name: string) => stack.temporal.schedule.getHandle(`${stack.config.taskQueuePrefix}-${name}`);

test('a worker that boots creates the schedules, and reconcile runs by them', async () => {
  const { spec, policies } = await scheduleOf('reconcile').describe();
  expect(spec.intervals).toMatchObject([{ every: 60_000 }]);
  expect(policies.overlap).toBe('SKIP');
  await scheduleOf('reconcile').trigger();
  const workflowId = await eventually(
    async () => (await scheduleOf('reconcile').describe()).info.recentActions[0]?.action.workflow.workflowId,
  );
  expect(await stack.temporal.workflow.getHandle(workflowId).result()).toMatchObject({ failed: 0 });
});

test('booting again changes nothing, keeps a pause, and brings an altered schedule back', async () => {
  const settings = { prefix: stack.config.taskQueuePrefix, queues: taskQueues(stack.config.taskQueuePrefix) };
  await scheduleOf('reconcile').pause('an operator looks into something');
  await scheduleOf('reconcile').update((previous) => ({ ...previous, spec: { intervals: [{ every: '3 hours' }] } }));
  await Promise.all([ensureSchedules(stack.temporal, settings), ensureSchedules(stack.temporal, settings)]);
  await sleep(200);
  const { spec, state } = await scheduleOf('reconcile').describe();
  expect(spec.intervals).toMatchObject([{ every: 60_000 }]);
  expect(state).toMatchObject({ paused: true, note: 'an operator looks into something' });
});

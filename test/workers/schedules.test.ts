import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastScheduleRuns } from '../../db/schedule-runs.ts';
import { row } from '../../db/sql.ts';
import { nextRun, recurrences, SCHEDULE_NAMES } from '../../domain/schedule.ts';
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

test('Temporal and the dashboard agree on when each schedule runs next', async () => {
  const plan = recurrences(stack.config.backupTimeZone);
  for (const name of SCHEDULE_NAMES) {
    const { info } = await scheduleOf(name).describe();
    const [first = new Date(0), ...more] = info.nextActionTimes;
    expect(more.length, name).toBeGreaterThan(3);
    let at = first.getTime();
    for (const time of more) {
      at = nextRun(plan[name], at);
      expect(new Date(at).toISOString(), name).toBe(time.toISOString());
    }
    expect(nextRun(plan[name], first.getTime() - 1), name).toBe(first.getTime());
  }
});

test.each(['reconcile', 'nonces', 'alerts', 'breaker', 'population', 'device-clean-up', 'audit-checkpoint'] as const)(
  '%s leaves word of its last run',
  async (name) => {
    const before = Date.now();
    await scheduleOf(name).trigger();
    const run = await eventually(
      async () => {
        const found = (await lastScheduleRuns(stack.db.fork())).get(name);
        // An attempt that failed, two runs that meet on a lock for instance, is followed by another one.
        return found?.outcome === 'succeeded' && Date.parse(found.finishedAt ?? '') >= before ? found : undefined;
      },
      { what: `the run of ${name}` },
    );
    expect(run).toMatchObject({ outcome: 'succeeded', reason: null });
    expect(run.workflowId).toContain(`${stack.config.taskQueuePrefix}-${name}`);
    expect(run.succeededAt).toBe(run.finishedAt);
  },
);

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

test('[C8] all keys are renewed at 03:00 on the first of every month, by the schedule in Temporal', async () => {
  const { info, action } = await scheduleOf('key-rotation').describe();
  expect(action).toMatchObject({ workflowType: 'keyRotation', args: [{ scope: 'all', trigger: 'schedule' }] });
  const due = info.nextActionTimes;
  expect(due.length).toBeGreaterThan(5);
  for (const [n, time] of due.entries()) {
    expect(time.toISOString()).toMatch(/-01T03:00:00\.000Z$/);
    const before = due[n - 1];
    if (before !== undefined) expect((time.getUTCMonth() - before.getUTCMonth() + 12) % 12).toBe(1);
  }
  await scheduleOf('key-rotation').trigger();
  const rotation = await eventually(
    () =>
      row<{ workflow_id: string; scope: string }>(
        stack.db.fork(),
        `select workflow_id, scope from key_rotation where trigger = 'schedule' and status = 'running'`,
      ),
    { what: 'a rotation' },
  );
  expect(rotation.scope).toBe('all');
  await stack.temporal.workflow.getHandle(rotation.workflow_id).cancel();
});

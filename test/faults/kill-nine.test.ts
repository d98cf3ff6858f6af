import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { type Instance, type Killable, startInstance } from '../helpers/instance.ts';
import { signUpTraders, type Trader } from '../helpers/traders.ts';
import { faultsAfterwards, premisesOf } from './invariants.ts';
import { killInFlight } from './kills.ts';
import { place, WINDOWS } from './orders.ts';

/** The long form, with ten times as many and several kills: `npm run test:faults`. */
const IN_FLIGHT = 200;
const SHORT_WINDOWS = { ...WINDOWS, QUARANTINE_REVIEW_WINDOW: '8s', STEP_UP_TIMEOUT: '5s' };

let instance: Instance;
let traders: Trader[];

beforeAll(async () => {
  instance = await startInstance(SHORT_WINDOWS);
  traders = await signUpTraders(instance, 20);
}, 180_000);

afterAll(() => instance?.stop(), 60_000);

describe.each<{ name: string; victims: Killable[] }>([
  { name: 'the worker', victims: ['worker'] },
  { name: 'the API', victims: ['api'] },
  { name: 'Temporal', victims: ['temporal'] },
  { name: 'PostgreSQL', victims: ['postgres'] },
  { name: 'all four at once', victims: ['worker', 'api', 'temporal', 'postgres'] },
])('kill -9 of $name with 200 transactions in flight', ({ victims }) => {
  test('every one reaches its end, none settles twice, the ledger balances, the audit chain verifies', async () => {
    const { faults, kills } = await killInFlight({
      ...{ instance, customers: traders, count: IN_FLIGHT, victims, every: 40, times: 1 },
    });
    expect(kills).toBe(1);
    expect(faults).toEqual([]);
  }, 300_000);
});

test('Temporal killed after a workflow was started and before any worker took it: the transaction still happens, once', async () => {
  const trader = traders[0] as Trader;
  const before = instance.endpoints().pids.temporal;
  // A stopped supervisor starts nothing again, so there is no worker until it goes on.
  instance.signal('supervisor', 'SIGSTOP');
  instance.kill('worker');
  await sleep(1000);
  const body = { type: 'deposit', amount: '77.00', currency: 'USD', category: 'salary' };
  const pending = place(() => instance.endpoints().api, { customer: trader, key: randomUUID(), body });
  await startedWorkflow();
  instance.kill('temporal');
  instance.signal('supervisor', 'SIGCONT');
  const answer = await pending;
  expect(answer.status).toBe(201);
  expect(instance.endpoints().pids.temporal).not.toBe(before);
  expect(await faultsAfterwards(premisesOf(instance))).toEqual([]);
}, 180_000);

/** Waits until a transaction's workflow runs whose first task no worker has begun. */
async function startedWorkflow(): Promise<void> {
  const temporal = createTemporalClient({
    address: instance.endpoints().temporal,
    namespace: 'default',
    tls: undefined,
    identity: 'test',
    dataConverter,
  });
  try {
    await vi.waitUntil(
      async () => {
        const running = temporal.client.workflow.list({
          query: `WorkflowType = 'transaction' and ExecutionStatus = 'Running'`,
        });
        for await (const { workflowId } of running) {
          const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
          if (events?.every(({ workflowTaskStartedEventAttributes }) => !workflowTaskStartedEventAttributes))
            return true;
        }
        return false;
      },
      { timeout: 20_000, interval: 250 },
    );
  } finally {
    await temporal.close();
  }
}

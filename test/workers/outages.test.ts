import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import { decodeHistory } from '../helpers/histories.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

type Proxy = Awaited<ReturnType<typeof startTcpProxy>>;
let proxies: { database: Proxy; temporal: Proxy };
let stack: Stack;

beforeAll(async () => {
  const { appUrl, temporalAddress } = inject('servers');
  const [host = '', port] = temporalAddress.split(':');
  const database = new URL(appUrl);
  proxies = {
    database: await startTcpProxy(database.hostname, Number(database.port)),
    temporal: await startTcpProxy(host, Number(port)),
  };
  stack = await createStack({
    env: { TEMPORAL_ADDRESS: `127.0.0.1:${proxies.temporal.port}` },
    databasePort: proxies.database.port,
  });
});
afterAll(async () => {
  await stack?.close();
  await proxies?.database.close();
  await proxies?.temporal.close();
});

/** One workflow from its start to its end, with activities in between. */
async function openAndResolve(): Promise<void> {
  const { incidentId } = await stack.ownerDb.transaction((tx) =>
    openIncident(tx, stack, {
      cause: 'quarantine',
      subjectKind: 'transaction',
      subjectId: uuidV7(),
      userId: null,
      title: 'A test incident',
      details: {},
      key: uuidV7(),
    }),
  );
  await run(stack.ownerDb.fork(), `update incident set status = 'resolved' where id = $1`, [incidentId]);
  await stack.temporal.workflow.execute('incident', {
    workflowId: workflowIds.incident(incidentId),
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
    args: [{ incidentId, severity: 'medium', userTag: 'test' }],
  });
}

describe('the same worker goes on', () => {
  test('after Temporal was away', async () => {
    await openAndResolve();
    proxies.temporal.refuse();
    await sleep(2_000);
    proxies.temporal.accept();
    await eventually(() => openAndResolve().then(() => true), {
      what: 'a workflow after the outage',
      timeoutMs: 40_000,
    });
  });

  test('after the database was away, and finishes what was asked meanwhile', async () => {
    proxies.database.refuse();
    const meanwhile = openAndResolve();
    await sleep(2_000);
    proxies.database.accept();
    await meanwhile;
  });
});

test('a worker that starts while both are away polls as soon as they are back', async () => {
  await stack.stopWorker();
  proxies.database.refuse();
  proxies.temporal.refuse();
  const polling = stack.startWorker();
  await sleep(1_500);
  proxies.database.accept();
  await sleep(1_000);
  proxies.temporal.accept();
  await polling;
  await openAndResolve();
});

test('bad data fails the activity for good and leaves none of the database’s words in the history', async () => {
  const workflowId = workflowIds.incident('not-a-uuid');
  const handle = await stack.temporal.workflow.start('incident', {
    workflowId: `${workflowId}:${uuidV7()}`,
    taskQueue: `${stack.config.taskQueuePrefix}-background`,
    args: [{ incidentId: 'not-a-uuid', severity: 'low', userTag: 'test' }],
  });
  await expect(handle.result()).rejects.toThrow();
  const history = JSON.stringify(await decodeHistory(stack.keyring, await handle.fetchHistory()));
  const texts = [...history.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)].map(([, data = '']) => atob(data)).join('\n');
  expect(texts).toContain('database error 22P02');
  expect(history + texts).not.toMatch(/invalid input syntax|insert into|select /i);
});

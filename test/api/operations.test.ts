import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AlertReport } from '../../activities/alerts.ts';
import { rows, run } from '../../db/sql.ts';
import { workflowIds } from '../../workflows/contract.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';

const METRICS_TOKEN = 'a token for scrapers, long enough';
let stack: Stack;
let auditor: SignedIn;

beforeAll(async () => {
  stack = await createStack({ env: { METRICS_TOKEN } });
  auditor = await stack.people.signedIn('auditor');
});
afterAll(() => stack?.close());

const get = (path: string, token = auditor.token) => stack.api.get(path, { token });

/** Something no program expects: a table is gone. */
async function breakPortfolio<T>(work: () => Promise<T>): Promise<T> {
  await run(stack.ownerDb.fork(), 'alter table account_balance rename to account_balance_away');
  try {
    return await work();
  } finally {
    await run(stack.ownerDb.fork(), 'alter table account_balance_away rename to account_balance');
  }
}

describe('[O2] GET /api/performance/stats', () => {
  test('tells percentiles by route, errors, event loop, memory and pool use', async () => {
    for (let n = 0; n < 20; n += 1) await stack.api.get('/api/instruments', { token: auditor.token });
    await stack.api.get('/api/instruments');
    const { status, body } = await get('/api/performance/stats');
    expect(status).toBe(200);
    const instruments = body.routes.find((one: { route: string }) => one.route === '/api/instruments');
    expect(instruments).toMatchObject({ method: 'GET', sinceStart: { count: 21, clientErrors: 1, serverErrors: 0 } });
    for (const part of [instruments.sinceStart, instruments.lately]) {
      expect(part.p50).toBeGreaterThan(0);
      expect(part.p95).toBeGreaterThanOrEqual(part.p50);
      expect(part.p99).toBeGreaterThanOrEqual(part.p95);
      expect(part.max).toBeGreaterThanOrEqual(part.p99);
    }
    expect(body.eventLoopDelay.p99).toBeGreaterThanOrEqual(0);
    expect(body.memory.rss).toBeGreaterThan(10_000_000);
    expect(body.databasePool).toMatchObject({ max: 30, waiting: 0 });
    expect(body.databasePool.total).toBeGreaterThan(0);
    expect(body.allProcesses.requests).toBeGreaterThanOrEqual(21);
  });

  test('[O4] unexpected errors are one line by kind, with a number and the request to look for in the log', async () => {
    const trader = await createTrading(stack).trader();
    const last = await breakPortfolio(async () => {
      await get('/api/portfolio', trader.token);
      return stack.api.get('/api/portfolio', { token: trader.token, headers: { 'X-Request-Id': 'look-for-this' } });
    });
    expect(last).toMatchObject({ status: 500, body: { code: 'internal_error' } });
    const { body } = await get('/api/performance/stats');
    expect(body.errors).toMatchObject([
      { process: 'api', place: 'GET /api/portfolio', occurrences: 2, lastRequestId: 'look-for-this' },
    ]);
    expect(body.errors[0].message).toBe('database error 42P01');
    expect(body.allProcesses.serverErrors).toBe(2);
  });
});

test('[O4] unexpected errors of activities are counted in the same place', async () => {
  await run(stack.ownerDb.fork(), 'alter table lost_workflow rename to lost_workflow_away');
  try {
    const alerts = stack.temporal.workflow.execute('alerts', {
      workflowId: `alerts-${randomUUID()}`,
      taskQueue: `${stack.config.taskQueuePrefix}-background`,
      args: [],
    });
    await expect(alerts).rejects.toThrow();
  } finally {
    await run(stack.ownerDb.fork(), 'alter table lost_workflow_away rename to lost_workflow');
  }
  const found = await eventually(async () => {
    const { body } = await get('/api/performance/stats');
    return body.errors.find(
      (one: { process: string; occurrences: number }) => one.process === 'worker' && one.occurrences === 3,
    );
  });
  expect(found).toMatchObject({ place: 'evaluateAlerts', message: 'database error 42P01' });
});

describe('[O3] GET /api/task-queue/stats', () => {
  test('tells backlog and pollers of each queue, and workflows by status', async () => {
    await stack.people.customer();
    const answer = await eventually(async () => {
      const found = await get('/api/task-queue/stats');
      const logins = found.body.workflows?.find((one: { type: string }) => one.type === 'login');
      return logins?.byStatus.Completed >= 1 && found;
    });
    const { queues } = answer.body;
    expect(queues.map((one: { queue: string; kind: string }) => `${one.queue} ${one.kind}`).sort()).toEqual([
      'background activity',
      'background workflow',
      'decisions activity',
      'decisions workflow',
    ]);
    for (const queue of queues) {
      expect(queue.name).toBe(`${stack.config.taskQueuePrefix}-${queue.queue}`);
      expect(queue.pollers.length).toBeGreaterThan(0);
    }
  });

  test('without a worker the backlog and its age grow', async () => {
    await stack.stopWorker();
    try {
      const workflowId = `alerts-${randomUUID()}`;
      await stack.temporal.workflow.start('alerts', {
        workflowId,
        taskQueue: `${stack.config.taskQueuePrefix}-background`,
        args: [],
      });
      await eventually(async () => {
        const { body } = await get('/api/task-queue/stats');
        const queue = body.queues.find(
          (one: { queue: string; kind: string }) => one.queue === 'background' && one.kind === 'workflow',
        );
        return queue.backlog >= 1 && queue.oldestSeconds > 1;
      });
    } finally {
      await stack.startWorker();
    }
  });
});

describe('[O4] GET /metrics', () => {
  test('is Prometheus text: requests by pattern, decisions by kind, lag, backlog, holds, pool', async () => {
    await createTrading(stack)
      .trader()
      .then((trader) => trader.withdraw('1.00'));
    const { status, body, headers } = await stack.api.get<string>('/metrics', { token: METRICS_TOKEN });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const line of [
      /^process_resident_memory_bytes \d+/m,
      /^tradeguard_http_request_duration_seconds_bucket\{le="\+Inf",method="POST",route="\/api\/transactions",status="201"\} [1-9]\d*$/m,
      /^tradeguard_decisions_total\{kind="transaction",outcome="settled"\} [1-9]\d*$/m,
      /^tradeguard_decisions_total\{kind="login",outcome="authenticated"\} [1-9]\d*$/m,
      /^tradeguard_audit_seal_lag_seconds [\d.]+$/m,
      /^tradeguard_outbox_waiting \d+$/m,
      /^tradeguard_transactions_held 0$/m,
      /^tradeguard_db_pool_connections\{state="idle"\} \d+$/m,
      /^tradeguard_database_up 1$/m,
    ]) {
      expect(body).toMatch(line);
    }
    // Every line is empty, a comment or a sample.
    for (const line of body.trimEnd().split('\n')) expect(line).toMatch(/^($|#|[a-z0-9_]+(\{.*\})? \S+$)/);
  });

  test('no label holds an id or an address', async () => {
    await stack.api.get(`/api/admin/security/incidents/${randomUUID()}`, { token: auditor.token });
    await stack.api.get(`/somewhere/${randomUUID()}`);
    const { body } = await stack.api.get<string>('/metrics', { token: METRICS_TOKEN });
    expect(body).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-|@|127\.0\.0\.1/);
  });

  test('is for staff and for who has the token', async () => {
    const customer = await stack.people.signedIn('customer');
    expect(await stack.api.get('/metrics')).toMatchObject({ status: 401 });
    expect(await get('/metrics', `${METRICS_TOKEN}x`)).toMatchObject({ status: 401 });
    expect(await get('/metrics', customer.token)).toMatchObject({ status: 403 });
    expect(await get('/metrics')).toMatchObject({ status: 200 });
    // The token opens nothing else.
    expect(await get('/api/performance/stats', METRICS_TOKEN)).toMatchObject({ status: 401 });
  });

  test('without METRICS_TOKEN no token opens it', async () => {
    const other = await createStack({ worker: false });
    try {
      for (const token of ['', 'undefined', METRICS_TOKEN]) {
        expect(await other.api.get('/metrics', { token })).toMatchObject({ status: 401 });
      }
    } finally {
      await other.close();
    }
  });
});

describe('[O4] alerts', () => {
  const evaluate = (): Promise<AlertReport> =>
    stack.temporal.workflow.execute('alerts', {
      workflowId: `alerts-${randomUUID()}`,
      taskQueue: `${stack.config.taskQueuePrefix}-background`,
      args: [],
    });
  const incidents = (name: string) =>
    rows<{ id: string; status: string; severity: string }>(
      stack.db.fork(),
      `select id, status, severity from incident where cause = 'alert' and subject_id = $1 order by opened_at`,
      [name],
    );

  test('what is well opens nothing', async () => {
    expect(await evaluate()).toEqual({ firing: [], incidents: [] });
  });

  test('a letter that is not sent opens one incident, which ends by itself when nobody took it up', async () => {
    await run(
      stack.db.fork(),
      `insert into outbox_mail (id, key, recipient, template, subject, body, created_at, next_attempt_at)
       values ($1, 'stuck', 'a@example.test', 'test', 'test', null, clock_timestamp() - interval '5 minutes',
         clock_timestamp() + interval '1 hour')`,
      [randomUUID()],
    );
    const first = await evaluate();
    expect(first).toMatchObject({ firing: ['outbox_backlog'], incidents: [{ severity: 'high' }] });
    const incidentId = first.incidents[0]?.incidentId ?? '';
    const workflow = stack.temporal.workflow.getHandle(workflowIds.incident(incidentId));
    expect((await workflow.describe()).status.name).toBe('RUNNING');
    expect(await evaluate()).toMatchObject({ firing: ['outbox_backlog'], incidents: [] });
    expect(await incidents('outbox_backlog')).toHaveLength(1);

    await run(stack.db.fork(), `update outbox_mail set sent_at = clock_timestamp() where key = 'stuck'`);
    expect(await evaluate()).toMatchObject({ firing: [], incidents: [{ incidentId }] });
    expect(await incidents('outbox_backlog')).toMatchObject([{ status: 'resolved' }]);
    await workflow.result();
  });

  test('one that somebody took up is theirs to resolve', async () => {
    await run(
      stack.db.fork(),
      `insert into lost_workflow (workflow_id) select 'transaction:' || n from generate_series(1, 11) n`,
    );
    const { incidents: opened } = await evaluate();
    const path = `/api/admin/security/incidents/${opened[0]?.incidentId}`;
    const admin = await stack.people.signedIn('admin');
    await stack.api.post(`${path}/investigate`, {}, { token: admin.token });
    await run(stack.db.fork(), `update lost_workflow set last_at = clock_timestamp() - interval '1 hour'`);
    expect(await evaluate()).toEqual({ firing: [], incidents: [] });
    expect(await incidents('lost_workflows')).toMatchObject([{ status: 'investigating' }]);
  });

  test('server errors of every API process count together', async () => {
    await run(stack.db.fork(), 'delete from http_minute');
    for (const errors of [3, 4]) {
      await run(
        stack.db.fork(),
        `insert into http_minute values ($1, date_trunc('minute', clock_timestamp()), 50, $2)`,
        [randomUUID(), errors],
      );
    }
    expect((await evaluate()).firing).toEqual(['server_errors']);
  });
});

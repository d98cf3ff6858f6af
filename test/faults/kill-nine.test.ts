import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createTemporalClient } from '../../temporal/connection.ts';
import { dataConverter } from '../../temporal/data-converter.ts';
import { type Instance, type Killable, startInstance } from '../helpers/instance.ts';
import { type Answer, inParallel, persistently } from '../helpers/persistent-client.ts';
import { signUpTraders, type Trader } from '../helpers/traders.ts';

const TRADERS = 20;
const IN_FLIGHT = 200;
/** Short, so that held and stepping-up transactions reach their end within the test. */
const WINDOWS = { QUARANTINE_REVIEW_WINDOW: '20s', STEP_UP_TIMEOUT: '15s', LOG_LEVEL: 'warn' };

let instance: Instance;
let traders: Trader[];

beforeAll(async () => {
  instance = await startInstance(WINDOWS);
  traders = await signUpTraders(instance, TRADERS);
}, 180_000);

afterAll(() => instance?.stop(), 60_000);

const transactionsUrl = () => `${instance.endpoints().api}/api/transactions`;

/** Deposits, withdrawals and transfers; some far above the account's average, so that every path is in flight. */
function orders() {
  return Array.from({ length: IN_FLIGHT }, (_, n) => {
    const trader = traders[n % TRADERS] as Trader;
    const other = traders[(n + 7) % TRADERS] as Trader;
    const large = n % 9 === 8;
    const body =
      n < TRADERS * 2
        ? { type: 'deposit', amount: '1000.00', currency: 'USD', category: 'salary' }
        : n % 3 === 0
          ? {
              type: 'transfer',
              amount: large ? '400.00' : '10.00',
              currency: 'USD',
              category: 'family',
              counterparty: other.accountId,
            }
          : { type: 'withdrawal', amount: large ? '600.00' : '25.00', currency: 'USD', category: 'rent' };
    return { trader, key: randomUUID(), body };
  });
}

describe.each<{ name: string; victims: Killable[] }>([
  { name: 'the worker', victims: ['worker'] },
  { name: 'the API', victims: ['api'] },
  { name: 'Temporal', victims: ['temporal'] },
  { name: 'PostgreSQL', victims: ['postgres'] },
  { name: 'all four at once', victims: ['worker', 'api', 'temporal', 'postgres'] },
])('kill -9 of $name with 200 transactions in flight', ({ victims }) => {
  test('every one reaches its end, none settles twice, the ledger balances, the audit chain verifies', async () => {
    const batch = orders();
    let answered = 0;
    let killed = false;
    const answers = await inParallel(batch, 50, async ({ trader, key, body }) => {
      const answer = await persistently(transactionsUrl, {
        token: trader.token,
        signWith: trader.signingKey,
        key,
        body,
      });
      if (++answered === 40 && !killed) {
        killed = true;
        instance.kill(...victims);
      }
      return answer;
    });
    expect(killed).toBe(true);
    const unexpected = answers.filter(({ status }) => ![201, 202, 422].includes(status));
    expect(unexpected.map(({ status, body }) => [status, body])).toEqual([]);

    const ids = answers.map(({ body }) => body.transactionId as string);
    expect(new Set(ids).size).toBe(IN_FLIGHT);
    await allFinal(ids);
    await expectNoSecondEffect(ids);
    await expectSameAnswerAgain(batch[0] as (typeof batch)[number], answers[0] as Answer);
    await expectBooksInOrder();
  }, 300_000);
});

test('Temporal killed after a workflow was started and before any worker took it: the transaction still happens, once', async () => {
  const trader = traders[0] as Trader;
  const before = instance.endpoints().pids.temporal;
  // A stopped supervisor starts nothing again, so there is no worker until it goes on.
  instance.signal('supervisor', 'SIGSTOP');
  instance.kill('worker');
  await sleep(1000);
  const pending = persistently(transactionsUrl, {
    token: trader.token,
    signWith: trader.signingKey,
    key: randomUUID(),
    body: { type: 'deposit', amount: '77.00', currency: 'USD', category: 'salary' },
  });
  await startedWorkflow();
  instance.kill('temporal');
  instance.signal('supervisor', 'SIGCONT');
  const answer = await pending;
  expect(answer.status).toBe(201);
  expect(instance.endpoints().pids.temporal).not.toBe(before);
  await expectNoSecondEffect([answer.body.transactionId]);
  await expectBooksInOrder();
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

async function allFinal(ids: string[]): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const open = await instance.sql<{ id: string; status: string }>(
      'select id, status from transaction where id = any($1) and finished_at is null',
      [ids],
    );
    if (open.length === 0) return;
    if (Date.now() > deadline) expect(open).toEqual([]);
    await sleep(1000);
  }
}

/** What money moved is counted from the rows, not from what the program says of itself. */
async function expectNoSecondEffect(ids: string[]): Promise<void> {
  const perTransaction = await instance.sql<{ status: string; movements: number; traces: number }>(
    `select t.status,
            (select count(*)::int from posting p where p.transaction_id = t.id) as movements,
            (select count(*)::int from audit_entry a where a.subject = t.id::text and a.action = 'transaction.settled') as traces
       from transaction t where t.id = any($1)`,
    [ids],
  );
  expect(perTransaction).toHaveLength(ids.length);
  for (const { status, movements, traces } of perTransaction) {
    expect({ movements, traces }).toEqual(
      status === 'settled' ? { movements: 1, traces: 1 } : { movements: 0, traces: 0 },
    );
  }
}

async function expectSameAnswerAgain(order: ReturnType<typeof orders>[number], first: Answer): Promise<void> {
  const again = await persistently(transactionsUrl, {
    token: order.trader.token,
    signWith: order.trader.signingKey,
    key: order.key,
    body: order.body,
  });
  expect(again.status).toBe(first.status);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get('Idempotency-Replayed')).toBe('true');
}

async function expectBooksInOrder(): Promise<void> {
  const different = await instance.sql(
    `select b.account_id, b.asset, b.balance, l.balance as ledger
       from account_balance b left join ledger_balance l using (account_id, asset)
      where b.balance <> coalesce(l.balance, 0)`,
  );
  expect(different).toEqual([]);
  const [sum] = await instance.sql<{ total: string }>(
    'select coalesce(sum(balance), 0)::text as total from ledger_balance',
  );
  expect(sum?.total).toBe('0');
  const reserved = await instance.sql(
    `select b.account_id, b.reserved, coalesce(sum(r.amount), 0) as open
       from account_balance b
       left join reservation r on r.account_id = b.account_id and r.asset = b.asset and r.released_at is null
      group by b.account_id, b.asset, b.reserved having b.reserved <> coalesce(sum(r.amount), 0)`,
  );
  expect(reserved).toEqual([]);
  const verified = await instance.cli('audit', 'verify');
  expect(verified.code, verified.output).toBe(0);
}

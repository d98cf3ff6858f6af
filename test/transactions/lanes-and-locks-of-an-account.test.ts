import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransactionActivities } from '../../activities/transaction.ts';
import { createAuditLog } from '../../db/audit.ts';
import { createOrm, type Database } from '../../db/orm.ts';
import { createOutbox } from '../../db/outbox.ts';
import type { TransactionInput, TransactionRequest } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('decisions of one account, in one process and in two', () => {
  let stack: Stack;
  let trading: Trading;
  let narrow: Database;

  beforeAll(async () => {
    stack = await createStack({ worker: false });
    trading = createTrading(stack);
    const { databaseUrl } = stack.config;
    narrow = await createOrm({ databaseUrl, poolMax: 3, applicationName: 'narrow' });
  });
  afterAll(async () => {
    await narrow.close();
    await stack.close();
  });

  it('200 decisions of one account hold one of three connections; another account is decided among the first', async () => {
    const activities = activitiesOn(narrow);
    const [busy, quiet] = [await trading.trader(), await trading.trader()];
    let done = 0;
    const flood = Array.from({ length: 200 }, async () => {
      await activities.assessTransaction(inputOf(busy));
      done += 1;
    });
    const { verdict } = await activities.assessTransaction(inputOf(quiet));
    expect(verdict).toMatchObject({ kind: 'decided', httpStatus: 201 });
    expect(done).toBeLessThan(10);
    await Promise.all(flood);
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('two processes that transfer in opposite directions lock in one order: no deadlock', async () => {
    // Each has queues of its own, so only the order of the locks in the database keeps them apart.
    const processes = [activitiesOn(stack.db), activitiesOn(narrow)];
    const [a, b] = [await trading.trader('1000.00'), await trading.trader('1000.00')];
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const [from, to] = n % 2 === 0 ? [a, b] : [b, a];
        return processes[n % 2]?.assessTransaction(inputOf(from, { type: 'transfer', counterparty: to.accountId }));
      }),
    );
    expect(results.map((result) => result?.state?.view.status)).toEqual(Array(60).fill('settled'));
    expect((await a.portfolio()).cash[0].balance).toBe('1000.00');
    expect(await trading.ledgerFaults()).toEqual([]);
  });

  it('twenty processes at once still flag exactly 15 of 20', async () => {
    const trader = await trading.trader();
    const results = await Promise.all(
      Array.from({ length: 20 }, () => activitiesOn(stack.db).assessTransaction(inputOf(trader))),
    );
    const points = await Promise.all(results.map((result) => trading.points(result.state?.view.transactionId ?? '')));
    expect(points.filter((one) => one.velocity === 40)).toHaveLength(15);
  });

  /** The activities of a worker process of its own. */
  function activitiesOn(db: Database) {
    const { keyring, config } = stack;
    return createTransactionActivities({
      db,
      keyring,
      audit: createAuditLog({ auditKey: config.auditKey }),
      outbox: createOutbox({ keyring }),
      publicOrigin: config.publicOrigin,
      log: pino({ level: 'silent' }),
    } as Parameters<typeof createTransactionActivities>[0]);
  }
});

function inputOf(trader: Trader, more: Partial<TransactionRequest> = {}): TransactionInput {
  return {
    request: {
      transactionId: randomUUID(),
      userId: trader.userId,
      accountId: trader.accountId,
      type: 'withdrawal',
      instrument: null,
      quantity: null,
      priceLimit: null,
      amount: '100',
      currency: 'USD',
      category: 'other',
      counterparty: null,
      bodyHash: '00'.repeat(32),
      sessionId: null,
      ip: null,
      requestId: 'test-request',
      submissionId: randomUUID(),
      ...more,
    },
    userTag: 'tag',
    settings: {
      queues: { decisions: 'd', background: 'b' },
      stepUpTimeoutMs: 900_000,
      emailCodeTtlMs: 600_000,
      reviewWindowMs: 86_400_000,
      priceMaxAgeMs: 900_000,
      maxFactorTries: 5,
      baseCurrency: 'USD',
      stepUpAmountMinor: '1000000',
      secondApprovalAboveMinor: null,
    },
    virtual: null,
    resume: null,
  };
}

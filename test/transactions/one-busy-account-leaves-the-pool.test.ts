import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransactionActivities } from '../../activities/transaction.ts';
import { createAuditLog } from '../../db/audit.ts';
import { createOrm, type Database } from '../../db/orm.ts';
import { createOutbox } from '../../db/outbox.ts';
import type { TransactionInput } from '../../workflows/contract.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';

describe('a queue per account stands before the connection pool', () => {
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

  function withdrawal(trader: Trader): TransactionInput {
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

  it('200 decisions of one account hold one of three connections; another account is decided among the first', async () => {
    const { keyring, config } = stack;
    const activities = createTransactionActivities({
      db: narrow,
      keyring,
      audit: createAuditLog({ auditKey: config.auditKey }),
      outbox: createOutbox({ keyring }),
      publicOrigin: config.publicOrigin,
      log: pino({ level: 'silent' }),
    } as Parameters<typeof createTransactionActivities>[0]);
    const [busy, quiet] = [await trading.trader(), await trading.trader()];
    let done = 0;
    const flood = Array.from({ length: 200 }, async () => {
      await activities.assessTransaction(withdrawal(busy));
      done += 1;
    });
    const { verdict } = await activities.assessTransaction(withdrawal(quiet));
    expect(verdict).toMatchObject({ kind: 'decided', httpStatus: 201 });
    expect(done).toBeLessThan(10);
    await Promise.all(flood);
    expect((await trading.ledgerFaults()).length).toBe(0);
  });
});

import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createTransactionActivities } from '../../activities/transaction.ts';
import { createAuditLog } from '../../db/audit.ts';
import type { Database } from '../../db/orm.ts';
import { createOutbox } from '../../db/outbox.ts';
import { DEFAULT_LIMITS, limitsInMinor } from '../../domain/limits.ts';
import type { TaskQueues, TransactionInput, TransactionRequest } from '../../workflows/contract.ts';
import type { Stack } from './stack.ts';
import type { Trader } from './trading.ts';

/** The activities of a worker process of its own, with queues of its own, on a stack's database. */
export function transactionActivities({ keyring, config }: Stack, db: Database) {
  const deps: Pick<ActivityDeps, 'db' | 'keyring' | 'audit' | 'outbox' | 'publicOrigin' | 'log' | 'limits'> = {
    db,
    keyring,
    audit: createAuditLog({ auditKey: config.auditKey }),
    outbox: createOutbox({ keyring }),
    publicOrigin: config.publicOrigin,
    log: pino({ level: 'silent' }),
    limits: limitsInMinor(DEFAULT_LIMITS, 2),
  };
  return createTransactionActivities(deps as ActivityDeps);
}

/** What the API hands to the workflow for a withdrawal of 1.00, under the rules that are the defaults. */
export function transactionInput(
  trader: Trader,
  more: Partial<TransactionRequest> = {},
  queues: TaskQueues = { decisions: 'decisions', background: 'background' },
): TransactionInput {
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
      userAgent: null,
      requestId: 'test-request',
      submissionId: randomUUID(),
      ...more,
    },
    userTag: '0'.repeat(32),
    settings: {
      queues,
      stepUpTimeoutMs: 15 * 60_000,
      emailCodeTtlMs: 10 * 60_000,
      reviewWindowMs: 24 * 3_600_000,
      priceMaxAgeMs: 15 * 60_000,
      payments: 'none',
      paymentTimeoutMs: 24 * 3_600_000,
      maxFactorTries: 5,
      baseCurrency: 'USD',
      rateMaxAgeMs: 26 * 3_600_000,
      stepUpAmountMinor: '1000000',
      secondApprovalAboveMinor: null,
    },
    virtual: null,
    resume: null,
  };
}

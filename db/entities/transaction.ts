import { defineEntity, p } from '@mikro-orm/core';
import type { Reason } from '../../domain/risk/reasons.ts';
import type { RejectionCode, TransactionStatus, TransactionType } from '../../domain/transaction.ts';

/** A transaction with its decision. Amounts are integer minor units (bigint), the score integer hundredths. */
const TransactionSchema = defineEntity({
  name: 'Transaction',
  tableName: 'transaction',
  properties: {
    id: p.uuid().primary(),
    userId: p.uuid(),
    accountId: p.uuid(),
    type: p.text().$type<TransactionType>(),
    instrumentId: p.text().nullable(),
    quantity: p.bigint('bigint').nullable(),
    priceLimit: p.bigint('bigint').nullable(),
    price: p.bigint('bigint').nullable(),
    amount: p.bigint('bigint').nullable(),
    currency: p.text(),
    category: p.text(),
    counterparty: p.text().nullable(),
    counterpartyAccountId: p.uuid().nullable(),
    status: p.text().$type<TransactionStatus>(),
    code: p.text().$type<RejectionCode>().nullable(),
    score: p.integer(),
    ruleSetVersion: p.text(),
    reasons: p.json<Reason[]>(),
    features: p.json<Record<string, unknown>>(),
    holdAfterStepUp: p.boolean().default(false),
    methods: p.json<string[]>(),
    t: p.datetime(),
    createdAt: p.datetime().defaultRaw('clock_timestamp()'),
    stepUpExpiresAt: p.datetime().nullable(),
    heldAt: p.datetime().nullable(),
    reviewBy: p.datetime().nullable(),
    requiredApprovals: p.integer().default(1),
    finishedAt: p.datetime().nullable(),
  },
});

export class Transaction extends TransactionSchema.class {}
TransactionSchema.setClass(Transaction);

import { z } from 'zod';
import type { ReviewItemRow } from '../db/review-queue.ts';
import { displayExponent } from '../db/transactions.ts';
import { formatAmount, formatQuantity } from '../domain/money.ts';
import { explainReason } from '../domain/risk/explanation.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { workflowIds } from '../workflows/contract.ts';
import { labelValue, transactionStatus, transactionType } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';

export const claimSchema = z.object({
  reviewerId: z.uuid(),
  claimedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().describe('Renewed by what its holder does'),
  assignedBy: z.uuid().nullable().describe('The administrator who gave it to them'),
});

export const approvalSchema = z.object({ reviewerId: z.uuid(), reason: z.string(), at: z.iso.datetime() });

/** A held or decided transaction as the queue and the case show it. */
export const reviewItemSchema = z.object({
  transactionId: z.uuid(),
  workflowId: z.string(),
  userId: z.uuid(),
  accountId: z.uuid(),
  type: transactionType,
  instrument: z.string().nullable(),
  quantity: z.string().nullable(),
  amount: z.string(),
  currency: z.string(),
  baseAmount: z.string().nullable().describe('In the base currency; null while there is no exchange rate'),
  baseCurrency: z.string(),
  category: z.string(),
  counterparty: z.string().nullable(),
  status: transactionStatus,
  code: z.string().nullable(),
  score: z.number(),
  ruleSetVersion: z.string(),
  explanation: z.array(z.string()),
  reasons: z.array(z.record(z.string(), z.unknown())),
  createdAt: z.iso.datetime(),
  hold: z.number().int().describe('2 on appeal'),
  heldAt: z.iso.datetime(),
  reviewBy: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  secondsLeft: z.number().int(),
  timeUsed: z.number().min(0).max(1).describe('Share of the time from heldAt to reviewBy'),
  approvals: z.array(approvalSchema),
  requiredApprovals: z.number().int(),
  claim: claimSchema.nullable(),
  label: labelValue.nullable(),
});
nameSchemas({ ReviewClaim: claimSchema, Approval: approvalSchema, ReviewItem: reviewItemSchema });

export function reviewItemView(row: ReviewItemRow): z.output<typeof reviewItemSchema> {
  return {
    transactionId: row.id,
    workflowId: workflowIds.transaction(row.id),
    userId: row.user_id,
    accountId: row.account_id,
    type: row.type,
    instrument: row.instrument_id,
    quantity: row.quantity === null ? null : formatQuantity(BigInt(row.quantity)),
    amount: formatAmount(BigInt(row.amount), displayExponent(row.currency)),
    currency: row.currency,
    baseAmount:
      row.base_amount === null ? null : formatAmount(BigInt(row.base_amount), displayExponent(row.base_currency)),
    baseCurrency: row.base_currency,
    category: row.category,
    counterparty: row.counterparty,
    status: row.status,
    code: row.code,
    score: scoreAsFraction(row.score),
    ruleSetVersion: row.rule_set_version,
    explanation: row.reasons
      .filter(({ points, note }) => points > 0 || note === 'error')
      .map((reason) => explainReason(reason, row.base_currency)),
    reasons: row.reasons.map((reason) => ({ ...reason })),
    createdAt: row.created_at,
    hold: row.hold,
    heldAt: row.held_at,
    reviewBy: row.review_by,
    finishedAt: row.finished_at,
    secondsLeft: row.seconds_left,
    timeUsed: row.time_used,
    approvals: row.approvals,
    requiredApprovals: row.required_approvals,
    claim: row.claim,
    label: row.label,
  };
}

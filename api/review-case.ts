import { z } from 'zod';
import {
  accountHistory,
  addNote,
  appealOf,
  caseTimeline,
  caseVerdicts,
  notesOf,
  type PastTransaction,
} from '../db/review-case.ts';
import { renewClaim } from '../db/review-claims.ts';
import { reviewItem } from '../db/review-queue.ts';
import type { Tx } from '../db/sql.ts';
import { labelsOf } from '../db/transaction-labels.ts';
import { displayExponent, findTransaction, lockTransaction, type TransactionRow } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { formatAmount } from '../domain/money.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { labelValue, transactionStatus, transactionType } from './enumerations.ts';
import { factsOf } from './factor-deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { reviewItemSchema, reviewItemView } from './review-item.ts';
import { reviewRefusal } from './review-refusals.ts';
import { principalOf, type Route, route } from './route.ts';
import { labelSchema } from './transaction-labels.ts';

const PATH = '/api/admin/security/reviews/{transactionId}';
const params = z.object({ transactionId: z.uuid() });

const noteSchema = z.object({
  noteId: z.uuid(),
  authorId: z.uuid(),
  text: z.string(),
  at: z.iso.datetime(),
});
const verdictSchema = z.object({
  hold: z.number().int(),
  reviewerId: z.uuid(),
  verdict: z.enum(['approve', 'reject']),
  reason: z.string(),
  source: z.enum(['api', 'signal']),
  at: z.iso.datetime(),
});
const pastTransaction = z.object({
  transactionId: z.uuid(),
  type: transactionType,
  amount: z.string().nullable(),
  currency: z.string(),
  category: z.string(),
  counterparty: z.string().nullable(),
  status: transactionStatus,
  code: z.string().nullable(),
  score: z.number(),
  label: labelValue.nullable(),
  createdAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
});
const caseSchema = reviewItemSchema.extend({
  notes: z.array(noteSchema),
  verdicts: z.array(verdictSchema).describe('Of every hold; those of the first do not count on appeal'),
  appeal: z
    .object({
      reason: z.string(),
      appealedAt: z.iso.datetime(),
      rejectedCode: z.string(),
      rejectedAt: z.iso.datetime(),
    })
    .nullable(),
  labels: z.array(labelSchema).describe('The first one counts'),
  history: z
    .array(pastTransaction)
    .describe('The latest transactions of the account, twenty at most, without this one'),
  timeline: z
    .array(
      z.object({
        at: z.iso.datetime(),
        incidentId: z.uuid(),
        cause: z.string(),
        kind: z.string(),
        actor: z.string(),
        details: z.record(z.string(), z.unknown()),
      }),
    )
    .describe('What happened to its incidents'),
});
nameSchemas({
  ReviewNote: noteSchema,
  ReviewVerdict: verdictSchema,
  PastTransaction: pastTransaction,
  ReviewCase: caseSchema,
});

/** One held or decided transaction with everything a verdict needs, and the notes of those who look at it. */
export function createReviewCaseRoutes({ db, audit, config }: ApiDeps): Route[] {
  /** @throws DomainError `not_found`, or `own_transaction`: what staff write of somebody is not theirs to read */
  function assertCase(found: TransactionRow | undefined, userId: string): asserts found is TransactionRow {
    if (found === undefined || found.held_at === null) throw noCase();
    if (found.user_id === userId) throw reviewRefusal('own_transaction');
  }

  async function caseOf(tx: Tx, transactionId: string): Promise<z.output<typeof caseSchema>> {
    const item = await reviewItem(tx, transactionId);
    if (item === undefined) throw noCase();
    return {
      ...reviewItemView(item),
      notes: await notesOf(tx, transactionId),
      verdicts: await caseVerdicts(tx, transactionId),
      appeal: await appealOf(tx, transactionId),
      labels: await labelsOf(tx, transactionId),
      history: (await accountHistory(tx, { accountId: item.account_id, transactionId })).map(pastView),
      timeline: await caseTimeline(tx, transactionId),
    };
  }

  return [
    route({
      method: 'get',
      path: PATH,
      name: 'getReview',
      summary: 'One held or decided transaction: reasons, notes, verdicts, claim, the account’s past, the timeline',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' },
      params,
      responses: {
        200: { description: 'The case; that it was read is on record', schema: caseSchema },
        403: { description: 'Your own transaction' },
        404: { description: 'No transaction that is or was held' },
      },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const { transactionId } = context.params;
        const body = await db.transaction(async (tx) => {
          assertCase(await findTransaction(tx, transactionId), userId);
          await audit.append(tx, {
            action: 'review.read',
            actor: { kind: 'user', id: userId },
            subject: { kind: 'transaction', id: transactionId },
            outcome: 'success',
            ...factsOf(context.request),
          });
          return caseOf(tx, transactionId);
        });
        return { status: 200, body };
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/notes`,
      name: 'addReviewNote',
      summary: 'Adds a note to a case; notes are never changed or taken away',
      access: { kind: 'session', roles: ['reviewer', 'admin'], ownership: 'any' },
      params,
      body: z.strictObject({ text: textInput(1, 4000) }),
      responses: {
        201: { description: 'Added; a claim of the caller is renewed', schema: noteSchema },
        403: { description: 'Your own transaction' },
        404: { description: 'No transaction that is or was held' },
      },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const { transactionId } = context.params;
        const note = await db.transaction(async (tx) => {
          assertCase(await lockTransaction(tx, transactionId), userId);
          const added = await addNote(tx, { id: uuidV7(), transactionId, authorId: userId, text: context.body.text });
          await renewClaim(tx, { transactionId, reviewerId: userId, ttlMs: config.reviewClaimTtl });
          await audit.append(tx, {
            action: 'review.noted',
            actor: { kind: 'user', id: userId },
            subject: { kind: 'transaction', id: transactionId },
            outcome: 'success',
            ...factsOf(context.request),
            details: { noteId: added.noteId },
          });
          return added;
        });
        return { status: 201, body: note };
      },
    }),
  ];
}

function pastView(past: PastTransaction) {
  return {
    transactionId: past.id,
    type: past.type,
    amount: past.amount === null ? null : formatAmount(BigInt(past.amount), displayExponent(past.currency)),
    currency: past.currency,
    category: past.category,
    counterparty: past.counterparty,
    status: past.status,
    code: past.code,
    score: scoreAsFraction(past.score),
    label: past.label,
    createdAt: past.created_at,
    finishedAt: past.finished_at,
  };
}

function noCase(): DomainError {
  return new DomainError('not_found', 'There is no transaction with this id that is or was held.');
}

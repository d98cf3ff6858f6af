import { z } from 'zod';
import { type ReviewQueueRow, recordVerdict, reviewQueue, verdictsOf } from '../db/reviews.ts';
import {
  displayExponent,
  findTransaction,
  lockTransaction,
  type TransactionRow,
  transactionView,
} from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { formatAmount, formatQuantity } from '../domain/money.ts';
import type { ReviewVerdict, VerdictRefusal } from '../domain/review.ts';
import { explainReason } from '../domain/risk/explanation.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { isFinal, TRANSACTION_TYPES } from '../domain/transaction.ts';
import { uuidV7 } from '../security/uuid.ts';
import { awaitOutcome } from './await-outcome.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { transactionViewSchema } from './transaction-answers.ts';

const REVIEWERS = ['reviewer', 'admin'] as const;
const params = z.object({ transactionId: z.uuid() });
const body = z.strictObject({ reason: textInput(1, 1000) });
type Context = RouteContext<z.output<typeof params>, unknown, z.output<typeof body>>;

const queueItem = z.object({
  transactionId: z.uuid(),
  userId: z.uuid(),
  accountId: z.uuid(),
  type: z.enum(TRANSACTION_TYPES),
  instrument: z.string().nullable(),
  quantity: z.string().nullable(),
  amount: z.string(),
  currency: z.string(),
  baseAmount: z.string().nullable().describe('In the base currency; null while there is no exchange rate'),
  baseCurrency: z.string(),
  category: z.string(),
  counterparty: z.string().nullable(),
  score: z.number(),
  ruleSetVersion: z.string(),
  explanation: z.array(z.string()),
  reasons: z.array(z.record(z.string(), z.unknown())),
  createdAt: z.iso.datetime(),
  heldAt: z.iso.datetime(),
  reviewBy: z.iso.datetime(),
  secondsLeft: z.number().int(),
  approvals: z.array(z.object({ reviewerId: z.uuid(), reason: z.string(), at: z.iso.datetime() })),
  requiredApprovals: z.number().int(),
});

/** The queue of held transactions, and the verdicts on them. */
export function createReviewRoutes(deps: ApiDeps): Route[] {
  const { db } = deps;
  const queue = route({
    method: 'get',
    path: '/api/admin/security/reviews',
    name: 'listReviews',
    summary: 'Held transactions, the most urgent first, with what made them suspicious',
    access: { kind: 'session', roles: [...REVIEWERS, 'auditor'], ownership: 'any' },
    query: z.strictObject(pageQuery),
    responses: {
      200: {
        description: 'A page',
        schema: z.object({ items: z.array(queueItem), nextCursor: z.string().nullable() }),
      },
    },
    async handler(context) {
      const { limit, cursor } = context.query;
      const found = await reviewQueue(db.fork(), { after: decodeCursor(cursor), limit: limit + 1 });
      const page = pageOf(found, limit, (row) => ({ at: row.position, id: row.id }));
      return { status: 200, body: { ...page, items: page.items.map(toItem) } };
    },
  });
  return [queue, verdictRoute(deps, 'approve'), verdictRoute(deps, 'reject')];
}

function verdictRoute(deps: ApiDeps, verdict: ReviewVerdict): Route {
  const { db, gateway, config } = deps;
  return route({
    method: 'post',
    path: `/api/admin/security/transactions/{transactionId}/${verdict}`,
    name: `${verdict}Transaction`,
    summary: verdict === 'approve' ? 'Approves a held transaction' : 'Rejects a held transaction',
    access: { kind: 'session', roles: REVIEWERS, ownership: 'any' },
    params,
    body,
    responses: {
      200: { description: 'Decided; `status` and `code` say how it ended', schema: transactionViewSchema.partial() },
      202: {
        description: 'Recorded; another reviewer is awaited',
        schema: z.object({ approvals: z.number().int(), required: z.number().int() }),
      },
      403: { description: 'Your own transaction' },
      409: { description: 'Already decided, expired, or approved by you before' },
    },
    async handler(context): Promise<Reply> {
      const { transactionId } = context.params;
      // A verdict that could not be passed on would lie there unheard: without Temporal none is taken.
      await gateway.ping(config.verdictTimeout);
      const { verdictId, review } = await record(deps, context, verdict);
      await gateway.signalReview(transactionId, verdictId);
      if (review.outcome === 'awaiting') {
        return { status: 202, body: { transactionId, approvals: review.approvals, required: review.required } };
      }
      const final = await awaitOutcome(async () => {
        const row = await findTransaction(db.fork(), transactionId);
        return row !== undefined && isFinal(row.status) ? row : undefined;
      }, config.verdictTimeout);
      return finalReply(final, verdict);
    },
  });
}

/**
 * Writes the verdict under the transaction's lock, or the entry of its refusal.
 * @throws DomainError `not_found`, `own_transaction`, `not_a_reviewer`, `not_held`, `already_voted`, `already_decided` or
 *   `review_expired`
 */
async function record({ db, audit }: ApiDeps, context: Context, verdict: ReviewVerdict) {
  const { userId } = principalOf(context);
  const { ip, userAgent, requestId } = context.request;
  const recorded = await db.transaction(async (tx) => {
    const row = await lockTransaction(tx, context.params.transactionId);
    if (row === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
    const result = await recordVerdict(tx, row, {
      id: uuidV7(),
      reviewerId: userId,
      verdict,
      reason: context.body.reason,
      source: 'api',
    });
    if (result.refused === 'already_decided' && row.status === 'quarantined') {
      // Decided by the rows and not carried out yet: whoever decided may ask again after an outage.
      const own = (await verdictsOf(tx, row.id)).find((one) => one.reviewerId === userId && one.verdict === verdict);
      if (own !== undefined && result.review?.counted.includes(own.verdictId)) {
        return { refused: null, verdictId: own.verdictId, review: result.review };
      }
    }
    await audit.append(tx, {
      action: result.refused === null ? 'review.recorded' : 'review.refused',
      actor: { kind: 'user', id: userId },
      subject: { kind: 'transaction', id: row.id },
      outcome: result.refused === null ? 'success' : 'denied',
      ip,
      userAgent,
      requestId,
      workflowId: `transaction:${row.id}`,
      details: {
        verdict,
        source: 'api',
        ...(result.refused === null ? { verdictId: result.verdictId } : { reason: result.refused }),
      },
    });
    return result;
  });
  if (recorded.refused !== null) throw refusal(recorded.refused);
  return recorded;
}

const REFUSALS: Readonly<Record<VerdictRefusal | 'not_held', string>> = {
  not_a_reviewer: 'Only reviewers and admins decide on held transactions.',
  own_transaction: 'Nobody decides on their own transaction.',
  review_expired: 'The time for the review is over.',
  already_voted: 'You have approved this already; another reviewer is awaited.',
  already_decided: 'The transaction is decided already.',
  not_held: 'The transaction waits for its owner and is not under review.',
};

function refusal(reason: VerdictRefusal | 'not_held'): DomainError {
  return new DomainError(reason === 'not_held' ? 'illegal_transition' : reason, REFUSALS[reason]);
}

/** Ends that no reviewer brought about, or another one did. */
const DECIDED_ELSEWHERE = new Set(['cancelled', 'review_expired', 'review_rejected']);

function finalReply(row: TransactionRow, verdict: ReviewVerdict): Reply {
  const code = row.code ?? '';
  if (verdict === 'approve' ? DECIDED_ELSEWHERE.has(code) : code !== 'review_rejected') {
    throw refusal(code === 'review_expired' ? 'review_expired' : 'already_decided');
  }
  return { status: 200, body: transactionView(row) };
}

function toItem(row: ReviewQueueRow) {
  const exponent = displayExponent(row.currency);
  return {
    transactionId: row.id,
    userId: row.user_id,
    accountId: row.account_id,
    type: row.type,
    instrument: row.instrument_id,
    quantity: row.quantity === null ? null : formatQuantity(BigInt(row.quantity)),
    amount: formatAmount(BigInt(row.amount), exponent),
    currency: row.currency,
    baseAmount:
      row.base_amount === null ? null : formatAmount(BigInt(row.base_amount), displayExponent(row.base_currency)),
    baseCurrency: row.base_currency,
    category: row.category,
    counterparty: row.counterparty,
    score: scoreAsFraction(row.score),
    ruleSetVersion: row.rule_set_version,
    explanation: row.reasons
      .filter(({ points, note }) => points > 0 || note === 'error')
      .map((reason) => explainReason(reason, row.base_currency)),
    reasons: row.reasons,
    createdAt: row.created_at,
    heldAt: row.held_at,
    reviewBy: row.review_by,
    secondsLeft: row.seconds_left,
    approvals: row.approvals,
    requiredApprovals: row.required_approvals,
  };
}

import { z } from 'zod';
import { recordVerdict, verdictsOf } from '../db/reviews.ts';
import { findTransaction, lockWithAccounts, type TransactionRow, transactionView } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import type { ReviewVerdict } from '../domain/review.ts';
import { isFinal } from '../domain/transaction.ts';
import { contradicts, TRANSACTION_LABELS, type TransactionLabel } from '../domain/transaction-label.ts';
import { uuidV7 } from '../security/uuid.ts';
import { awaitOutcome } from './await-outcome.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { reviewRefusal } from './review-refusals.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { transactionViewSchema } from './transaction-answers.ts';

const REVIEWERS = ['reviewer', 'admin'] as const;
const params = z.object({ transactionId: z.uuid() });
/** A label that says the opposite of its verdict is not one of its labels. */
const bodyOf = (verdict: ReviewVerdict) =>
  z.strictObject({
    reason: textInput(1, 1000),
    label: z
      .enum(TRANSACTION_LABELS)
      .exclude(TRANSACTION_LABELS.filter((label) => contradicts(verdict, label)))
      .optional()
      .describe('What it turned out to be; `inconclusive` where nobody says'),
  });
type Body = { reason: string; label?: TransactionLabel | undefined };
type Context = RouteContext<z.output<typeof params>, unknown, Body>;

/** Verdicts on held transactions. */
export function createReviewRoutes(deps: ApiDeps): Route[] {
  return [verdictRoute(deps, 'approve'), verdictRoute(deps, 'reject')];
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
    body: bodyOf(verdict),
    responses: {
      200: { description: 'Decided; `status` and `code` say how it ended', schema: transactionViewSchema.partial() },
      202: {
        description: 'Recorded; another reviewer is awaited',
        schema: z.object({ transactionId: z.uuid(), approvals: z.number().int(), required: z.number().int() }),
      },
      403: { description: 'Your own transaction, or one that you have rejected before its appeal' },
      409: { description: 'Already decided, expired, approved by you before, or claimed by somebody else' },
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
 * @throws DomainError `not_found`, `own_transaction`, `not_a_reviewer`, `decided_before`, `illegal_transition`, `already_voted`,
 *   `already_decided`, `claimed_by_other` or `review_expired`
 */
async function record({ db, audit }: ApiDeps, context: Context, verdict: ReviewVerdict) {
  const { userId } = principalOf(context);
  const { ip, userAgent, requestId } = context.request;
  const recorded = await db.transaction(async (tx) => {
    const row = await lockWithAccounts(tx, context.params.transactionId);
    if (row === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
    const result = await recordVerdict(tx, row, {
      id: uuidV7(),
      reviewerId: userId,
      verdict,
      source: 'api',
      ...context.body,
    });
    if (result.refused === 'already_decided' && row.status === 'quarantined') {
      // Decided by the rows and not carried out yet: whoever decided may ask again after an outage.
      const own = (await verdictsOf(tx, row)).find((one) => one.reviewerId === userId && one.verdict === verdict);
      if (own !== undefined && result.review?.counted.includes(own.verdictId)) {
        return { refused: null, verdictId: own.verdictId, review: result.review, overrode: null };
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
        ...(context.body.label === undefined ? {} : { label: context.body.label }),
        ...(result.refused === null ? { verdictId: result.verdictId } : { reason: result.refused }),
        // An administrator may decide what somebody else looks after; who, is on record.
        ...(result.refused === null && result.overrode !== null ? { overrode: result.overrode } : {}),
      },
    });
    return result;
  });
  if (recorded.refused === 'claimed_by_other') throw reviewRefusal('claimed_by_other', recorded.claim);
  if (recorded.refused !== null) throw reviewRefusal(recorded.refused);
  return recorded;
}

/** Ends that no reviewer brought about, or another one did. */
const DECIDED_ELSEWHERE = new Set(['cancelled', 'review_expired', 'review_rejected']);

function finalReply(row: TransactionRow, verdict: ReviewVerdict): Reply {
  const code = row.code ?? '';
  if (verdict === 'approve' ? DECIDED_ELSEWHERE.has(code) : code !== 'review_rejected') {
    throw reviewRefusal(code === 'review_expired' ? 'review_expired' : 'already_decided');
  }
  return { status: 200, body: transactionView(row) };
}

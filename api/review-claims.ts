import { z } from 'zod';
import { activeClaim, assignClaim, endClaim, type ReviewClaim, takeClaim } from '../db/review-claims.ts';
import { refuseHandler, reviewerAt } from '../db/reviews.ts';
import type { Tx } from '../db/sql.ts';
import { lockTransaction, type TransactionRow } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { canAdminister } from '../domain/roles.ts';
import type { ApiDeps } from './deps.ts';
import { factsOf } from './factor-deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { claimSchema } from './review-item.ts';
import { type ReviewRefusal, reviewRefusal } from './review-refusals.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';

const PATH = '/api/admin/security/reviews/{transactionId}';
const REVIEWERS = ['reviewer', 'admin'] as const;
const params = z.object({ transactionId: z.uuid() });
const assignBody = z.strictObject({ reviewerId: z.uuid().describe('A reviewer or an administrator') });
const answer = z.object({ transactionId: z.uuid(), claim: claimSchema.nullable() });
nameSchemas({ ReviewAssignment: answer });
type Context = RouteContext<z.output<typeof params>>;

/** What came of it: the claim as it is now, or why nothing changed. `trace` is for the audit log. */
type Outcome =
  | { refused: null; claim: ReviewClaim | null; trace: Record<string, unknown> }
  | { refused: ReviewRefusal; by?: ReviewClaim };

/** Who looks after a held transaction: one reviewer at a time, who takes it, gives it back, or is given it. */
export function createReviewClaimRoutes({ db, audit, config }: ApiDeps): Route[] {
  const ttlMs = config.reviewClaimTtl;

  /** Does it under the transaction's lock and records what came of it; a refusal is recorded before it is thrown. */
  async function change(
    context: Context,
    action: 'review.claimed' | 'review.released' | 'review.assigned',
    apply: (tx: Tx, held: TransactionRow) => Promise<Outcome>,
  ) {
    const { userId } = principalOf(context);
    const { transactionId } = context.params;
    const outcome = await db.transaction(async (tx) => {
      const held = await lockTransaction(tx, transactionId);
      if (held === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
      const result = await apply(tx, held);
      await audit.append(tx, {
        action,
        actor: { kind: 'user', id: userId },
        subject: { kind: 'transaction', id: transactionId },
        outcome: result.refused === null ? 'success' : 'denied',
        ...factsOf(context.request),
        workflowId: `transaction:${transactionId}`,
        details: result.refused === null ? result.trace : { reason: result.refused },
      });
      return result;
    });
    if (outcome.refused !== null) throw reviewRefusal(outcome.refused, outcome.by);
    return { status: 200, body: { transactionId, claim: outcome.claim } };
  }

  async function claim(tx: Tx, held: TransactionRow, userId: string): Promise<Outcome> {
    const role = (await reviewerAt(tx, userId))?.role ?? 'customer';
    const refused = await refuseHandler(tx, held, { id: userId, role });
    if (refused !== null) return { refused };
    const taken = await takeClaim(tx, { transactionId: held.id, reviewerId: userId, ttlMs });
    if (taken !== null) return { refused: null, claim: taken, trace: { until: taken.expiresAt } };
    const by = await activeClaim(tx, held.id);
    return by === null ? { refused: 'already_claimed' } : { refused: 'already_claimed', by };
  }

  async function release(tx: Tx, held: TransactionRow, userId: string): Promise<Outcome> {
    const present = await activeClaim(tx, held.id);
    if (present === null) return { refused: 'not_claimed' };
    const role = (await reviewerAt(tx, userId))?.role ?? 'customer';
    if (present.reviewerId !== userId && !canAdminister(role)) return { refused: 'claimed_by_other', by: present };
    await endClaim(tx, held.id);
    return { refused: null, claim: null, trace: { reviewerId: present.reviewerId } };
  }

  async function assign(tx: Tx, held: TransactionRow, by: string, reviewerId: string): Promise<Outcome> {
    const role = (await reviewerAt(tx, reviewerId))?.role ?? 'customer';
    const refused = await refuseHandler(tx, held, { id: reviewerId, role });
    if (refused !== null) return { refused };
    const before = await activeClaim(tx, held.id);
    const given = await assignClaim(tx, { transactionId: held.id, reviewerId, assignedBy: by, ttlMs });
    const trace = { reviewerId, until: given.expiresAt, ...(before === null ? {} : { before: before.reviewerId }) };
    return { refused: null, claim: given, trace };
  }

  return [
    route({
      method: 'post',
      path: `${PATH}/claim`,
      name: 'claimReview',
      summary: 'Takes a held transaction up, or renews the caller’s claim on it',
      access: { kind: 'session', roles: REVIEWERS, ownership: 'any' },
      params,
      responses: {
        200: { description: 'It is the caller’s until it lapses', schema: answer },
        403: { description: 'Your own transaction, or one that you have rejected before its appeal' },
        409: { description: 'already_claimed, with who has it; already_decided; already_voted' },
      },
      handler: (context) => {
        const { userId } = principalOf(context);
        return change(context, 'review.claimed', (tx, held) => claim(tx, held, userId));
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/release`,
      name: 'releaseReview',
      summary: 'Gives a claimed transaction back; administrators those of others, too',
      access: { kind: 'session', roles: REVIEWERS, ownership: 'any' },
      params,
      responses: {
        200: { description: 'Nobody has it', schema: answer },
        409: { description: 'not_claimed, or claimed_by_other' },
      },
      handler: (context) => {
        const { userId } = principalOf(context);
        return change(context, 'review.released', (tx, held) => release(tx, held, userId));
      },
    }),
    route({
      method: 'post',
      path: `${PATH}/assign`,
      name: 'assignReview',
      summary: 'Gives a held transaction to a reviewer, whoever has it',
      access: { kind: 'session', roles: ['admin'], ownership: 'any' },
      params,
      body: assignBody,
      responses: {
        200: { description: 'It is theirs until it lapses', schema: answer },
        403: { description: 'They may not decide on it: own_transaction, not_a_reviewer or decided_before' },
        409: { description: 'already_decided, or already_voted' },
      },
      handler: (context) => {
        const { userId } = principalOf(context);
        const { reviewerId } = context.body;
        return change(context, 'review.assigned', (tx, held) => assign(tx, held, userId, reviewerId));
      },
    }),
  ];
}

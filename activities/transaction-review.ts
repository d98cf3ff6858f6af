import { z } from 'zod';
import { useOperatorCode } from '../db/operator-codes.ts';
import { recordVerdict, reviewSubjectOf, verdictsOf } from '../db/reviews.ts';
import { row as firstRow, type Tx } from '../db/sql.ts';
import { decideReview } from '../domain/review.ts';
import { contradicts, TRANSACTION_LABELS } from '../domain/transaction-label.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { TransactionState } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import type { Ending, TransactionEnding } from './transaction-ending.ts';
import type { LockedTransaction, StepEffect, TransactionStep } from './transaction-step.ts';

/** Why a review signal changed nothing; null when it counted. */
export type ReviewRefusal = string | null;

/**
 * Verdicts on held transactions. The rows are the truth: whatever arrives, the recorded verdicts are taken together and
 * decide, so the order in which signals come does not matter.
 */
export type TransactionReview = ReturnType<typeof createTransactionReview>;

export function createTransactionReview(deps: ActivityDeps, step: TransactionStep, ending: TransactionEnding) {
  const { audit, keyring } = deps;

  /** Ends the hold if the recorded verdicts are enough for it. */
  async function applyRecorded({ tx, row, owner }: LockedTransaction): Promise<Ending> {
    const subject = await reviewSubjectOf(tx, row);
    if (row.status !== 'quarantined' || subject === null) return { incidents: [] };
    const verdicts = await verdictsOf(tx, row);
    const { outcome, approvals, counted } = decideReview(subject, verdicts);
    if (outcome === 'awaiting') return { incidents: [] };
    const last = verdicts.findLast((verdict) => counted.includes(verdict.verdictId));
    const actor = last === undefined ? ({ kind: 'system' } as const) : ({ kind: 'user', id: last.reviewerId } as const);
    if (outcome === 'rejected') return ending.reject(tx, row, owner, 'review_rejected', actor);
    await ending.record(tx, row, actor, 'transaction.approved', { approvals });
    return ending.settle(tx, row, owner, actor);
  }

  async function refuse(tx: Tx, transactionId: string, reason: string, reviewerId: string | null): Promise<void> {
    await audit.append(tx, {
      action: 'review.refused',
      actor: { kind: 'operator', ...(reviewerId === null ? {} : { id: reviewerId }) },
      subject: { kind: 'transaction', id: transactionId },
      outcome: 'denied',
      workflowId: `transaction:${transactionId}`,
      details: { reason, source: 'signal' },
    });
  }

  /** A verdict that an operator sent from the Temporal UI or CLI: proven by a code of the reviewer's authenticator. */
  async function recordSigned({ tx, row }: LockedTransaction, signed: SignedVerdict): Promise<ReviewRefusal> {
    const reviewerId = await reviewerNamed(tx, signed.reviewer);
    if (reviewerId === null) return refuseWith('reviewer_unknown', null);
    const code = await useOperatorCode(tx, keyring, reviewerId, signed.totp);
    if (code !== 'used') return refuseWith(code, reviewerId);
    const { totp: _, reviewer: __, ...given } = signed;
    const { verdict } = given;
    if (given.label !== undefined && contradicts(verdict, given.label)) {
      return refuseWith('label_contradicts', reviewerId);
    }
    const recorded = await recordVerdict(tx, row, { id: uuidV7(), reviewerId, source: 'signal', ...given });
    if (recorded.refused !== null) return refuseWith(recorded.refused, reviewerId);
    await audit.append(tx, {
      action: 'review.recorded',
      actor: { kind: 'operator', id: reviewerId },
      subject: { kind: 'transaction', id: row.id },
      outcome: 'success',
      workflowId: `transaction:${row.id}`,
      details: {
        ...{ verdict, source: 'signal', verdictId: recorded.verdictId },
        ...(given.label === undefined ? {} : { label: given.label }),
        ...(recorded.overrode === null ? {} : { overrode: recorded.overrode }),
      },
    });
    return null;

    async function refuseWith(why: string, reviewer: string | null): Promise<string> {
      await refuse(tx, row.id, why, reviewer);
      return why;
    }
  }

  async function applySignal(locked: LockedTransaction, payload: unknown): Promise<StepEffect<ReviewRefusal>> {
    const signal = reviewSignal.safeParse(payload);
    const { tx, row } = locked;
    if (!signal.success) {
      await refuse(tx, row.id, 'signal_malformed', null);
      return { result: 'signal_malformed' };
    }
    if ('totp' in signal.data) {
      const refusal = await recordSigned(locked, signal.data);
      if (refusal !== null) return { result: refusal };
    } else if (!(await isRecorded(tx, row.id, signal.data.verdictId))) {
      await refuse(tx, row.id, 'verdict_unknown', null);
      return { result: 'verdict_unknown' };
    }
    return { result: null, ...(await applyRecorded(locked)) };
  }

  return {
    /**
     * Takes one `review` signal. Anyone who reaches Temporal can send one, so nothing in it is believed: it names a row
     * that the API wrote, or carries a code that is checked and used up here. All else is refused and recorded.
     *
     * @param n which signal of this workflow it is, so that a retry is the same one
     */
    async applyReview(
      transactionId: string,
      n: string,
      payload: unknown,
    ): Promise<{ state: TransactionState; refused: ReviewRefusal }> {
      const { state, result } = await step.run<ReviewRefusal>(transactionId, `review:${n}`, (locked) =>
        applySignal(locked, payload),
      );
      return { state, refused: result };
    },

    /**
     * The review window is over, as the workflow's timer says. Verdicts that were recorded in time (database time) count,
     * however late this runs; without them the hold ends rejected.
     *
     * @param hold which of the transaction's holds it was: a late end of the first one says nothing about that on appeal
     */
    async expireReview(transactionId: string, hold = 1): Promise<TransactionState> {
      const key = hold === 1 ? 'review-expired' : `review-expired:${hold}`;
      const { state } = await step.run(transactionId, key, async (locked) => {
        const { tx, row, owner } = locked;
        if (row.status !== 'quarantined' || row.hold !== hold) return { result: null };
        const { incidents } = await applyRecorded(locked);
        const { status } = (await firstRow<{ status: string }>(tx, 'select status from transaction where id = $1', [
          row.id,
        ])) ?? { status: row.status };
        if (status !== 'quarantined') return { result: null, incidents };
        return { result: null, ...(await ending.reject(tx, row, owner, 'review_expired')) };
      });
      return state;
    },

    applyRecorded,
  };
}

/** UUID or e-mail address, as an operator would write it. */
const signedVerdict = z.strictObject({
  reviewer: z.string().min(3).max(254),
  verdict: z.enum(['approve', 'reject']),
  reason: z
    .string()
    .trim()
    .min(1)
    .max(1000)
    .refine((text) => text.isWellFormed() && !text.includes('\0')),
  totp: z.string().regex(/^\d{6}$/),
  label: z.enum(TRANSACTION_LABELS).optional(),
});
type SignedVerdict = z.output<typeof signedVerdict>;

const reviewSignal = z.union([z.strictObject({ verdictId: z.uuid() }), signedVerdict]);

async function isRecorded(tx: Tx, transactionId: string, verdictId: string): Promise<boolean> {
  const found = await firstRow(tx, 'select 1 from review_verdict where id = $1 and transaction_id = $2', [
    verdictId,
    transactionId,
  ]);
  return found !== undefined;
}

async function reviewerNamed(tx: Tx, name: string): Promise<string | null> {
  const found = await firstRow<{ id: string }>(
    tx,
    'select id from app_user where (id::text = lower($1) or email_key = lower($1)) and disabled_at is null',
    [name.trim()],
  );
  return found?.id ?? null;
}

import { once } from '../db/once.ts';
import { findTransaction, type NewTransaction } from '../db/transactions.ts';
import type { FollowUps, TransactionInput, TransactionState, TransactionVerdict } from '../workflows/contract.ts';
import { createAccountLanes } from './account-lanes.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';
import { createTransactionDecision } from './transaction-assess.ts';
import { createTransactionClosing } from './transaction-closing.ts';
import { createTransactionEnding } from './transaction-ending.ts';
import { createTransactionPayment } from './transaction-payment.ts';
import { createTransactionReminders } from './transaction-reminders.ts';
import { createTransactionReview } from './transaction-review.ts';
import { createTransactionStep, currentSignal, stateOf } from './transaction-step.ts';
import { createTransactionStepUp } from './transaction-step-up.ts';

/** The first decision: what the client is told, and the state to go on from (null where nothing was stored). */
export interface AssessedTransaction {
  verdict: TransactionVerdict;
  state: TransactionState | null;
}

const NONE: FollowUps = { mails: [], incidents: [] };

/** Everything a transaction's workflow does: one database transaction each, once per key, in its accounts' lanes. */
export function createTransactionActivities(deps: ActivityDeps) {
  const { db } = deps;
  const lanes = createAccountLanes();
  const decision = createTransactionDecision(deps);
  const step = createTransactionStep(deps, lanes);
  const ending = createTransactionEnding(deps);
  const stepUp = createTransactionStepUp(deps, step, ending);
  const { applyRecorded, ...review } = createTransactionReview(deps, step, ending);
  const closing = createTransactionClosing(deps, step, ending, { applyRecorded, ...review });

  async function assess(input: TransactionInput): Promise<AssessedTransaction> {
    const { request } = input;
    const origin = { bodyHash: request.bodyHash, submissionId: request.submissionId };
    const accounts = [
      request.accountId,
      ...(request.type === 'transfer' && request.counterparty ? [request.counterparty] : []),
    ];
    return lanes.run(
      [...new Set(accounts)],
      () =>
        db.transaction(async (tx) => {
          let stored: NewTransaction | undefined;
          const assessed = await once(tx, `transaction:${request.transactionId}:assess`, async () => {
            const decided = await decision.decide(tx, input);
            if (decided.refused !== null) return { refused: decided.refused, followUps: NONE };
            stored = decided.stored;
            return { refused: null, followUps: decided.followUps };
          });
          if (assessed.refused !== null) {
            return { verdict: { ...origin, kind: 'refused' as const, code: assessed.refused }, state: null };
          }
          // A repeat finds the row, which may have moved on since.
          const row = stored ?? (await findTransaction(tx, request.transactionId));
          if (row === undefined) throw new Error(`transaction ${request.transactionId} is decided and not stored`);
          return {
            verdict: {
              bodyHash: row.body_hash,
              submissionId: request.submissionId,
              kind: 'decided' as const,
              httpStatus: row.first_status,
              body: row.first_body,
              requestId: row.request_id ?? request.requestId,
            },
            state: await stateOf(tx, row, assessed.followUps),
          };
        }),
      currentSignal(),
    );
  }

  return {
    /**
     * Decides about a new transaction and stores the decision; settles it where the decision is to settle. Again: the
     * first verdict, and the present state.
     */
    assessTransaction: (input: TransactionInput): Promise<AssessedTransaction> =>
      finalOnDataErrors(() => assess(input)),
    ...stepUp,
    ...review,
    ...closing,
    ...createTransactionReminders(deps, step),
    ...createTransactionPayment(deps, step, ending),
  };
}

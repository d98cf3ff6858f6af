import { once } from '../db/once.ts';
import { findTransaction, type NewTransaction } from '../db/transactions.ts';
import type { TransactionStatus } from '../domain/transaction.ts';
import type { FollowUps, TransactionInput, TransactionState, TransactionVerdict } from '../workflows/contract.ts';
import { createAccountLanes } from './account-lanes.ts';
import { createBreaker } from './breaker.ts';
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
/** What a decision to hold looks like at first. */
const HOLDS: ReadonlySet<TransactionStatus> = new Set(['quarantined', 'step_up_required']);

/** Everything a transaction's workflow does: one database transaction each, once per key, in its accounts' lanes. */
export function createTransactionActivities(deps: ActivityDeps) {
  const { db } = deps;
  const lanes = createAccountLanes();
  const decision = createTransactionDecision(deps);
  const breaker = createBreaker(deps);
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

  /**
   * A hold may be one too many for the rule set that asked for it. Looked at once the decision stands, in a transaction of
   * its own: no lock is held, and a look that fails takes no decision down, since the schedule looks every minute.
   */
  async function watched(assessed: AssessedTransaction): Promise<AssessedTransaction> {
    const { state } = assessed;
    if (state === null || !HOLDS.has(state.view.status)) return assessed;
    try {
      const { incidents } = await breaker.look();
      if (incidents.length === 0) return assessed;
      const followUps = { ...state.followUps, incidents: [...state.followUps.incidents, ...incidents] };
      return { ...assessed, state: { ...state, followUps } };
    } catch (error) {
      deps.log.warn({ err: error }, 'the breaker could not look');
      return assessed;
    }
  }

  return {
    /**
     * Decides about a new transaction and stores the decision; settles it where the decision is to settle. Again: the
     * first verdict, and the present state.
     */
    assessTransaction: (input: TransactionInput): Promise<AssessedTransaction> =>
      finalOnDataErrors(async () => watched(await assess(input))),
    ...stepUp,
    ...review,
    ...closing,
    ...createTransactionReminders(deps, step),
    ...createTransactionPayment(deps, step, ending),
  };
}

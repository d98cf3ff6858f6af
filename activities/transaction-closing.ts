import { rows } from '../db/sql.ts';
import type { Severity } from '../domain/incident.ts';
import type { TransactionState } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import type { TransactionEnding } from './transaction-ending.ts';
import type { TransactionReview } from './transaction-review.ts';
import type { LockedTransaction, StepEffect, TransactionStep } from './transaction-step.ts';

/** Taking a transaction back, and taking it up again after its workflow was lost. */
export function createTransactionClosing(
  { audit }: Pick<ActivityDeps, 'audit'>,
  step: TransactionStep,
  ending: TransactionEnding,
  review: TransactionReview,
) {
  async function cancel(
    { tx, row, owner }: LockedTransaction,
    by: 'owner' | 'operator',
  ): Promise<StepEffect<{ cancelled: boolean }>> {
    // A deposit that waits for its payment is taken back at the provider first: see `followPayment`.
    if (row.status !== 'step_up_required' && row.status !== 'quarantined') return { result: { cancelled: false } };
    // The signal alone proves nothing: the owner's wish is the row that the API wrote for their session.
    if (by === 'owner' && row.cancel_requested_at === null) {
      await audit.append(tx, {
        action: 'transaction.cancel_refused',
        actor: { kind: 'operator' },
        subject: { kind: 'transaction', id: row.id },
        outcome: 'denied',
        workflowId: `transaction:${row.id}`,
        details: { reason: 'not_requested_by_owner' },
      });
      return { result: { cancelled: false } };
    }
    const actor = by === 'owner' ? ({ kind: 'user', id: row.user_id } as const) : ({ kind: 'operator' } as const);
    return { result: { cancelled: true }, ...(await ending.reject(tx, row, owner, 'cancelled', actor)) };
  }

  async function unresolvedHold({ tx, row }: LockedTransaction) {
    return rows<{ incidentId: string; severity: Severity }>(
      tx,
      `select id as "incidentId", severity from incident
        where cause = 'quarantine' and subject_kind = 'transaction' and subject_id = $1 and status <> 'resolved'`,
      [row.id],
    );
  }

  return {
    /**
     * Rejects an open transaction and frees its funds: for the owner, who asked the API, or for an operator who cancelled
     * the workflow.
     * @param n which signal of this workflow it is
     */
    async cancelTransaction(transactionId: string, n: string, by: 'owner' | 'operator'): Promise<TransactionState> {
      const { state } = await step.run(transactionId, `cancel:${n}`, (locked) => cancel(locked, by));
      return state;
    },

    /**
     * Where a transaction stands whose workflow was lost, or which its owner has appealed, after what was recorded meanwhile
     * is applied.
     * @param n which run of its workflow it is
     */
    async resumeTransaction(transactionId: string, n: string): Promise<TransactionState> {
      const { state } = await step.run(transactionId, `resume:${n}`, async (locked) => {
        if (locked.row.cancel_requested_at !== null) return { ...(await cancel(locked, 'owner')), result: null };
        const { incidents } = await review.applyRecorded(locked);
        // The API opened the incident of an appeal: its workflow is started here.
        const opened = locked.row.hold === 1 ? [] : await unresolvedHold(locked);
        return { result: null, incidents: [...incidents, ...opened] };
      });
      return state;
    },
  };
}

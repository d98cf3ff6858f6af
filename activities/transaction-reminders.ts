import { addIncidentEvent } from '../db/incidents.ts';
import { activeClaim } from '../db/review-claims.ts';
import { row as firstRow, iso, rows } from '../db/sql.ts';
import type { ReminderShare } from '../domain/review-sla.ts';
import type { TransactionState } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import type { LockedTransaction, TransactionStep } from './transaction-step.ts';

/** Reminds whoever has to decide about a held transaction that its time runs out. */
export function createTransactionReminders(
  { outbox, publicOrigin }: Pick<ActivityDeps, 'outbox' | 'publicOrigin'>,
  step: TransactionStep,
) {
  /** Who has claimed it, else everybody who may decide; never its owner. */
  async function recipients({ tx, row }: LockedTransaction): Promise<{ id: string; email: string }[]> {
    const staff = await rows<{ id: string; email: string }>(
      tx,
      `select id, email from app_user
        where role in ('reviewer', 'admin') and disabled_at is null and id <> $1 order by id`,
      [row.user_id],
    );
    const claim = await activeClaim(tx, row.id);
    const assignee = staff.filter(({ id }) => id === claim?.reviewerId);
    return assignee.length === 0 ? staff : assignee;
  }

  async function remind(locked: LockedTransaction, share: ReminderShare): Promise<void> {
    const { tx, row } = locked;
    const staff = await recipients(locked);
    const key = `transaction:${row.id}:review-reminder:${row.hold}:${share}`;
    const text = [
      `${share} % of the time to decide about a held transaction is over, and nobody has decided.`,
      '',
      `Transaction: ${row.id}`,
      `Decide by:   ${row.review_by === null ? '' : iso(row.review_by)}`,
      '',
      'Without a verdict it is rejected then, and its funds are free again.',
      `${publicOrigin}/api/admin/security/reviews/${row.id}`,
    ].join('\n');
    for (const { id, email } of staff) {
      await outbox.enqueue(tx, {
        key: `${key}:${id}`,
        userId: id,
        to: email,
        template: 'review.reminder',
        subject: `[${share} %] A held transaction waits for a verdict`,
        text,
      });
    }
    const incident = await firstRow<{ id: string }>(
      tx,
      `select id from incident
        where cause = 'quarantine' and subject_kind = 'transaction' and subject_id = $1 and status <> 'resolved'`,
      [row.id],
    );
    if (incident === undefined) return;
    await addIncidentEvent(tx, {
      incidentId: incident.id,
      key,
      kind: 'notified',
      actor: 'system',
      details: { reminder: share, recipients: staff.length },
    });
  }

  return {
    /**
     * Writes the reminder of a share of the hold's time, once. The workflow's timer says that it is due; the row says whether
     * it is still held.
     */
    async remindReview(transactionId: string, hold: number, share: ReminderShare): Promise<TransactionState> {
      const { state } = await step.run(transactionId, `review-reminder:${hold}:${share}`, async (locked) => {
        const { row } = locked;
        const isDue = row.status === 'quarantined' && row.hold === hold && row.virtual === null;
        if (isDue) await remind(locked, share);
        return { result: null };
      });
      return state;
    },
  };
}

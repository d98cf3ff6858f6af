import type { AccountOwner } from '../db/account-owners.ts';
import type { Outbox } from '../db/outbox.ts';
import type { Tx } from '../db/sql.ts';
import { displayExponent, type TransactionRow } from '../db/transactions.ts';
import { describeTransaction } from '../domain/transaction-letters.ts';

type Subject = Pick<TransactionRow, 'id' | 'type' | 'amount' | 'currency' | 'review_by' | 'virtual' | 'hold'>;

/** What the owner is told about a transaction, in plain ASCII and without anything they or others wrote. */
export function createTransactionLetters({ outbox, publicOrigin }: { outbox: Outbox; publicOrigin: string }) {
  async function send(
    tx: Tx,
    owner: AccountOwner,
    subject: Subject,
    letter: { template: string; subject: string; text: string[] },
  ): Promise<string | null> {
    // Owners of imported accounts are made up: nobody reads their letters.
    if (subject.virtual !== null) return null;
    return outbox.enqueue(tx, {
      // What was written of the first hold is not written of the one on appeal.
      key: `transaction:${subject.id}:${letter.template}${subject.hold === 1 ? '' : `:${subject.hold}`}`,
      userId: owner.userId,
      to: owner.email,
      template: letter.template,
      subject: letter.subject,
      text: letter.text.join('\n\n'),
    });
  }

  return {
    held: (tx: Tx, owner: AccountOwner, subject: Subject) =>
      send(tx, owner, subject, {
        template: 'transaction.held',
        subject: 'Your transaction is held for review',
        text: [
          `Your ${described(subject)} is held and waits for a reviewer. The money stays reserved for it meanwhile.`,
          `We decide by ${minutes(subject.review_by)}. If nobody has by then, it is rejected and the money is free again.`,
          `If it was not you, or you changed your mind, cancel it at ${publicOrigin} while it is held.`,
        ],
      }),

    approved: (tx: Tx, owner: AccountOwner, subject: Subject) =>
      send(tx, owner, subject, {
        template: 'transaction.decided',
        subject: 'Your transaction was approved',
        text: [`Your ${described(subject)} was reviewed, approved and settled.`],
      }),

    toBePaid: (tx: Tx, owner: AccountOwner, subject: Subject) =>
      send(tx, owner, subject, {
        template: 'transaction.to_be_paid',
        subject: 'Your deposit was approved',
        text: [`Your ${described(subject)} was reviewed and approved. You can pay it now, at ${publicOrigin}.`],
      }),

    /** @param appealMs how long the owner may appeal; null where they may not */
    rejected: (tx: Tx, owner: AccountOwner, subject: Subject, code: string, appealMs: number | null) =>
      send(tx, owner, subject, {
        template: 'transaction.decided',
        subject: 'Your transaction was rejected',
        text: [
          `Your ${described(subject)} was not carried out: ${REASONS[code] ?? 'it could not be settled'}.`,
          'Money that was reserved for it is free again. If it was not you who asked for it, change your password now.',
          ...(appealMs === null
            ? []
            : [
                `If you disagree, you may appeal once within ${spelled(appealMs)} at ${publicOrigin}: other people then decide.`,
              ]),
        ],
      }),
  };
}

export type TransactionLetters = ReturnType<typeof createTransactionLetters>;

const REASONS: Readonly<Record<string, string>> = {
  review_rejected: 'a reviewer decided against it',
  review_expired: 'nobody approved it in time',
  cancelled: 'it was cancelled',
  step_up_failed: 'the confirmation failed too often',
  step_up_expired: 'it was not confirmed in time',
  insufficient_funds: 'the money was no longer there',
  price_stale: 'there was no current price',
  price_limit: 'the price had moved beyond the limit',
  account_restricted: 'your account is restricted',
  rate_unavailable: 'there is no exchange rate for its currency',
  rate_moved: 'exchange rate or price moved it above an amount that needs more confirmation; ask again',
  limit_exceeded: 'it is more than your limit lets through',
  payment_failed: 'the payment was cancelled',
  payment_expired: 'it was not paid in time',
  payment_mismatch: 'what was paid is not what was asked for; we will write to you',
};

function described(subject: Subject): string {
  return describeTransaction({ ...subject, exponent: displayExponent(subject.currency) });
}

function spelled(ms: number): string {
  const hours = Math.max(1, Math.round(ms / 3_600_000));
  return hours % 24 === 0 ? `${hours / 24} days` : `${hours} hours`;
}

function minutes(timestamp: string | null): string {
  return timestamp === null
    ? 'the deadline'
    : `${new Date(timestamp).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

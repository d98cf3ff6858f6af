import { confirmedLines } from '../domain/transaction-letters.ts';
import { challengeHash } from '../security/challenge-hash.ts';
import type { AuditLog, RequestTrace } from './audit.ts';
import type { Challenge } from './factors.ts';
import { type OpenedIncident, openIncident } from './incidents.ts';
import type { Tx } from './sql.ts';
import { displayExponent, type TransactionRow } from './transactions.ts';

type Row = Pick<
  TransactionRow,
  | 'id'
  | 'user_id'
  | 'account_id'
  | 'type'
  | 'instrument_id'
  | 'quantity'
  | 'price_limit'
  | 'amount'
  | 'currency'
  | 'counterparty'
  | 'challenge_hash'
>;

/** The challenge of a transaction's step-up, bound to the terms as they stand in the row now. */
export function transactionChallenge(row: Row): Challenge {
  const challenge = { kind: 'transaction', id: row.id, userId: row.user_id } as const;
  // Step-ups from before they were bound have no hash, and minutes to live.
  return row.challenge_hash === null ? challenge : { ...challenge, terms: challengeHash(row).toString('hex') };
}

/** True while the row says what its owner was shown when the factor was asked for. */
export function areTermsUnchanged(row: Row): boolean {
  return row.challenge_hash === null || challengeHash(row).toString('hex') === row.challenge_hash;
}

/** What the letter with a code says of the transaction that it confirms. */
export function stepUpLines(row: Omit<Row, 'challenge_hash'>): string[] {
  return confirmedLines({
    ...row,
    instrument: row.instrument_id,
    priceLimit: row.price_limit,
    exponent: displayExponent(row.currency),
  });
}

/**
 * Records that a transaction's terms are not the ones its owner was asked to confirm: nothing in this program changes them,
 * so somebody wrote to the database beside it.
 */
export async function reportAlteredTerms(
  tx: Tx,
  { audit }: { audit: AuditLog },
  row: Row,
  request: Partial<RequestTrace> = {},
): Promise<OpenedIncident> {
  await audit.append(tx, {
    action: 'transaction.terms_altered',
    actor: { kind: 'system' },
    subject: { kind: 'transaction', id: row.id },
    outcome: 'denied',
    ...request,
    workflowId: `transaction:${row.id}`,
    details: { accountId: row.account_id, type: row.type },
  });
  return openIncident(
    tx,
    { audit },
    {
      cause: 'transaction_altered',
      subjectKind: 'transaction',
      subjectId: row.id,
      userId: row.user_id,
      title: 'A transaction is not the one that its owner was asked to confirm',
      details: { accountId: row.account_id, type: row.type, shown: row.challenge_hash },
      key: `transaction:${row.id}:altered`,
    },
  );
}

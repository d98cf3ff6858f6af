import { iso, oneRow, row, run, type Tx } from './sql.ts';

/** Who has taken a held transaction up. Times are RFC 3339. */
export interface ReviewClaim {
  reviewerId: string;
  claimedAt: string;
  expiresAt: string;
  /** Who gave it to them; null where they took it themselves. */
  assignedBy: string | null;
}

/** SQL that makes a claim of a row `c`, null where there is none that lasts. */
export const CLAIM_JSON = `case when c.expires_at > clock_timestamp() then jsonb_build_object('reviewerId', c.reviewer_id,
  'claimedAt', c.claimed_at, 'expiresAt', c.expires_at, 'assignedBy', c.assigned_by) end`;

/** The claim as the API shows it. */
export function claimOf(found: ReviewClaim | null): ReviewClaim | null {
  return found === null ? null : { ...found, claimedAt: iso(found.claimedAt), expiresAt: iso(found.expiresAt) };
}

/** The claim that lasts now, or null. */
export async function activeClaim(tx: Tx, transactionId: string): Promise<ReviewClaim | null> {
  const found = await row<{ claim: ReviewClaim | null }>(
    tx,
    `select ${CLAIM_JSON} as claim from review_claim c where c.transaction_id = $1`,
    [transactionId],
  );
  return claimOf(found?.claim ?? null);
}

/**
 * Takes a held transaction up for a reviewer, or renews what they have. One statement that only one can win, however many
 * ask at once.
 *
 * @returns their claim, or null where somebody else has one that lasts
 */
export async function takeClaim(
  tx: Tx,
  given: { transactionId: string; reviewerId: string; ttlMs: number },
): Promise<ReviewClaim | null> {
  const found = await row<{ claim: ReviewClaim }>(
    tx,
    `insert into review_claim as c (transaction_id, reviewer_id, expires_at)
     values ($1, $2, clock_timestamp() + $3 * interval '1 ms')
     on conflict (transaction_id) do update
       set expires_at = excluded.expires_at, reviewer_id = excluded.reviewer_id,
           claimed_at = case when c.reviewer_id = excluded.reviewer_id and c.expires_at > clock_timestamp()
                             then c.claimed_at else excluded.claimed_at end,
           assigned_by = case when c.reviewer_id = excluded.reviewer_id and c.expires_at > clock_timestamp()
                              then c.assigned_by end
       where c.reviewer_id = excluded.reviewer_id or c.expires_at <= clock_timestamp()
     returning ${CLAIM_JSON} as claim`,
    [given.transactionId, given.reviewerId, given.ttlMs],
  );
  return claimOf(found?.claim ?? null);
}

/** Gives a held transaction to a reviewer, whoever has it. */
export async function assignClaim(
  tx: Tx,
  given: { transactionId: string; reviewerId: string; assignedBy: string; ttlMs: number },
): Promise<ReviewClaim> {
  const { claim } = await oneRow<{ claim: ReviewClaim }>(
    tx,
    `insert into review_claim as c (transaction_id, reviewer_id, expires_at, assigned_by)
     values ($1, $2, clock_timestamp() + $3 * interval '1 ms', $4)
     on conflict (transaction_id) do update
       set expires_at = excluded.expires_at, reviewer_id = excluded.reviewer_id, claimed_at = excluded.claimed_at,
           assigned_by = excluded.assigned_by
     returning ${CLAIM_JSON} as claim`,
    [given.transactionId, given.reviewerId, given.ttlMs, given.assignedBy],
  );
  return claimOf(claim) as ReviewClaim;
}

/** Lengthens a reviewer's own claim; does nothing where they have none. */
export async function renewClaim(
  tx: Tx,
  given: { transactionId: string; reviewerId: string; ttlMs: number },
): Promise<void> {
  await run(
    tx,
    `update review_claim set expires_at = clock_timestamp() + $3 * interval '1 ms'
      where transaction_id = $1 and reviewer_id = $2 and expires_at > clock_timestamp()`,
    [given.transactionId, given.reviewerId, given.ttlMs],
  );
}

/** Nobody has it any more. */
export async function endClaim(tx: Tx, transactionId: string): Promise<void> {
  await run(tx, 'delete from review_claim where transaction_id = $1', [transactionId]);
}

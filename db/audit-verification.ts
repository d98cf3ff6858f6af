import type { Verification } from './audit-verify.ts';
import { row, run, type Tx } from './sql.ts';

export type VerificationStatus = 'requested' | 'running' | 'valid' | 'invalid' | 'cancelled' | 'failed';

/** A verification as it stands. Counts are entries; times PostgreSQL text. */
export interface StoredVerification {
  id: string;
  status: VerificationStatus;
  requestedBy: string | null;
  requestedAt: string;
  finishedAt: string | null;
  checked: number;
  /** Null until it began. */
  total: number | null;
  unsealed: number | null;
  /** Of the checked ones, entries in cold storage; null until there is a result. */
  archived: number | null;
  firstInvalidSeq: number | null;
  reason: string | null;
}

/** Writes the row that everybody follows; a repeat changes nothing. */
export async function requestVerification(tx: Tx, request: { id: string; requestedBy: string | null }): Promise<void> {
  await run(
    tx,
    `insert into audit_verification (id, status, requested_by) values ($1, 'requested', $2) on conflict (id) do nothing`,
    [request.id, request.requestedBy],
  );
}

/** Marks a verification as under way; one that is final stays so. @returns whether there is work to do */
export async function beginVerification(tx: Tx, id: string): Promise<boolean> {
  const touched = await run(
    tx,
    `update audit_verification set status = 'running', started_at = coalesce(started_at, clock_timestamp())
      where id = $1 and status in ('requested', 'running')`,
    [id],
  );
  return touched > 0;
}

export async function recordProgress(tx: Tx, id: string, progress: { checked: number; total: number }): Promise<void> {
  await run(tx, `update audit_verification set checked = $2, total = $3 where id = $1 and status = 'running'`, [
    id,
    progress.checked,
    progress.total,
  ]);
}

/** Stores the result. @returns false when the verification was final already */
export async function finishVerification(tx: Tx, id: string, result: Verification): Promise<boolean> {
  const touched = await run(
    tx,
    `update audit_verification
        set status = $2, finished_at = clock_timestamp(), checked = $3, total = greatest(total, $3), unsealed = $4,
            first_invalid_seq = $5, reason = $6, head_hash = $7, archived = $8
      where id = $1 and status = 'running'`,
    [
      id,
      result.valid ? 'valid' : 'invalid',
      result.checked,
      result.unsealed,
      result.firstInvalidSeq,
      result.reason,
      result.head.hash,
      result.archived,
    ],
  );
  return touched > 0;
}

/** Ends a verification without a result; one that is final stays as it is. */
export async function abandonVerification(
  tx: Tx,
  id: string,
  end: { status: 'cancelled' } | { status: 'failed'; reason: string },
): Promise<void> {
  await run(
    tx,
    `update audit_verification set status = $2, finished_at = clock_timestamp(), reason = $3
      where id = $1 and status in ('requested', 'running')`,
    [id, end.status, end.status === 'failed' ? end.reason : null],
  );
}

export async function readVerification(tx: Tx, id: string): Promise<StoredVerification | undefined> {
  const found = await row<{
    id: string;
    status: VerificationStatus;
    requested_by: string | null;
    requested_at: string;
    finished_at: string | null;
    checked: string;
    total: string | null;
    unsealed: string | null;
    archived: string | null;
    first_invalid_seq: string | null;
    reason: string | null;
  }>(
    tx,
    `select id, status, requested_by, requested_at, finished_at, checked, total, unsealed, archived, first_invalid_seq, reason
       from audit_verification where id = $1`,
    [id],
  );
  if (found === undefined) return undefined;
  const number = (text: string | null) => (text === null ? null : Number(text));
  return {
    id: found.id,
    status: found.status,
    requestedBy: found.requested_by,
    requestedAt: found.requested_at,
    finishedAt: found.finished_at,
    checked: Number(found.checked),
    total: number(found.total),
    unsealed: number(found.unsealed),
    archived: number(found.archived),
    firstInvalidSeq: number(found.first_invalid_seq),
    reason: found.reason,
  };
}

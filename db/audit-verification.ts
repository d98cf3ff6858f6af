import type { VerificationMode, VerificationScope } from '../domain/audit-scope.ts';
import type { Verification, VerificationProgress } from './audit-verify.ts';
import { row, run, type Tx } from './sql.ts';

export type VerificationStatus = 'requested' | 'running' | 'valid' | 'invalid' | 'cancelled' | 'failed';

/** A verification as it stands. Counts are entries; times PostgreSQL text. */
export interface StoredVerification {
  id: string;
  status: VerificationStatus;
  requestedBy: string | null;
  requestedAt: string;
  finishedAt: string | null;
  /** As asked for until it began, then what it is. */
  mode: VerificationMode;
  /** First entry of the run, and the one behind its last; null until that is known. */
  from: number | null;
  to: number | null;
  /** Of the run's entries, those found sound; `total` is null until it began. */
  checked: number;
  total: number | null;
  unsealed: number | null;
  /** Of the checked ones, entries in cold storage; null until there is a result. */
  archived: number | null;
  firstInvalidSeq: number | null;
  reason: string | null;
}

/** Writes the row that everybody follows; a repeat changes nothing. */
export async function requestVerification(
  tx: Tx,
  { id, requestedBy, scope = { mode: 'full' } }: { id: string; requestedBy: string | null; scope?: VerificationScope },
): Promise<void> {
  const { mode } = scope;
  const { from, to } = mode === 'range' ? scope : { from: mode === 'full' ? 0 : null, to: null };
  await run(
    tx,
    `insert into audit_verification (id, status, requested_by, mode, from_seq, to_seq)
     values ($1, 'requested', $2, $3, $4, $5) on conflict (id) do nothing`,
    [id, requestedBy, mode, from, to],
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

/** @param progress as the verifier tells it */
export async function recordProgress(
  tx: Tx,
  id: string,
  { head, mode, from, total }: VerificationProgress,
): Promise<void> {
  await run(
    tx,
    `update audit_verification set checked = $2, total = $3, mode = $4, from_seq = $5, to_seq = $6
      where id = $1 and status = 'running'`,
    [id, head.seq + 1 - from, total - from, mode, from, total],
  );
}

/** Stores the result. @returns false when the verification was final already */
export async function finishVerification(tx: Tx, id: string, result: Verification): Promise<boolean> {
  const touched = await run(
    tx,
    `update audit_verification
        set status = $2, finished_at = clock_timestamp(), checked = $3, total = $10::bigint - $9::bigint, unsealed = $4,
            first_invalid_seq = $5, reason = $6, head_hash = $7, mode = $8, from_seq = $9, to_seq = $10, archived = $11
      where id = $1 and status = 'running'`,
    [
      id,
      result.valid ? 'valid' : 'invalid',
      result.checked,
      result.unsealed,
      result.firstInvalidSeq,
      result.reason,
      result.head.hash,
      result.mode,
      result.from,
      result.to,
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
    mode: VerificationMode;
    from_seq: string | null;
    to_seq: string | null;
    checked: string;
    total: string | null;
    unsealed: string | null;
    archived: string | null;
    first_invalid_seq: string | null;
    reason: string | null;
  }>(
    tx,
    `select id, status, requested_by, requested_at, finished_at, mode, from_seq, to_seq, checked, total, unsealed,
            archived, first_invalid_seq, reason
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
    mode: found.mode,
    from: number(found.from_seq),
    to: number(found.to_seq),
    checked: Number(found.checked),
    total: number(found.total),
    unsealed: number(found.unsealed),
    archived: number(found.archived),
    firstInvalidSeq: number(found.first_invalid_seq),
    reason: found.reason,
  };
}

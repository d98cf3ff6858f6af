import { DomainError } from '../domain/errors.ts';
import type { EvidenceStatus } from '../domain/evidence.ts';
import { row, rows, run, type Tx } from './sql.ts';

/** Who asked for a bundle, how that went, and what came of it. Times are PostgreSQL text. */
export interface StoredEvidence {
  id: string;
  incidentId: string;
  windowHours: number;
  requestedBy: string;
  status: EvidenceStatus;
  reason: string | null;
  requestedAt: string;
  finishedAt: string | null;
  /** Null until it is ready. */
  bundle: BundleFacts | null;
}

export interface BundleFacts {
  /** Of the document, in bytes, and its digest and that of its manifest in hex. */
  bytes: number;
  sha256: string;
  manifestSha256: string;
  /** In the bundle, and those that belong to the incident. */
  entries: number;
  found: number;
  /** Of these, that had no seal. */
  pending: number;
  /** Name of the checkpoint that covers the entries; null where the log does not go together with what was published. */
  checkpoint: string | null;
  valid: boolean;
  firstInvalidSeq: number | null;
  reason: string | null;
}

interface Row {
  id: string;
  incident_id: string;
  window_hours: number;
  requested_by: string;
  status: EvidenceStatus;
  reason: string | null;
  requested_at: string;
  finished_at: string | null;
  bytes: number | null;
  sha256: string;
  manifest_sha256: string;
  entries: number;
  found: number;
  pending: number;
  checkpoint: string | null;
  valid: boolean;
  first_invalid_seq: string | null;
  invalid_reason: string | null;
}

const EVIDENCE = `
  select r.id, r.incident_id, r.window_hours, r.requested_by, r.status, r.reason, r.requested_at, r.finished_at,
         length(b.document) as bytes, encode(b.sha256, 'hex') as sha256, encode(b.manifest_sha256, 'hex') as manifest_sha256,
         b.entries, b.found, b.pending, b.checkpoint, b.valid, b.first_invalid_seq, b.invalid_reason
    from evidence_request r left join evidence_bundle b on b.id = r.id`;

/** A request as a caller makes it. */
export interface EvidenceOrder {
  id: string;
  incidentId: string;
  windowHours: number;
  requestedBy: string;
  /** The caller's; null for none. */
  key: string | null;
}

/**
 * Writes the row that everybody follows. Who asks again under his key, or while the same is being made, is given that one.
 *
 * @throws DomainError `not_found` for no such incident, `idempotency_key_reused` for a key with another window
 */
export async function requestEvidence(
  tx: Tx,
  { id, incidentId, windowHours, requestedBy, key }: EvidenceOrder,
): Promise<{ id: string; isNew: boolean }> {
  if ((await row(tx, 'select 1 from incident where id = $1', [incidentId])) === undefined) {
    throw new DomainError('not_found', 'There is no such incident.');
  }
  // The one that stood in the way may have ended meanwhile.
  for (;;) {
    const added = await run(
      tx,
      `insert into evidence_request (id, incident_id, window_hours, requested_by, idempotency_key)
       values ($1, $2, $3, $4, $5) on conflict do nothing`,
      [id, incidentId, windowHours, requestedBy, key],
    );
    if (added > 0) return { id, isNew: true };
    const known = await row<{ id: string; window_hours: number }>(
      tx,
      `select id, window_hours from evidence_request
        where incident_id = $1 and requested_by = $2 and idempotency_key = $3`,
      [incidentId, requestedBy, key],
    );
    if (known !== undefined && known.window_hours !== windowHours) {
      throw new DomainError('idempotency_key_reused', 'This key was used for another window.');
    }
    const met =
      known ??
      (await row<{ id: string }>(
        tx,
        `select id from evidence_request
          where incident_id = $1 and window_hours = $2 and status in ('requested', 'running')`,
        [incidentId, windowHours],
      ));
    if (met !== undefined) return { id: met.id, isNew: false };
  }
}

/** Marks the making as under way; one that has ended stays so. @returns what is to be made, or undefined */
export async function beginEvidence(
  tx: Tx,
  id: string,
): Promise<Pick<StoredEvidence, 'incidentId' | 'windowHours' | 'requestedBy'> | undefined> {
  const found = await row<{ incident_id: string; window_hours: number; requested_by: string }>(
    tx,
    `update evidence_request set status = 'running' where id = $1 and status in ('requested', 'running')
     returning incident_id, window_hours, requested_by`,
    [id],
  );
  return found && { incidentId: found.incident_id, windowHours: found.window_hours, requestedBy: found.requested_by };
}

/** Stores a bundle and ends its request; one that has ended stays as it is. @returns whether it was stored */
export async function storeEvidence(
  tx: Tx,
  id: string,
  { document, facts }: { document: Buffer; facts: Omit<BundleFacts, 'bytes'> },
): Promise<boolean> {
  const ended = await run(
    tx,
    `update evidence_request set status = 'ready', finished_at = clock_timestamp() where id = $1 and status = 'running'`,
    [id],
  );
  if (ended === 0) return false;
  await run(
    tx,
    `insert into evidence_bundle (id, document, sha256, manifest_sha256, entries, found, pending, checkpoint, valid,
       first_invalid_seq, invalid_reason)
     values ($1, $2, decode($3, 'hex'), decode($4, 'hex'), $5, $6, $7, $8, $9, $10, $11)`,
    [
      ...[id, document, facts.sha256, facts.manifestSha256, facts.entries, facts.found, facts.pending],
      ...[facts.checkpoint, facts.valid, facts.firstInvalidSeq, facts.reason],
    ],
  );
  return true;
}

/** Ends a request without a bundle; one that has ended stays as it is. @returns whether this call ended it */
export async function abandonEvidence(
  tx: Tx,
  id: string,
  end: { status: 'cancelled' } | { status: 'failed'; reason: string },
): Promise<boolean> {
  const ended = await run(
    tx,
    `update evidence_request set status = $2, finished_at = clock_timestamp(), reason = $3
      where id = $1 and status in ('requested', 'running')`,
    [id, end.status, end.status === 'failed' ? end.reason : null],
  );
  return ended > 0;
}

export async function readEvidence(tx: Tx, id: string): Promise<StoredEvidence | undefined> {
  const found = await row<Row>(tx, `${EVIDENCE} where r.id = $1`, [id]);
  return found && storedOf(found);
}

/** Of an incident, the newest first. */
export async function listEvidence(
  tx: Tx,
  incidentId: string,
  { limit, before }: { limit: number; before: { at: string; id: string } | null },
): Promise<StoredEvidence[]> {
  const found = await rows<Row>(
    tx,
    `${EVIDENCE} where r.incident_id = $1
        and ($2::timestamptz is null or (r.requested_at, r.id) < ($2::timestamptz, $3::uuid))
      order by r.requested_at desc, r.id desc limit $4`,
    [incidentId, before?.at ?? null, before?.id ?? null, limit],
  );
  return found.map(storedOf);
}

/** The document of a bundle, gzipped JSON. */
export async function evidenceDocument(tx: Tx, id: string): Promise<Buffer | undefined> {
  return (await row<{ document: Buffer }>(tx, 'select document from evidence_bundle where id = $1', [id]))?.document;
}

function storedOf(found: Row): StoredEvidence {
  return {
    ...{ id: found.id, incidentId: found.incident_id, windowHours: found.window_hours },
    ...{ requestedBy: found.requested_by, status: found.status, reason: found.reason },
    ...{ requestedAt: found.requested_at, finishedAt: found.finished_at },
    bundle:
      found.bytes === null
        ? null
        : {
            ...{ bytes: found.bytes, sha256: found.sha256, manifestSha256: found.manifest_sha256 },
            ...{ entries: found.entries, found: found.found, pending: found.pending, checkpoint: found.checkpoint },
            ...{ valid: found.valid, reason: found.invalid_reason },
            firstInvalidSeq: found.first_invalid_seq === null ? null : Number(found.first_invalid_seq),
          },
  };
}

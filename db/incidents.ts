import { type IncidentCause, type IncidentStatus, type Severity, severityOf } from '../domain/incident.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditLog, RequestTrace } from './audit.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

export interface OpenIncident {
  cause: IncidentCause;
  subjectKind: 'user' | 'login_subject' | 'transaction' | 'system';
  subjectId: string;
  userId: string | null;
  /** Default: what the cause usually means. */
  severity?: Severity;
  /** One line of ASCII for staff, without personal data or anything a user wrote. */
  title: string;
  /** Evidence: ids, scores, counts. No personal data. */
  details: Record<string, unknown>;
  /** Business key of this piece of evidence, `{workflowId}:{step}`: a repeat adds nothing. */
  key: string;
}

export interface OpenedIncident {
  incidentId: string;
  /** True when this call opened it; false when an unresolved one took the evidence. */
  opened: boolean;
  /** True when the evidence made an earlier incident graver: tell its workflow. */
  raised: boolean;
  severity: Severity;
}

/**
 * Opens an incident in the caller's transaction, or attaches the evidence to the unresolved one of the same cause and
 * subject. Callers at the same time meet on the partial unique index, so one incident comes of it. Severity only rises.
 */
export async function openIncident(
  tx: Tx,
  { audit }: { audit: AuditLog },
  given: OpenIncident,
): Promise<OpenedIncident> {
  const repeated = await row<{ id: string; severity: Severity }>(
    tx,
    'select i.id, i.severity from incident_event e join incident i on i.id = e.incident_id where e.key = $1',
    [given.key],
  );
  if (repeated !== undefined) {
    return { incidentId: repeated.id, opened: false, raised: false, severity: repeated.severity };
  }
  const { incidentId, opened, before, severity } = await upsert(tx, given);
  const raised = !opened && before !== severity;
  await addIncidentEvent(tx, {
    incidentId,
    key: given.key,
    kind: opened ? 'opened' : 'evidence',
    actor: 'system',
    details: given.details,
  });
  await audit.append(tx, {
    action: opened ? 'incident.opened' : 'incident.evidence_added',
    actor: { kind: 'system' },
    subject: { kind: 'incident', id: incidentId },
    outcome: 'success',
    details: {
      cause: given.cause,
      severity,
      about: { kind: given.subjectKind, id: given.subjectId },
      ...(raised ? { severityBefore: before } : {}),
    },
  });
  return { incidentId, opened, raised, severity };
}

/** Both severities of a row, so that one statement can compare them. */
const SEVERITY_ORDER = `array['low', 'medium', 'high', 'critical']`;

async function upsert(tx: Tx, given: OpenIncident) {
  const id = uuidV7();
  const stored = await oneRow<{ id: string; severity: Severity }>(
    tx,
    `insert into incident as i (id, cause, subject_kind, subject_id, user_id, severity, status, title)
     values ($1, $2, $3, $4, $5, $6, 'open', $7)
     on conflict (cause, subject_kind, subject_id) where status <> 'resolved'
     do update set title = i.title
     returning i.id, i.severity`,
    [
      id,
      given.cause,
      given.subjectKind,
      given.subjectId,
      given.userId,
      given.severity ?? severityOf(given.cause),
      given.title,
    ],
  );
  if (stored.id === id) return { incidentId: id, opened: true, before: stored.severity, severity: stored.severity };
  // The conflict left the row locked, so what was read is what is compared.
  const { severity } = await oneRow<{ severity: Severity }>(
    tx,
    `update incident set severity = (${SEVERITY_ORDER})[greatest(
            array_position(${SEVERITY_ORDER}, severity), array_position(${SEVERITY_ORDER}, $2))]
      where id = $1 returning severity`,
    [stored.id, given.severity ?? severityOf(given.cause)],
  );
  return { incidentId: stored.id, opened: false, before: stored.severity, severity };
}

export type IncidentEventKind =
  | 'opened'
  | 'evidence'
  | 'notified'
  | 'investigating'
  | 'escalated'
  | 'note'
  | 'resolved';

/** Adds a line to an incident's timeline; a key that is there already adds nothing. @returns whether it was added */
export async function addIncidentEvent(
  tx: Tx,
  event: { incidentId: string; key: string; kind: IncidentEventKind; actor: string; details: Record<string, unknown> },
): Promise<boolean> {
  const added = await run(
    tx,
    `insert into incident_event (incident_id, key, kind, actor, details) values ($1, $2, $3, $4, $5::jsonb)
     on conflict (key) do nothing`,
    [event.incidentId, event.key, event.kind, event.actor, JSON.stringify(event.details)],
  );
  return added > 0;
}

export interface LockedIncident {
  id: string;
  status: IncidentStatus;
  severity: Severity;
}

/** Reads an incident under a row lock. Its status changes only under this lock. */
export function lockIncident(tx: Tx, incidentId: string): Promise<LockedIncident | undefined> {
  return row<LockedIncident>(tx, 'select id, status, severity from incident where id = $1 for update', [incidentId]);
}

/** Hands an incident that the caller has locked, and knows to be open, to the person who takes it up. */
export async function takeUpLockedIncident(
  tx: Tx,
  { audit }: { audit: AuditLog },
  given: { incidentId: string; by: string } & RequestTrace,
): Promise<void> {
  const { incidentId, by, requestId, ip, userAgent } = given;
  await run(tx, `update incident set status = 'investigating', assigned_to = $2 where id = $1`, [incidentId, by]);
  await addIncidentEvent(tx, {
    incidentId,
    key: `incident:${incidentId}:investigating`,
    kind: 'investigating',
    actor: by,
    details: {},
  });
  await audit.append(tx, {
    action: 'incident.investigating',
    actor: { kind: 'user', id: by },
    subject: { kind: 'incident', id: incidentId },
    outcome: 'success',
    requestId,
    ip,
    userAgent,
  });
}

export interface ResolveIncident {
  incidentId: string;
  resolution: string;
  /** Null when what caused it came to its end by itself, for instance a hold with its verdict. */
  resolvedBy: string | null;
  requestId?: string | null;
  ip?: string | null;
  userAgent?: string | null;
}

/** Resolves an incident that the caller has locked and knows to be unresolved. */
export async function resolveLockedIncident(tx: Tx, { audit }: { audit: AuditLog }, given: ResolveIncident) {
  const { incidentId, resolvedBy, resolution } = given;
  await run(
    tx,
    `update incident set status = 'resolved', resolved_at = clock_timestamp(), resolved_by = $2, resolution = $3
      where id = $1`,
    [incidentId, resolvedBy, resolution],
  );
  await addIncidentEvent(tx, {
    incidentId,
    key: `incident:${incidentId}:resolved`,
    kind: 'resolved',
    actor: resolvedBy ?? 'system',
    details: { resolution },
  });
  await audit.append(tx, {
    action: 'incident.resolved',
    actor: resolvedBy === null ? { kind: 'system' } : { kind: 'user', id: resolvedBy },
    subject: { kind: 'incident', id: incidentId },
    outcome: 'success',
    ip: given.ip ?? null,
    userAgent: given.userAgent ?? null,
    requestId: given.requestId ?? null,
  });
}

/**
 * Resolves the unresolved incident of a cause and subject, when that came to its end: a hold with its verdict, a lockout
 * with its unlock. The caller then hands the incident on in `FollowUps.incidents`, so that its workflow ends.
 *
 * @returns the incident, or null where none is unresolved
 */
export async function resolveIncidentFor(
  tx: Tx,
  deps: { audit: AuditLog },
  given: {
    cause: IncidentCause;
    subjectKind: OpenIncident['subjectKind'];
    subjectId: string;
    resolution: string;
    resolvedBy: string | null;
  },
): Promise<{ incidentId: string; severity: Severity } | null> {
  const found = await row<LockedIncident>(
    tx,
    `select id, status, severity from incident
      where cause = $1 and subject_kind = $2 and subject_id = $3 and status <> 'resolved' for update`,
    [given.cause, given.subjectKind, given.subjectId],
  );
  if (found === undefined) return null;
  await resolveLockedIncident(tx, deps, {
    incidentId: found.id,
    resolution: given.resolution,
    resolvedBy: given.resolvedBy,
  });
  return { incidentId: found.id, severity: found.severity };
}

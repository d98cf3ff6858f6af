import { accountRestrictedLetter } from '../domain/account-letters.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { resolveIncidentFor } from './incidents.ts';
import type { Outbox } from './outbox.ts';
import { revokeSessions } from './sessions.ts';
import { revokeAllSigningKeys } from './signing-keys.ts';
import { oneRow, row, run, type Tx } from './sql.ts';

export interface RestrictionDeps {
  audit: AuditLog;
  outbox: Outbox;
}

/** Who or what made it necessary, for the audit log. */
export interface Cause {
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
  workflowId?: string | null;
}

export interface Restriction {
  id: string;
  userId: string;
  origin: 'indicators' | 'admin';
  restrictedBy: string | null;
  reason: string;
  startedAt: string;
  liftedAt: string | null;
}

/** The person whose account may be frozen, with the lock that everybody who decides about them waits for. */
export interface LockedOwner {
  id: string;
  email: string;
  restricted: boolean;
}

/**
 * Locks a person's row for a freeze: decisions, which share it, come before or after. Not FOR UPDATE: rows that refer to
 * the person may come meanwhile, or an attempt that was reserved under its own lock would wait for this one and the
 * other way round. A transaction that holds the row FOR SHARE must not come here: two of them would wait for each other.
 *
 * @returns undefined where there is no such person
 */
export function lockForFreeze(tx: Tx, userId: string): Promise<LockedOwner | undefined> {
  return row<LockedOwner>(
    tx,
    'select id, email, restricted_at is not null as restricted from app_user where id = $1 for no key update',
    [userId],
  );
}

const COLUMNS = `id, user_id as "userId", origin, restricted_by as "restrictedBy", reason, started_at as "startedAt",
  lifted_at as "liftedAt"`;

/** The restriction that holds now, or undefined. */
export function activeRestriction(tx: Tx, userId: string): Promise<Restriction | undefined> {
  return row<Restriction>(tx, `select ${COLUMNS} from restriction where user_id = $1 and lifted_at is null`, [userId]);
}

/** A restriction by its id, as a workflow knows it. */
export function restrictionById(tx: Tx, restrictionId: string): Promise<Restriction> {
  return oneRow<Restriction>(tx, `select ${COLUMNS} from restriction where id = $1`, [restrictionId]);
}

/**
 * Freezes an account in the caller's transaction, under the lock of {@link lockForFreeze}: no login passes, no transaction
 * is decided, approved or settled, every session, signing key and reset link is void, and the owner's letter is queued.
 *
 * @returns the restriction's id, or null where the account is frozen already
 */
export async function freeze(
  tx: Tx,
  { audit, outbox }: RestrictionDeps,
  owner: LockedOwner,
  given: {
    origin: Restriction['origin'];
    restrictedBy: string | null;
    reason: string;
    details: Record<string, unknown>;
  },
  cause: Cause,
): Promise<string | null> {
  const id = uuidV7();
  const inserted = await row(
    tx,
    `insert into restriction (id, user_id, origin, restricted_by, reason) values ($1, $2, $3, $4, $5)
     on conflict (user_id) where lifted_at is null do nothing returning id`,
    [id, owner.id, given.origin, given.restrictedBy, given.reason],
  );
  if (inserted === undefined) return null;
  await run(tx, 'update app_user set restricted_at = clock_timestamp() where id = $1', [owner.id]);
  await audit.append(tx, {
    action: 'account.restricted',
    ...cause,
    subject: { kind: 'user', id: owner.id },
    outcome: 'success',
    details: { restrictionId: id, origin: given.origin, reason: given.reason, ...given.details },
  });
  const { actor, ip, userAgent, requestId } = cause;
  const by = { actor, ip: ip ?? null, userAgent: userAgent ?? null, requestId: requestId ?? null };
  await revokeSessions(tx, audit, { userId: owner.id, reason: 'restricted', ...by });
  await revokeAllSigningKeys(tx, { audit }, { userId: owner.id, reason: 'restricted', by });
  // A link that lies in a mailbox must not be a way in, or a step of the recovery.
  await run(tx, 'update password_reset set used_at = clock_timestamp() where user_id = $1 and used_at is null', [
    owner.id,
  ]);
  await outbox.enqueue(tx, {
    ...accountRestrictedLetter(),
    key: `restriction:${id}`,
    userId: owner.id,
    to: owner.email,
  });
  return id;
}

/** Lifts a restriction whose every step of recovery is done; its incident is resolved. */
export async function liftRestriction(
  tx: Tx,
  deps: RestrictionDeps,
  given: { restriction: Restriction; liftedBy: string },
): Promise<Awaited<ReturnType<typeof resolveIncidentFor>>> {
  const { restriction, liftedBy } = given;
  await run(
    tx,
    'update restriction set lifted_at = clock_timestamp(), lifted_by = $2 where id = $1 and lifted_at is null',
    [restriction.id, liftedBy],
  );
  await run(tx, 'update app_user set restricted_at = null where id = $1', [restriction.userId]);
  return resolveIncidentFor(tx, deps, {
    cause: 'restriction',
    subjectKind: 'user',
    subjectId: restriction.userId,
    resolution: 'The account was recovered with its owner and restored',
    resolvedBy: liftedBy,
  });
}

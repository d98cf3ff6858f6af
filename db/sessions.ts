import type { AuditEvent, AuditLog } from './audit.ts';
import { rows, type Tx } from './sql.ts';

export interface Revocation {
  userId: string;
  /** Only this session. */
  only?: string;
  /** Only sessions that were opened on this device. */
  onDevice?: string;
  /** All but this session. */
  except?: string;
  reason:
    | 'logout'
    | 'revoked'
    | 'password_changed'
    | 'password_reset'
    | 'role_changed'
    | 'disabled'
    | 'mfa_reset'
    | 'device_revoked'
    | 'restricted'
    | 'abandoned'
    | 'ended_by_admin';
  /** What a person gave as the reason, for the audit log. */
  statedReason?: string;
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

/** Ends open sessions of one person, with an audit entry where there were any. @returns how many it ended */
export async function revokeSessions(tx: Tx, audit: AuditLog, given: Revocation): Promise<number> {
  const ended = await rows<{ id: string }>(
    tx,
    `update session set revoked_at = clock_timestamp(), revoked_reason = $4
      where user_id = $1 and revoked_at is null and expires_at > clock_timestamp()
        and ($2::uuid is null or id = $2) and ($3::uuid is null or id <> $3)
        and ($5::uuid is null or device_id = $5) returning id`,
    [given.userId, given.only ?? null, given.except ?? null, given.reason, given.onDevice ?? null],
  );
  if (ended.length === 0) return 0;
  await audit.append(tx, {
    action: 'session.revoked',
    actor: given.actor,
    subject: { kind: 'user', id: given.userId },
    outcome: 'success',
    ip: given.ip ?? null,
    userAgent: given.userAgent ?? null,
    requestId: given.requestId ?? null,
    details: {
      sessions: ended.map(({ id }) => id).sort(),
      reason: given.reason,
      ...(given.statedReason === undefined ? {} : { statedReason: given.statedReason }),
    },
  });
  return ended.length;
}

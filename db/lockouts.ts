import type { AuditLog } from './audit.ts';
import { once } from './once.ts';
import { iso, row, run, type Tx } from './sql.ts';

export interface Lockout {
  id: string;
  subject: Buffer;
  userId: string | null;
  startedAt: string;
  lockedUntil: string;
  requestedBy: string | null;
  unlockedBy: UnlockedBy | null;
}

export type UnlockedBy = 'timer' | 'admin' | 'password_reset';

const COLUMNS = 'id, subject, user_id, started_at, locked_until, unlock_requested_by, unlocked_by';

interface LockoutRow {
  id: string;
  subject: Buffer;
  user_id: string | null;
  started_at: string;
  locked_until: string;
  unlock_requested_by: string | null;
  unlocked_by: UnlockedBy | null;
}

/** A lockout by its id, as a workflow knows it. */
export async function lockoutById(tx: Tx, lockoutId: string): Promise<Lockout | undefined> {
  return toLockout(await row<LockoutRow>(tx, `select ${COLUMNS} from lockout where id = $1`, [lockoutId]));
}

/** The lockout that keeps somebody out now, or undefined. A lock whose time is over keeps nobody out. */
export async function activeLockoutOf(tx: Tx, userId: string): Promise<Lockout | undefined> {
  return toLockout(
    await row<LockoutRow>(
      tx,
      `select ${COLUMNS} from lockout
        where user_id = $1 and unlocked_at is null and locked_until > clock_timestamp()
        order by started_at desc limit 1`,
      [userId],
    ),
  );
}

/**
 * Ends a lockout in the caller's transaction: the column that logins ask is cleared, counting starts at zero, and the
 * trace is written. Whoever comes second (timer, administrator, password reset) changes nothing; a later lock of the same
 * subject is never touched.
 *
 * @returns who ended it
 */
export async function endLockout(
  tx: Tx,
  { audit }: { audit: AuditLog },
  given: {
    lockoutId: string;
    by: UnlockedBy;
    ip?: string | null;
    userAgent?: string | null;
    requestId?: string | null;
  },
): Promise<UnlockedBy> {
  const lockout = await lockoutById(tx, given.lockoutId);
  if (lockout === undefined) throw new Error('an ended lockout must exist');
  await run(tx, 'select 1 from login_subject where subject = $1 for update', [lockout.subject]);
  return once(tx, `lockout:${given.lockoutId}:ended`, async () => {
    await run(
      tx,
      'update lockout set unlocked_at = clock_timestamp(), unlocked_by = $2 where id = $1 and unlocked_at is null',
      [given.lockoutId, given.by],
    );
    await run(
      tx,
      `update login_subject set locked_until = null, lockout_id = null, counting_since = clock_timestamp()
        where subject = $1 and lockout_id = $2`,
      [lockout.subject, given.lockoutId],
    );
    const ended = await lockoutById(tx, given.lockoutId);
    const by = ended?.unlockedBy ?? given.by;
    await audit.append(tx, {
      action: 'lockout.ended',
      actor: by === 'admin' && lockout.requestedBy ? { kind: 'user', id: lockout.requestedBy } : { kind: 'system' },
      subject: subjectOf(lockout),
      outcome: 'success',
      ip: given.ip ?? null,
      userAgent: given.userAgent ?? null,
      requestId: given.requestId ?? null,
      workflowId: `lockout:${given.lockoutId}`,
      details: { lockoutId: given.lockoutId, by },
    });
    return by;
  });
}

/** Whom audit entries and incidents name: the account, or the keyed hash of an address that has none. */
export function subjectOf(of: { userId: string | null; subject: Buffer }): {
  kind: 'user' | 'login_subject';
  id: string;
} {
  return of.userId === null
    ? { kind: 'login_subject', id: of.subject.toString('hex') }
    : { kind: 'user', id: of.userId };
}

function toLockout(found: LockoutRow | undefined): Lockout | undefined {
  if (found === undefined) return undefined;
  return {
    id: found.id,
    subject: found.subject,
    userId: found.user_id,
    startedAt: iso(found.started_at),
    lockedUntil: iso(found.locked_until),
    requestedBy: found.unlock_requested_by,
    unlockedBy: found.unlocked_by,
  };
}

import { openIncident } from '../db/incidents.ts';
import { endLockout, lockoutById, subjectOf, type UnlockedBy } from '../db/lockouts.ts';
import { once } from '../db/once.ts';
import { row } from '../db/sql.ts';
import { lockoutLetter } from '../domain/account-letters.ts';
import type { FollowUps } from '../workflows/contract.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';

/** What a lock makes happen. The lock itself is a column that the counting statement sets and logins ask. */
export function createLockoutActivities(deps: Pick<ActivityDeps, 'db' | 'audit' | 'outbox'>) {
  const { db, outbox } = deps;
  return {
    /** Tells the owner, where the address has one, and opens the incident. */
    announceLockout: (lockoutId: string): Promise<Pick<FollowUps, 'incidents'>> =>
      finalOnDataErrors(() =>
        db.transaction((tx) =>
          once(tx, `lockout:${lockoutId}:announced`, async () => {
            const lockout = await lockoutById(tx, lockoutId);
            if (lockout === undefined) throw new Error('the lockout is not in the database');
            const { userId, startedAt, lockedUntil } = lockout;
            const owner =
              userId === null
                ? undefined
                : await row<{ email: string }>(tx, 'select email from app_user where id = $1', [userId]);
            if (owner !== undefined) {
              await outbox.enqueue(tx, {
                ...lockoutLetter(Date.parse(lockedUntil) - Date.parse(startedAt)),
                key: `lockout:${lockoutId}`,
                userId,
                to: owner.email,
              });
            }
            const { kind, id } = subjectOf(lockout);
            const { incidentId, severity, opened, raised } = await openIncident(tx, deps, {
              cause: 'lockout',
              subjectKind: kind,
              subjectId: id,
              userId,
              title: 'Locked after too many wrong passwords',
              details: { lockoutId, lockedUntil },
              key: `lockout:${lockoutId}`,
            });
            return { incidents: opened || raised ? [{ incidentId, severity }] : [] };
          }),
        ),
      ),

    /**
     * Lifts the lock. Decided by the row, not by the clock: an administrator's request that was recorded counts as his,
     * everything else is the timer's.
     */
    liftLockout: (lockoutId: string): Promise<UnlockedBy> =>
      finalOnDataErrors(() =>
        db.transaction(async (tx) => {
          const lockout = await lockoutById(tx, lockoutId);
          const by = lockout?.requestedBy ? 'admin' : 'timer';
          return endLockout(tx, deps, { lockoutId, by });
        }),
      ),
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { activeLockoutOf, endLockout, lockoutById } from '../db/lockouts.ts';
import { row, run } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const accountPath = z.object({ user_id: z.uuid() });
const unlockBody = z.strictObject({ reason: textInput(1, 1000) });

const POLL_MS = 50;

/** What an administrator does to an account. */
export function createAccountRoutes(deps: ApiDeps): Route[] {
  const { config, db, audit, gateway } = deps;

  /** Records who wants it and why, before anybody is told: the workflow acts on the row. */
  async function request(context: RouteContext<z.output<typeof accountPath>, unknown, z.output<typeof unlockBody>>) {
    const { userId: adminId } = principalOf(context);
    const { user_id: userId } = context.params;
    const { ip, userAgent, requestId } = context.request;
    return db.transaction(async (tx) => {
      if ((await row(tx, 'select 1 from app_user where id = $1', [userId])) === undefined) {
        throw new DomainError('not_found', 'There is no such account.');
      }
      const lockout = await activeLockoutOf(tx, userId);
      if (lockout === undefined) throw notLocked();
      const recorded = await run(
        tx,
        `update lockout set unlock_requested_by = coalesce(unlock_requested_by, $2),
           unlock_reason = coalesce(unlock_reason, $3) where id = $1 and unlocked_at is null`,
        [lockout.id, adminId, context.body.reason],
      );
      if (recorded === 0) throw notLocked();
      await audit.append(tx, {
        action: 'lockout.unlock_requested',
        actor: { kind: 'user', id: adminId },
        subject: { kind: 'user', id: userId },
        outcome: 'success',
        ...{ ip, userAgent, requestId },
        details: { lockoutId: lockout.id, reason: context.body.reason },
      });
      return lockout.id;
    });
  }

  async function unlock(
    context: RouteContext<z.output<typeof accountPath>, unknown, z.output<typeof unlockBody>>,
  ): Promise<Reply> {
    const lockoutId = await request(context);
    if (!(await gateway.signalUnlock(lockoutId))) {
      // No workflow waits: not started yet, or terminated. The lock is lifted here, and one that comes later finds it so.
      const { ip, userAgent, requestId } = context.request;
      await db.transaction((tx) => endLockout(tx, deps, { lockoutId, by: 'admin', ip, userAgent, requestId }));
    }
    const deadline = Date.now() + config.verdictTimeout;
    for (;;) {
      const lockout = await lockoutById(db.fork(), lockoutId);
      if (lockout?.unlockedBy) {
        return { status: 200, body: { userId: context.params.user_id, lockoutId, unlockedBy: lockout.unlockedBy } };
      }
      if (Date.now() >= deadline) {
        throw new DomainError('verdict_pending', 'The unlock is recorded and takes longer than usual.', {
          retryAfter: 2,
        });
      }
      await sleep(POLL_MS);
    }
  }

  return [
    route({
      method: 'post',
      path: '/api/admin/security/accounts/{user_id}/unlock',
      name: 'unlockAccount',
      summary: 'End a lockout before its time',
      access: { kind: 'session', roles: ['admin'], ownership: 'any' },
      params: accountPath,
      body: unlockBody,
      responses: {
        200: {
          description: 'Unlocked',
          schema: z.object({
            userId: z.uuid(),
            lockoutId: z.uuid(),
            unlockedBy: z.enum(['timer', 'admin', 'password_reset']),
          }),
        },
        404: { description: 'not_found' },
        409: { description: 'not_locked' },
      },
      handler: unlock,
    }),
  ];
}

function notLocked(): DomainError {
  return new DomainError('not_locked', 'This account is not locked.');
}

import { z } from 'zod';
import { activeLockoutOf, endLockout } from '../db/lockouts.ts';
import { loginSubject } from '../db/login-subject.ts';
import { notePasswordReset } from '../db/recovery.ts';
import { revokeSessions } from '../db/sessions.ts';
import { oneRow, row, run, type Tx } from '../db/sql.ts';
import { credentialsByEmail, credentialsById, setPassword } from '../db/users.ts';
import { passwordChangedLetter, passwordResetLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { hashToken, newOpaqueToken, tokenHashes } from '../security/tokens.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { emailInput, passwordInput, tokenInput } from './input.ts';
import { requireGoodPassword } from './new-password.ts';
import { principalOf, type Reply, type RequestFacts, type Route, type RouteContext, route } from './route.ts';
import { createTokenDelivery } from './session-tokens.ts';

const changeBody = z.strictObject({ currentPassword: passwordInput, newPassword: passwordInput });
const forgotBody = z.strictObject({ email: emailInput });
const resetBody = z.strictObject({ token: tokenInput, newPassword: passwordInput });

const MAX_PASSWORD_TRIES = 5;
const MAX_RESETS_PER_HOUR = 3;

/** Changing a password, and getting a new one by way of the mailbox. */
export function createPasswordRoutes(deps: ApiDeps): Route[] {
  const { config, db, keyring, audit, outbox, passwords, gateway, log } = deps;
  const delivery = createTokenDelivery({ keyring, production: config.production });

  /** Counts before hashing: whoever took a session over gets five guesses at its password, in parallel or not. */
  async function countTry(sessionId: string): Promise<boolean> {
    const counted = await run(
      db.fork(),
      'update session set password_tries = password_tries + 1 where id = $1 and password_tries < $2',
      [sessionId, MAX_PASSWORD_TRIES],
    );
    return counted === 1;
  }

  async function change(context: RouteContext<unknown, unknown, z.output<typeof changeBody>>): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    const { currentPassword, newPassword } = context.body;
    const { ip, userAgent, requestId } = context.request;
    const actor = { kind: 'user', id: userId } as const;
    const user = await credentialsById(db.fork(), userId);
    if (!(await countTry(sessionId))) {
      await db.transaction((tx) =>
        revokeSessions(tx, audit, { userId, only: sessionId, reason: 'revoked', actor, ip, userAgent, requestId }),
      );
      throw new DomainError('session_required', 'Too many wrong passwords: this session was ended.');
    }
    if (user.passwordHash === null || !(await passwords.verify(user.passwordHash, currentPassword)).ok) {
      await db.transaction((tx) => trace(tx, 'password.change_failed', userId, context.request, 'failure'));
      throw new DomainError('invalid_credentials', 'The current password is wrong.');
    }
    requireGoodPassword(deps, newPassword, [user.email, user.fullName], '/newPassword');
    if (newPassword.normalize('NFKC') === currentPassword.normalize('NFKC')) {
      throw new DomainError('validation_failed', 'The new password is the current one.', {
        errors: [{ in: 'body', pointer: '/newPassword', detail: 'must differ from the current one' }],
      });
    }
    const hash = await passwords.hash(newPassword);
    await db.transaction(async (tx) => {
      await run(tx, 'select 1 from app_user where id = $1 for no key update', [userId]);
      await setPassword(tx, userId, hash, false);
      await run(tx, `update session set scope = 'full', password_tries = 0 where id = $1`, [sessionId]);
      await trace(tx, 'password.changed', userId, context.request, 'success');
      await revokeSessions(tx, audit, {
        ...{ userId, actor, ip, userAgent, requestId },
        except: sessionId,
        reason: 'password_changed',
      });
      await tellChanged(tx, userId, user.email);
    });
    return { status: 204 };
  }

  async function forgot(context: RouteContext<unknown, unknown, z.output<typeof forgotBody>>): Promise<Reply> {
    const { email } = context.body;
    const subject = loginSubject(keyring, email);
    const token = newOpaqueToken();
    const id = uuidV7();
    // The same statements for an address without an account, as far as possible: the answer must not tell, nor its time.
    await db.transaction(async (tx) => {
      const user = await credentialsByEmail(tx, email);
      const owner = user?.passwordHash ? user : undefined;
      const { asked } = await oneRow<{ asked: number }>(
        tx,
        `select count(*)::int as asked from password_reset
          where subject = $1 and created_at > clock_timestamp() - interval '1 hour'`,
        [subject],
      );
      if (asked >= MAX_RESETS_PER_HOUR) return;
      await run(
        tx,
        `insert into password_reset (id, subject, user_id, token_hash, expires_at)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms')`,
        [id, subject, owner?.id ?? null, hashToken(keyring, 'reset-token', token), config.passwordResetTtl],
      );
      if (owner === undefined) return;
      await outbox.enqueue(tx, {
        ...passwordResetLetter(config.publicOrigin, token, config.passwordResetTtl),
        key: `password-reset:${id}`,
        userId: owner.id,
        to: owner.email,
      });
      await trace(tx, 'password.reset_requested', owner.id, context.request, 'success', { kind: 'anonymous' });
    });
    return { status: 202, body: { status: 'accepted' } };
  }

  async function reset(context: RouteContext<unknown, unknown, z.output<typeof resetBody>>): Promise<Reply> {
    const { token, newPassword } = context.body;
    const hashes = tokenHashes(keyring, 'reset-token', token);
    // The password of a restricted account is its recovery's to reset: whoever reads the mailbox alone does not.
    const usable = `token_hash = any($1::bytea[]) and used_at is null and expires_at > clock_timestamp()
      and (exists (select from recovery_step s where s.password_reset_id = password_reset.id)
        or not exists (select from app_user u where u.id = password_reset.user_id and u.restricted_at is not null))`;
    const found = await row<{ user_id: string | null }>(
      db.fork(),
      `select user_id from password_reset where ${usable}`,
      [hashes],
    );
    const userId = found?.user_id;
    if (!userId) throw tokenInvalid();
    const user = await credentialsById(db.fork(), userId);
    requireGoodPassword(deps, newPassword, [user.email, user.fullName], '/newPassword');
    const hash = await passwords.hash(newPassword);
    const { ip, userAgent, requestId } = context.request;
    const actor = { kind: 'user', id: userId } as const;
    const lockoutId = await db.transaction(async (tx) => {
      await run(tx, 'select 1 from app_user where id = $1 for no key update', [userId]);
      const used = await run(tx, `update password_reset set used_at = clock_timestamp() where ${usable}`, [hashes]);
      if (used === 0) throw tokenInvalid();
      // Whoever reads the mailbox may have more links lying there.
      await run(tx, 'update password_reset set used_at = clock_timestamp() where user_id = $1 and used_at is null', [
        userId,
      ]);
      await setPassword(tx, userId, hash, false);
      await run(
        tx,
        'update app_user set email_confirmed_at = coalesce(email_confirmed_at, clock_timestamp()) where id = $1',
        [userId],
      );
      await trace(tx, 'password.reset', userId, context.request, 'success');
      await notePasswordReset(tx, deps, { userId, tokenHashes: hashes, ip, userAgent, requestId });
      await revokeSessions(tx, audit, { userId, actor, ip, userAgent, requestId, reason: 'password_reset' });
      await tellChanged(tx, userId, user.email);
      // The lock protected a password that is void now (docs/adr, "attempts are counted by reservation").
      const lockout = await activeLockoutOf(tx, userId);
      if (lockout === undefined) return undefined;
      await endLockout(tx, deps, { lockoutId: lockout.id, by: 'password_reset', ip, userAgent, requestId });
      return lockout.id;
    });
    if (lockoutId !== undefined) await tellLockout(lockoutId);
    return { status: 204, cookies: [delivery.clearedSession()] };
  }

  /** The lock is lifted already; its workflow would notice at the end of its timer, this spares it the wait. */
  async function tellLockout(lockoutId: string): Promise<void> {
    try {
      await gateway.signalUnlock(lockoutId);
    } catch (error) {
      log.warn({ err: error, lockoutId }, 'a lockout ended and its workflow could not be told');
    }
  }

  async function tellChanged(tx: Tx, userId: string, to: string): Promise<void> {
    await outbox.enqueue(tx, { ...passwordChangedLetter(), key: `password-changed:${uuidV7()}`, userId, to });
  }

  async function trace(
    tx: Tx,
    action: string,
    userId: string,
    request: RequestFacts,
    outcome: 'success' | 'failure',
    actor: { kind: 'user' | 'anonymous'; id?: string } = { kind: 'user', id: userId },
  ): Promise<void> {
    const { ip, userAgent, requestId } = request;
    await audit.append(tx, { action, actor, subject: { kind: 'user', id: userId }, outcome, ip, userAgent, requestId });
  }

  return [
    route({
      method: 'post',
      path: '/api/auth/password',
      name: 'changePassword',
      summary: 'Change the own password; other sessions end',
      access: { kind: 'session', roles: ROLES, ownership: 'none', passwordChange: true },
      body: changeBody,
      responses: {
        204: { description: 'Changed' },
        401: { description: 'invalid_credentials: the current password is wrong' },
        422: { description: 'password_breached' },
      },
      handler: change,
    }),
    route({
      method: 'post',
      path: '/api/auth/password/forgot',
      name: 'forgotPassword',
      summary: 'Have a link mailed that sets a new password',
      access: { kind: 'public' },
      body: forgotBody,
      responses: {
        202: {
          description: 'Always, whether or not there is an account',
          schema: z.object({ status: z.literal('accepted') }),
        },
      },
      handler: forgot,
    }),
    route({
      method: 'post',
      path: '/api/auth/password/reset',
      name: 'resetPassword',
      summary: 'Set a new password with the token of the letter; all sessions end',
      access: { kind: 'public' },
      body: resetBody,
      responses: {
        204: { description: 'Set', headers: ['SetCookie'] },
        400: { description: 'token_invalid' },
        422: { description: 'password_breached' },
      },
      handler: reset,
    }),
  ];
}

function tokenInvalid(): DomainError {
  return new DomainError('token_invalid', 'The link was used, is too old, or is none of ours.');
}

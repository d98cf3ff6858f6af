import { authenticatorLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import type { Tier } from '../domain/limits.ts';
import type { Role } from '../domain/roles.ts';
import type { Keyring } from '../security/keyring.ts';
import { newOneTimePassword } from '../security/one-time-password.ts';
import type { PasswordHasher } from '../security/passwords.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import type { Database } from './orm.ts';
import type { Outbox } from './outbox.ts';
import { removeAllFactors } from './owned-factors.ts';
import { revokeSessions } from './sessions.ts';
import { rows, run, type Tx } from './sql.ts';
import { createSubjectKeys } from './subject-keys.ts';
import { createUser, setPassword } from './users.ts';

export interface UserAdministrationDeps {
  db: Database;
  audit: AuditLog;
  passwords: Pick<PasswordHasher, 'hash'>;
  keyring: Keyring;
  outbox: Outbox;
}

/** Who acts: an administrator through the API, or an operator at the command line. */
export interface Acting {
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

interface LockedUser {
  id: string;
  email: string;
  role: Role;
  tier: Tier;
  disabled: boolean;
}

/** Creates and changes accounts of staff (and anybody's role), each change with its audit entry in one transaction. */
export function createUserAdministration({ db, audit, passwords, keyring, outbox }: UserAdministrationDeps) {
  const newUsers = { audit, subjectKeys: createSubjectKeys({ keyring }) };

  /**
   * Locks the person and every working administrator, in one order, so that two administrators who remove each other at
   * the same time are counted one after the other. Not FOR UPDATE: a row that refers to the person (an attempt, inserted
   * under its subject's lock) must be able to come meanwhile, or the two would wait for each other.
   */
  async function lockWithAdmins(tx: Tx, userId: string): Promise<{ user: LockedUser; isLastAdmin: boolean }> {
    const locked = await rows<LockedUser>(
      tx,
      `select id, email, role, tier, disabled_at is not null as disabled from app_user
        where id = $1 or (role = 'admin' and disabled_at is null) order by id for no key update`,
      [userId],
    );
    const user = locked.find(({ id }) => id === userId);
    if (user === undefined) throw new DomainError('not_found', 'There is no such user.');
    const admins = locked.filter(({ role, disabled }) => role === 'admin' && !disabled);
    return { user, isLastAdmin: admins.length === 1 && admins[0]?.id === userId };
  }

  function refuseLastAdmin(isLastAdmin: boolean): void {
    if (isLastAdmin) throw new DomainError('last_admin', 'This is the last administrator: make another one first.');
  }

  async function record(tx: Tx, action: string, userId: string, by: Acting, details: Record<string, unknown> = {}) {
    await audit.append(tx, {
      action,
      actor: by.actor,
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ip: by.ip ?? null,
      userAgent: by.userAgent ?? null,
      requestId: by.requestId ?? null,
      details,
    });
  }

  return {
    /**
     * Adds somebody with a one-time password, which is returned once and stored nowhere.
     * @throws DomainError `already_exists`
     */
    async create(given: { email: string; fullName: string; role: Role }, by: Acting) {
      const oneTimePassword = newOneTimePassword();
      const passwordHash = await passwords.hash(oneTimePassword);
      const userId = await db.transaction((tx) =>
        createUser(tx, newUsers, { ...given, ...by, timeZone: null, passwordHash, oneTime: true, confirmed: true }),
      );
      if (userId === undefined)
        throw new DomainError('already_exists', 'There is an account with this address already.');
      return { userId, oneTimePassword };
    },

    /** Gives somebody another role and ends their sessions: a role may not be carried into a session of another strength. */
    setRole: (userId: string, role: Role, by: Acting): Promise<void> =>
      db.transaction(async (tx) => {
        const { user, isLastAdmin } = await lockWithAdmins(tx, userId);
        if (user.role === role) return;
        refuseLastAdmin(isLastAdmin);
        await run(tx, 'update app_user set role = $2 where id = $1', [userId, role]);
        await record(tx, 'user.role_changed', userId, by, { from: user.role, to: role });
        await revokeSessions(tx, audit, { ...by, userId, reason: 'role_changed' });
      }),

    /** Gives somebody other limits, from their next transaction on. */
    setTier: (userId: string, tier: Tier, by: Acting): Promise<void> =>
      db.transaction(async (tx) => {
        const { user } = await lockWithAdmins(tx, userId);
        if (user.tier === tier) return;
        await run(tx, 'update app_user set tier = $2 where id = $1', [userId, tier]);
        await record(tx, 'user.tier_changed', userId, by, { from: user.tier, to: tier });
      }),

    /** Shuts an account, ending its sessions, or opens it again. @throws DomainError `last_admin` */
    setDisabled: (userId: string, disabled: boolean, by: Acting): Promise<void> =>
      db.transaction(async (tx) => {
        const { user, isLastAdmin } = await lockWithAdmins(tx, userId);
        if (user.disabled === disabled) return;
        if (disabled) refuseLastAdmin(isLastAdmin);
        await run(tx, 'update app_user set disabled_at = case when $2 then clock_timestamp() end where id = $1', [
          userId,
          disabled,
        ]);
        await record(tx, disabled ? 'user.disabled' : 'user.enabled', userId, by);
        if (disabled) await revokeSessions(tx, audit, { ...by, userId, reason: 'disabled' });
      }),

    /** Replaces the password by a one-time password, which is returned once, and ends all sessions. */
    async resetPassword(userId: string, by: Acting): Promise<string> {
      const oneTimePassword = newOneTimePassword();
      const hash = await passwords.hash(oneTimePassword);
      await db.transaction(async (tx) => {
        await lockWithAdmins(tx, userId);
        await setPassword(tx, userId, hash, true);
        await record(tx, 'user.password_reset', userId, by);
        await revokeSessions(tx, audit, { ...by, userId, reason: 'password_reset' });
      });
      return oneTimePassword;
    },

    /** Takes every enrolled factor away and ends all sessions; staff enrol a new one at the next sign-in. */
    resetMfa: (userId: string, by: Acting): Promise<void> =>
      db.transaction(async (tx) => {
        const { user } = await lockWithAdmins(tx, userId);
        const removed = await removeAllFactors(tx, userId);
        await record(tx, 'user.mfa_reset', userId, by, { hadTotp: removed.includes('totp'), removed });
        await revokeSessions(tx, audit, { ...by, userId, reason: 'mfa_reset' });
        if (removed.length > 0) {
          const key = `totp-removed:${userId}:${uuidV7()}`;
          await outbox.enqueue(tx, { ...authenticatorLetter('removed'), key, userId, to: user.email });
        }
      }),
  };
}

export type UserAdministration = ReturnType<typeof createUserAdministration>;

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AttemptFacts,
  lockedAttemptEvent,
  PARALLEL_WAIT_MS,
  type Reservation,
  recordLockedAttempt,
  reserveAttempt,
} from '../db/login-subject.ts';
import { abandonLogin } from '../db/logins.ts';
import { run } from '../db/sql.ts';
import type { Credentials } from '../db/users.ts';
import { DomainError } from '../domain/errors.ts';
import { MAX_FACTOR_ATTEMPTS } from '../domain/login.ts';
import { PasswordHasherBusyError } from '../security/passwords.ts';
import { type LoginSettings, taskQueues } from '../workflows/contract.ts';
import type { ApiDeps } from './deps.ts';
import { locked } from './login-answer.ts';

const POLL_MS = 40;

/** Everything about one password check: the place in the count, the hash, and what happens when nobody answers. */
export function createLoginAttempts({ config, db, audit, passwords, log }: ApiDeps) {
  const rules = {
    threshold: config.lockoutThreshold,
    windowMs: config.lockoutWindow,
    durationMs: config.lockoutDuration,
  };

  /** Attempts beyond the threshold wait for those under way: most of them then meet the lock, as they should. */
  async function reserveInTurn(facts: AttemptFacts): Promise<Reservation> {
    const deadline = Date.now() + PARALLEL_WAIT_MS;
    for (;;) {
      const reservation = await reserveAttempt(db.fork(), facts, rules, config.verdictTimeout);
      if (reservation.outcome !== 'saturated' || Date.now() >= deadline) return reservation;
      await sleep(POLL_MS + Math.random() * POLL_MS);
    }
  }

  async function recordLocked(facts: AttemptFacts): Promise<void> {
    await db.transaction(async (tx) => {
      await recordLockedAttempt(tx, facts);
      await audit.append(tx, lockedAttemptEvent(facts));
    });
  }

  return {
    settings: {
      queues: taskQueues(config.taskQueuePrefix),
      stepUpTimeoutMs: config.loginStepUpTimeout,
      emailCodeTtlMs: config.emailCodeTtl,
      sessionTtlMs: config.sessionTtl,
      maxFactorTries: MAX_FACTOR_ATTEMPTS,
      deviceCookieRequired: config.deviceBinding === 'required',
      lockout: rules,
    } satisfies LoginSettings,

    /**
     * Reserves the right to check one password.
     * @throws DomainError `account_locked` (recorded, nothing is hashed) or `rate_limited`
     */
    async reserve(facts: AttemptFacts): Promise<void> {
      const reservation = await reserveInTurn(facts);
      if (reservation.outcome === 'locked') {
        await recordLocked(facts);
        throw locked(reservation.lockedUntil);
      }
      if (reservation.outcome === 'throttled') {
        throw new DomainError('rate_limited', 'There were too many attempts to sign in. Try again later.', {
          retryAfter: (Date.parse(reservation.retryAt) - Date.now()) / 1000,
        });
      }
      if (reservation.outcome === 'saturated') {
        throw new DomainError('rate_limited', 'Too many sign-ins at once. Try again in a moment.', { retryAfter: 1 });
      }
    },

    /** Whether the password is right; costs the same where there is no account, or none that may sign in yet. */
    async check(user: Credentials | undefined, password: string): Promise<boolean> {
      try {
        if (!user?.passwordHash) return await passwords.verifyUnknownUser(password);
        const { ok, needsRehash } = await passwords.verify(user.passwordHash, password);
        if (needsRehash) await rehash(user.id, user.passwordHash, password);
        return ok;
      } catch (error) {
        if (!(error instanceof PasswordHasherBusyError)) throw error;
        throw new DomainError('rate_limited', 'Too many people sign in just now. Try again in a moment.', {
          retryAfter: 2,
        });
      }
    },

    /** Nobody gets this login's answer: it must not leave a session behind, however late its workflow comes. */
    async giveUp(loginId: string): Promise<void> {
      try {
        await db.transaction((tx) => abandonLogin(tx, audit, loginId));
      } catch (error) {
        log.warn({ err: error, loginId }, 'a login could not be marked abandoned; its deadline does the same');
      }
    },
  };

  async function rehash(userId: string, before: string, password: string): Promise<void> {
    const hash = await passwords.hash(password);
    await run(db.fork(), 'update app_user set password_hash = $3 where id = $1 and password_hash = $2', [
      userId,
      before,
      hash,
    ]);
  }
}

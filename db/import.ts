import { createHash } from 'node:crypto';
import type { Role } from '../domain/roles.ts';
import type { TransactionStatus } from '../domain/transaction.ts';
import type { Keyring } from '../security/keyring.ts';
import { hashToken, newOpaqueToken } from '../security/tokens.ts';
import { uuidV7, uuidV8 } from '../security/uuid.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { ensureAccount } from './ledger.ts';
import type { Database } from './orm.ts';
import { revokeSessions } from './sessions.ts';
import { revokeSigningKey } from './signing-keys.ts';
import { oneRow, row, rows, run, type Tx } from './sql.ts';
import { createSubjectKeys } from './subject-keys.ts';
import type { NewUserDeps } from './users.ts';

/** What an import needs of an installation: the operator who runs it holds the keys and the database. */
export interface ImportDeps {
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
}

/** Somebody who exists for imports alone: without a password, so nobody ever signs in as them. */
export interface ImportActor {
  userId: string;
  sessionId: string;
  token: string;
}

/** Where a transaction stands in the database. */
export interface ImportedState {
  status: TransactionStatus;
  code: string | null;
  /** The decision was to hold it, at once or after a step-up. */
  hold: boolean;
  /** It was held, or is. */
  held: boolean;
}

const OPERATOR: AuditEvent['actor'] = { kind: 'operator', id: 'replay' };
const SESSION_HOURS = 24;

/**
 * The few things a replay of recorded transactions does beside the API: it makes people and accounts that stand for
 * recorded ones, opens its own sessions, and answers step-ups in the name of people who do not exist. Each leaves its
 * audit entry, and none works in production, where the API refuses the importer.
 *
 * @param dataset names the recorded data: the same account name in other data is another account
 */
export function createImport({ db, keyring, audit }: ImportDeps, dataset: string) {
  const newUsers: NewUserDeps = { audit, subjectKeys: createSubjectKeys({ keyring }) };
  const idOf = (kind: string, name: string): string =>
    uuidV8(
      createHash('sha256')
        .update(JSON.stringify(['tradeguard-import', dataset, kind, name]))
        .digest(),
    );

  return {
    /** Opens a session for the importer, or for a reviewer who decides as the recorded labels say. */
    openSession(role: Extract<Role, 'importer' | 'reviewer'>, name: string): Promise<ImportActor> {
      const token = newOpaqueToken();
      const sessionId = uuidV7();
      return db.transaction(async (tx) => {
        const userId = uuidV8(createHash('sha256').update(`tradeguard-import ${role} ${name}`).digest());
        await ensureUser(tx, newUsers, { id: userId, role, fullName: `Replay ${name}` });
        await revokeStaleKeys(tx, audit, userId);
        await run(
          tx,
          `insert into session (id, user_id, token_hash, scope, channel, factor_at, expires_at)
           values ($1, $2, $3, 'full', 'bearer', clock_timestamp(), clock_timestamp() + make_interval(hours => $4))`,
          [sessionId, userId, hashToken(keyring, 'session', token), SESSION_HOURS],
        );
        await audit.append(tx, {
          action: 'session.created',
          actor: OPERATOR,
          subject: { kind: 'user', id: userId },
          outcome: 'success',
          details: { sessionId, role },
        });
        return { userId, sessionId, token };
      });
    },

    /** Ends a session of {@link openSession}. */
    async closeSession({ userId, sessionId }: ImportActor): Promise<void> {
      await db.transaction((tx) =>
        revokeSessions(tx, audit, { userId, only: sessionId, reason: 'logout', actor: OPERATOR }),
      );
    },

    /** Ends a signing key of the importer. */
    async revokeKey({ userId }: ImportActor, keyId: string): Promise<void> {
      await db.transaction((tx) => revokeSigningKey(tx, { audit }, { userId, keyId, by: { actor: OPERATOR } }));
    },

    /** The person and the account that stand for a recorded account; made when it is first met. */
    ensureAccount(name: string): Promise<{ userId: string; accountId: string }> {
      return db.transaction(async (tx) => {
        const userId = idOf('user', name);
        await ensureUser(tx, newUsers, { id: userId, role: 'customer', fullName: `Imported account ${name}` });
        const accountId = await ensureAccount(tx, { id: idOf('account', name), userId, imported: true });
        return { userId, accountId };
      });
    },

    /**
     * Records that the owner passed the step-up of an imported transaction. The workflow applies it as it applies every
     * recorded factor; only the comparison of a code is missing, since nobody is there to read one.
     *
     * @returns the factor attempt's id; the same one when asked again
     * @throws when the transaction is not an imported one
     */
    attestFactor(transactionId: string): Promise<string> {
      const attemptId = idOf('factor', transactionId);
      return db.transaction(async (tx) => {
        const { user_id: userId } = await oneRow<{ user_id: string }>(
          tx,
          'select user_id from transaction where id = $1 and virtual is not null for update',
          [transactionId],
        );
        const inserted = await run(
          tx,
          `insert into factor_attempt (id, challenge_kind, challenge_id, user_id, method, passed, challenge_hash)
           select $1, 'transaction', id, $3, 'email_code', true, challenge_hash from transaction where id = $2
           on conflict (id) do nothing`,
          [attemptId, transactionId, userId],
        );
        if (inserted === 1) {
          await audit.append(tx, {
            action: 'transaction.factor_attested',
            actor: OPERATOR,
            subject: { kind: 'transaction', id: transactionId },
            outcome: 'success',
            details: { attemptId },
          });
        }
        return attemptId;
      });
    },

    /** The present state of a transaction. @throws when there is none */
    stateOf(transactionId: string): Promise<ImportedState> {
      return oneRow<ImportedState>(
        db.fork(),
        `select status, code, hold_after_step_up or held_at is not null as hold, held_at is not null as held
           from transaction where id = $1`,
        [transactionId],
      );
    },
  };
}

export type Import = ReturnType<typeof createImport>;

/** Ends the keys that a replay which was killed has left: its session is over as well, and an importer has few. */
async function revokeStaleKeys(tx: Tx, audit: AuditLog, userId: string): Promise<void> {
  const stale = await rows<{ id: string }>(
    tx,
    `select id from signing_key
      where user_id = $1 and revoked_at is null and created_at < clock_timestamp() - make_interval(hours => $2)`,
    [userId, SESSION_HOURS],
  );
  for (const { id: keyId } of stale) await revokeSigningKey(tx, { audit }, { userId, keyId, by: { actor: OPERATOR } });
}

/** Adds somebody without a password, at an address that no mail reaches (RFC 2606). */
async function ensureUser(
  tx: Tx,
  { audit, subjectKeys }: NewUserDeps,
  user: { id: string; role: Role; fullName: string },
): Promise<void> {
  const email = `${user.id}@import.invalid`;
  const inserted = await row(
    tx,
    `insert into app_user (id, email, email_key, full_name, role) values ($1, $2, $2, $3, $4)
     on conflict (id) do nothing returning id`,
    [user.id, email, user.fullName, user.role],
  );
  if (inserted === undefined) return;
  const sealed = await subjectKeys.seal(tx, user.id, { email, fullName: user.fullName });
  await audit.append(tx, {
    action: user.role === 'customer' ? 'account.created' : 'user.created',
    actor: OPERATOR,
    subject: { kind: 'user', id: user.id },
    outcome: 'success',
    details: { role: user.role, imported: true, sealed },
  });
}

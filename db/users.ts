import { normaliseEmail } from '../domain/email.ts';
import { DomainError } from '../domain/errors.ts';
import type { Role } from '../domain/roles.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { oneRow, row, run, type Tx } from './sql.ts';
import type { SubjectKeys } from './subject-keys.ts';

/** What adding somebody needs. */
export interface NewUserDeps {
  audit: AuditLog;
  subjectKeys: Pick<SubjectKeys, 'seal'>;
}

export interface NewUser {
  email: string;
  fullName: string;
  timeZone: string | null;
  role: Role;
  /** Null until the address is confirmed: nobody can sign in then. */
  passwordHash: string | null;
  /** A password that must be changed at the first sign-in. */
  oneTime: boolean;
  confirmed: boolean;
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

/** What signing in needs of somebody. */
export interface Credentials {
  id: string;
  email: string;
  fullName: string;
  role: Role;
  passwordHash: string | null;
  oneTime: boolean;
  confirmed: boolean;
}

/**
 * Adds somebody with their one trading account. Who they were at that moment goes into the audit log under a key of
 * their own, so that it can be erased. @returns the id, or undefined when the address is taken (also by a caller at the
 * same moment)
 */
export async function createUser(
  tx: Tx,
  { audit, subjectKeys }: NewUserDeps,
  given: NewUser,
): Promise<string | undefined> {
  const id = uuidV7();
  const inserted = await row(
    tx,
    `insert into app_user (id, email, email_key, full_name, time_zone, role, password_hash, password_one_time,
       password_changed_at, email_confirmed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, case when $7::text is not null then clock_timestamp() end,
       case when $9 then clock_timestamp() end)
     on conflict (email_key) do nothing returning id`,
    [
      id,
      given.email.trim(),
      normaliseEmail(given.email),
      given.fullName,
      given.timeZone,
      given.role,
      given.passwordHash,
      given.oneTime,
      given.confirmed,
    ],
  );
  if (inserted === undefined) return undefined;
  const accountId = uuidV7();
  await run(tx, `insert into account (id, user_id, kind, name) values ($1, $2, 'customer', 'trading')`, [
    accountId,
    id,
  ]);
  await run(tx, 'insert into account_state (account_id) values ($1)', [accountId]);
  const sealed = await subjectKeys.seal(tx, id, { email: given.email.trim(), fullName: given.fullName });
  await audit.append(tx, {
    action: given.role === 'customer' ? 'account.created' : 'user.created',
    actor: given.actor.kind === 'anonymous' ? { kind: 'user', id } : given.actor,
    subject: { kind: 'user', id },
    outcome: 'success',
    ip: given.ip ?? null,
    userAgent: given.userAgent ?? null,
    requestId: given.requestId ?? null,
    details: { role: given.role, accountId, confirmed: given.confirmed, sealed },
  });
  return id;
}

/** The person with this address, if there is one. */
export async function credentialsByEmail(tx: Tx, email: string): Promise<Credentials | undefined> {
  return credentials(tx, 'email_key = $1', normaliseEmail(email));
}

/** The person with this id. @throws DomainError `not_found` */
export async function credentialsById(tx: Tx, userId: string): Promise<Credentials> {
  const found = await credentials(tx, 'id = $1', userId);
  if (found === undefined) throw new DomainError('not_found', 'There is no such user.');
  return found;
}

/** Sets a password; the caller has checked it and revokes sessions as the occasion asks. */
export async function setPassword(tx: Tx, userId: string, hash: string, oneTime: boolean): Promise<void> {
  await oneRow(
    tx,
    `update app_user set password_hash = $2, password_one_time = $3, password_changed_at = clock_timestamp()
      where id = $1 returning id`,
    [userId, hash, oneTime],
  );
}

async function credentials(tx: Tx, condition: string, value: string): Promise<Credentials | undefined> {
  const found = await row<{
    id: string;
    email: string;
    full_name: string;
    role: Role;
    password_hash: string | null;
    password_one_time: boolean;
    confirmed: boolean;
  }>(
    tx,
    `select id, email, full_name, role, password_hash, password_one_time, email_confirmed_at is not null as confirmed
       from app_user where ${condition}`,
    [value],
  );
  if (found === undefined) return undefined;
  return {
    id: found.id,
    email: found.email,
    fullName: found.full_name,
    role: found.role,
    passwordHash: found.password_hash,
    oneTime: found.password_one_time,
    confirmed: found.confirmed,
  };
}

import { DomainError } from '../domain/errors.ts';
import { decryptField, encryptField } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import { newSigningSecret } from '../security/request-signing.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { iso, isoOrNull, oneRow, row, rows, run, type Tx } from './sql.ts';

/** A key as its owner sees it; the secret is not part of it. */
export interface SigningKey {
  keyId: string;
  status: 'active' | 'rotating' | 'revoked';
  /** The key that this one took over from. */
  replaces: string | null;
  createdAt: string;
  /** While rotating: until when it is accepted beside its successor. */
  acceptedUntil: string | null;
  revokedAt: string | null;
}

/** The one moment at which a secret leaves the database. */
export interface IssuedKey {
  key: SigningKey;
  /** 32 bytes in base64url. */
  secret: string;
}

/** Who acts, for the audit entry. */
export interface SigningKeyActor {
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

export interface SigningKeyDeps {
  keyring: Keyring;
  audit: AuditLog;
}

/** Keys of one person that are accepted at a time: one for each of a few clients, and rotations under way. */
export const MAX_ACCEPTED_SIGNING_KEYS = 10;

interface KeyRow {
  id: string;
  status: SigningKey['status'];
  replaces: string | null;
  created_at: string;
  accepted_until: string | null;
  revoked_at: string | null;
}

/** A rotating key whose time is over is revoked, though nobody wrote that down yet. */
const IS_ACCEPTED = `status <> 'revoked' and (accepted_until is null or accepted_until > clock_timestamp())`;
const COLUMNS = `id, replaces, created_at, accepted_until,
  case when ${IS_ACCEPTED} then status else 'revoked' end as status,
  case when ${IS_ACCEPTED} then null else coalesce(revoked_at, accepted_until) end as revoked_at`;

/** A page of somebody's keys, newest first, `limit` + 1 of them where there are more. */
export async function listSigningKeys(
  tx: Tx,
  given: { userId: string; after: { at: string; id: string } | null; limit: number },
): Promise<{ key: SigningKey; position: { at: string; id: string } }[]> {
  const found = await rows<KeyRow>(
    tx,
    `select ${COLUMNS} from signing_key
      where user_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2::timestamptz, $3::uuid))
      order by created_at desc, id desc limit $4`,
    [given.userId, given.after?.at ?? null, given.after?.id ?? null, given.limit + 1],
  );
  return found.map((key) => ({ key: keyOf(key), position: { at: key.created_at, id: key.id } }));
}

/** One key of this person, or undefined. */
export async function findSigningKey(tx: Tx, userId: string, keyId: string): Promise<SigningKey | undefined> {
  const found = await row<KeyRow>(tx, `select ${COLUMNS} from signing_key where id = $1 and user_id = $2`, [
    keyId,
    userId,
  ]);
  return found === undefined ? undefined : keyOf(found);
}

/** A secret that a request may have been signed with. */
export interface SigningSecret {
  keyId: string;
  userId: string;
  secret: string;
}

/**
 * The secrets a request may have been signed with: of the key it names, whoever's that is, or, where it names none, of
 * the person's one active key and the key that is being rotated into it. Whether a named key is still accepted is asked
 * when the nonce is used up.
 */
export async function signingSecrets(
  tx: Tx,
  keyring: Keyring,
  given: { keyId: string | undefined; userId: string },
): Promise<SigningSecret[]> {
  const found = await rows<{ id: string; user_id: string; secret: string; status: string }>(
    tx,
    given.keyId === undefined
      ? `select id, user_id, secret, status from signing_key where user_id = $1 and ${IS_ACCEPTED}`
      : 'select id, user_id, secret, status from signing_key where id = $1',
    [given.keyId ?? given.userId],
  );
  if (given.keyId === undefined && found.filter(({ status }) => status === 'active').length !== 1) return [];
  return found.map(({ id, user_id, secret }) => ({
    keyId: id,
    userId: user_id,
    secret: decryptField(keyring, secret, secretField(id)),
  }));
}

/**
 * Makes a new key, in the caller's transaction.
 *
 * @throws DomainError `account_disabled`, `account_restricted`, or `too_many_keys`
 */
export async function issueSigningKey(
  tx: Tx,
  deps: SigningKeyDeps,
  { userId, by }: { userId: string; by: SigningKeyActor },
): Promise<IssuedKey> {
  await lockKeysOf(tx, userId);
  await refuseTooMany(tx, userId);
  return insertKey(tx, deps, { userId, by, replaces: null });
}

/**
 * Makes the successor of an active key; the old secret goes on working for `overlapMs`, so that nothing in flight fails.
 *
 * @throws DomainError `not_found` for a key that is not this person's, `illegal_transition` for one that is not active,
 *   and as {@link issueSigningKey}
 */
export async function rotateSigningKey(
  tx: Tx,
  deps: SigningKeyDeps,
  { userId, keyId, overlapMs, by }: { userId: string; keyId: string; overlapMs: number; by: SigningKeyActor },
): Promise<IssuedKey> {
  await lockKeysOf(tx, userId);
  const old = await findSigningKey(tx, userId, keyId);
  if (old === undefined) throw unknownKey();
  if (old.status !== 'active') {
    throw new DomainError('illegal_transition', `This key is ${old.status}: only an active key can be rotated.`);
  }
  await refuseTooMany(tx, userId);
  await run(
    tx,
    `update signing_key set status = 'rotating', accepted_until = clock_timestamp() + $2 * interval '1 ms' where id = $1`,
    [keyId, overlapMs],
  );
  return insertKey(tx, deps, { userId, by, replaces: keyId });
}

/** Revokes one key; revoking it again changes nothing. @throws DomainError `not_found` for a key of somebody else */
export async function revokeSigningKey(
  tx: Tx,
  { audit }: Pick<SigningKeyDeps, 'audit'>,
  { userId, keyId, by }: { userId: string; keyId: string; by: SigningKeyActor },
): Promise<void> {
  await lockKeysOf(tx, userId);
  const key = await findSigningKey(tx, userId, keyId);
  if (key === undefined) throw unknownKey();
  if (key.status === 'revoked') return;
  await revokeWhere(tx, audit, { userId, keyId, reason: 'revoked', by });
}

/**
 * Revokes everything that somebody could sign with, in the caller's transaction, which holds the lock of the user's row:
 * part of a freeze. @returns how many keys it ended
 */
export function revokeAllSigningKeys(
  tx: Tx,
  { audit }: Pick<SigningKeyDeps, 'audit'>,
  given: { userId: string; reason: string; by: SigningKeyActor },
): Promise<number> {
  return revokeWhere(tx, audit, { ...given, keyId: null });
}

async function revokeWhere(
  tx: Tx,
  audit: AuditLog,
  given: { userId: string; keyId: string | null; reason: string; by: SigningKeyActor },
): Promise<number> {
  const ended = await rows<{ id: string }>(
    tx,
    `update signing_key set status = 'revoked', revoked_at = clock_timestamp(), revoked_reason = $3
      where user_id = $1 and ($2::uuid is null or id = $2) and ${IS_ACCEPTED} returning id`,
    [given.userId, given.keyId, given.reason],
  );
  await audit.append(
    tx,
    ...ended.map(({ id }) => event('signing_key.revoked', id, given.userId, given.by, { reason: given.reason })),
  );
  return ended.length;
}

async function insertKey(
  tx: Tx,
  { keyring, audit }: SigningKeyDeps,
  { userId, by, replaces }: { userId: string; by: SigningKeyActor; replaces: string | null },
): Promise<IssuedKey> {
  const id = uuidV7();
  const secret = newSigningSecret();
  const inserted = await oneRow<KeyRow>(
    tx,
    `insert into signing_key (id, user_id, secret, status, replaces) values ($1, $2, $3, 'active', $4)
     returning id, status, replaces, created_at, accepted_until, revoked_at`,
    [id, userId, encryptField(keyring, secret, secretField(id)), replaces],
  );
  const action = replaces === null ? 'signing_key.issued' : 'signing_key.rotated';
  await audit.append(tx, event(action, id, userId, by, replaces === null ? {} : { replaces }));
  return { key: keyOf(inserted), secret };
}

/** The user's row first, as everywhere: a freeze comes before or after, never between. Then the person's keys. */
async function lockKeysOf(tx: Tx, userId: string): Promise<void> {
  const owner = await row<{ disabled: boolean; restricted: boolean }>(
    tx,
    `select disabled_at is not null as disabled, restricted_at is not null as restricted
       from app_user where id = $1 for share`,
    [userId],
  );
  if (owner === undefined) throw new DomainError('not_found', 'There is no such user.');
  if (owner.disabled) throw new DomainError('account_disabled', 'This account is closed.');
  if (owner.restricted) throw new DomainError('account_restricted', 'This account is restricted.');
  await run(tx, `select pg_advisory_xact_lock(hashtextextended('tradeguard.signing-keys:' || $1, 0))`, [userId]);
}

async function refuseTooMany(tx: Tx, userId: string): Promise<void> {
  const { accepted } = await oneRow<{ accepted: number }>(
    tx,
    `select count(*)::int as accepted from signing_key where user_id = $1 and ${IS_ACCEPTED}`,
    [userId],
  );
  if (accepted < MAX_ACCEPTED_SIGNING_KEYS) return;
  throw new DomainError('too_many_keys', `There are ${accepted} signing keys already: delete one first.`);
}

function event(
  action: string,
  keyId: string,
  userId: string,
  by: SigningKeyActor,
  details: Record<string, unknown>,
): AuditEvent {
  return {
    action,
    ...by,
    subject: { kind: 'signing_key', id: keyId },
    outcome: 'success',
    details: { userId, ...details },
  };
}

function keyOf(found: KeyRow): SigningKey {
  return {
    keyId: found.id,
    status: found.status,
    replaces: found.replaces,
    createdAt: iso(found.created_at),
    acceptedUntil: isoOrNull(found.accepted_until),
    revokedAt: isoOrNull(found.revoked_at),
  };
}

function unknownKey(): DomainError {
  return new DomainError('not_found', 'You have no such signing key.');
}

/** Where the secret of a key is kept. */
function secretField(keyId: string) {
  return { table: 'signing_key', column: 'secret', rowId: keyId };
}

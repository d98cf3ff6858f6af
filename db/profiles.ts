import { DomainError } from '../domain/errors.ts';
import { decryptMembers, encryptMembers, maskMembers, type PiiSchema } from '../security/field-batch.ts';
import type { Keyring } from '../security/keyring.ts';
import { maskAccount, maskSsn, maskTaxId } from '../security/masks.ts';
import type { AuditEvent, AuditLog } from './audit.ts';
import { isoOrNull, oneRow, row, rows, run, type Tx } from './sql.ts';

/** What of a profile is encrypted, where it lies and what its owner is shown of it. */
export const PROFILE_PII = {
  phone: { column: 'phone', mask: maskAccount },
  address: { column: 'address', mask: () => '****' },
  ssn: { column: 'ssn', mask: maskSsn },
  accountNumber: { column: 'account_number', mask: maskAccount },
  ein: { column: 'ein', mask: maskTaxId },
  itin: { column: 'itin', mask: maskTaxId },
} as const satisfies PiiSchema;

export type PiiField = keyof typeof PROFILE_PII;
export const PII_FIELDS = Object.keys(PROFILE_PII) as [PiiField, ...PiiField[]];

/** Fields that staff can look somebody up by, without any of them being decrypted. */
export const SEARCHABLE_FIELDS = ['ssn', 'accountNumber', 'ein', 'itin'] as const satisfies readonly PiiField[];
export type SearchableField = (typeof SEARCHABLE_FIELDS)[number];

/** Members that are absent stay as they are, null clears. Values are already in their one spelling. */
export type ProfileChanges = Partial<Record<PiiField, string | null>> & { fullName?: string; timeZone?: string | null };

export type ProfileTokens = Record<PiiField, string | null>;
export type Profile = ProfileTokens & { fullName: string; timeZone: string | null; updatedAt: string | null };

export interface ProfileActor {
  actor: AuditEvent['actor'];
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
}

/** Every profile's tokens are bound to their table, column and row. */
export const profileRow = (userId: string) => ({ table: 'profile', rowId: userId });

/** The profile with every personal member still encrypted. @throws DomainError `not_found` */
export async function readProfileTokens(tx: Tx, userId: string): Promise<Profile> {
  const found = await row<Profile>(
    tx,
    `select u.full_name as "fullName", u.time_zone as "timeZone", p.phone, p.address, p.ssn,
            p.account_number as "accountNumber", p.ein, p.itin, p.updated_at as "updatedAt"
       from app_user u left join profile p on p.user_id = u.id where u.id = $1`,
    [userId],
  );
  if (found === undefined) throw new DomainError('not_found', 'There is no such user.');
  return { ...found, updatedAt: isoOrNull(found.updatedAt) };
}

/** The profile as its owner is shown it: personal members masked. @throws DomainError, FieldDecryptionError */
export async function readMaskedProfile(tx: Tx, keyring: Keyring, userId: string): Promise<Profile> {
  const stored = await readProfileTokens(tx, userId);
  return maskMembers(PROFILE_PII, decryptMembers(keyring, PROFILE_PII, stored, profileRow(userId)));
}

/** Writes the changes with their audit entry, which names the members and holds no value. @returns what was named */
export async function changeProfile(
  tx: Tx,
  { keyring, audit }: { keyring: Keyring; audit: AuditLog },
  { userId, changes, by }: { userId: string; changes: ProfileChanges; by: ProfileActor },
): Promise<void> {
  // One change of a person at a time, and no reference to the person is held up.
  await oneRow(tx, 'select id from app_user where id = $1 for no key update', [userId]);
  const { fullName, timeZone, ...pii } = changes;
  if (fullName !== undefined) await run(tx, 'update app_user set full_name = $2 where id = $1', [userId, fullName]);
  if (timeZone !== undefined) await run(tx, 'update app_user set time_zone = $2 where id = $1', [userId, timeZone]);
  const columns = columnsOf(keyring, userId, pii);
  if (columns.length > 0) {
    const names = columns.map(([name]) => name);
    await run(
      tx,
      `insert into profile (user_id, ${names.join(', ')}) values ($1, ${names.map((_, at) => `$${at + 2}`).join(', ')})
       on conflict (user_id) do update set updated_at = clock_timestamp(),
         ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`,
      [userId, ...columns.map(([, value]) => value)],
    );
  }
  // Rules ask how long ago it changed where withdrawals go.
  if (pii.accountNumber !== undefined) {
    await run(tx, 'update profile set payout_changed_at = clock_timestamp() where user_id = $1', [userId]);
  }
  await audit.append(tx, {
    action: 'profile.changed',
    actor: by.actor,
    subject: { kind: 'user', id: userId },
    outcome: 'success',
    ip: by.ip ?? null,
    userAgent: by.userAgent ?? null,
    requestId: by.requestId ?? null,
    details: {
      fields: Object.keys(changes).sort(),
      cleared: Object.entries(changes)
        .filter(([, value]) => value === null)
        .map(([name]) => name)
        .sort(),
    },
  });
}

/** Who has exactly this number, by its blind index; newest generation of the index key or an older one. */
export async function findByPii(tx: Tx, keyring: Keyring, field: SearchableField, value: string): Promise<string[]> {
  const { column } = PROFILE_PII[field];
  const indexes = keyring.hmacVersions('blind-index', 'profile', column, value).map(({ mac }) => mac);
  const found = await rows<{ user_id: string }>(
    tx,
    `select user_id from profile where ${column}_index = any($1) order by user_id limit 100`,
    [indexes],
  );
  return found.map(({ user_id }) => user_id);
}

/** Columns with what goes into them: tokens and, for what can be searched, blind indexes. */
function columnsOf(
  keyring: Keyring,
  userId: string,
  pii: Partial<Record<PiiField, string | null>>,
): [column: string, value: string | Buffer | null][] {
  const tokens = encryptMembers(keyring, PROFILE_PII, pii, profileRow(userId));
  return PII_FIELDS.flatMap((field) => {
    const value = pii[field];
    if (value === undefined) return [];
    const { column } = PROFILE_PII[field];
    const token: [string, string | null] = [column, tokens[field] ?? null];
    if (!isSearchable(field)) return [token];
    const index = value === null ? null : keyring.hmac('blind-index', 'profile', column, value);
    return [token, [`${column}_index`, index] as [string, Buffer | null]];
  });
}

function isSearchable(field: PiiField): field is SearchableField {
  return (SEARCHABLE_FIELDS as readonly string[]).includes(field);
}

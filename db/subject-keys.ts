import { DomainError } from '../domain/errors.ts';
import type { Keyring } from '../security/keyring.ts';
import {
  newSubjectKey,
  openForSubject,
  openSubjectKey,
  type SubjectKey,
  sealForSubject,
} from '../security/subject-cipher.ts';
import { isoOrNull, row, rows, run, type Tx } from './sql.ts';

/** Whose key was destroyed, when and why. */
export interface Shredding {
  subject: string;
  /** RFC 3339. */
  shreddedAt: string;
  reason: string;
}

/**
 * Keys of persons, one each, for what the audit log keeps of them sealed. An entry is never changed: when the key is
 * destroyed, what it sealed is unreadable for ever, and the chain is what it was.
 */
export function createSubjectKeys({ keyring }: { keyring: Keyring }) {
  /** The key, which the first call makes; callers at the same time get the same one. Nobody shreds it before the end of `tx`. */
  async function keyOf(tx: Tx, subject: string): Promise<SubjectKey> {
    const made = newSubjectKey(keyring, subject);
    const inserted = await run(
      tx,
      'insert into subject_key (subject, key) values ($1, $2) on conflict (subject) do nothing',
      [subject, made.wrapped],
    );
    if (inserted === 1) return made.key;
    const stored = await row<{ key: string | null }>(tx, 'select key from subject_key where subject = $1 for share', [
      subject,
    ]);
    if (!stored?.key) throw erased();
    return openSubjectKey(keyring, subject, stored.key);
  }

  return {
    /**
     * Seals values of one person for an audit entry, in the transaction that appends it.
     *
     * @param values by the name of the entry's member
     * @returns tokens by the same names
     * @throws DomainError `erased` when this person's key was destroyed
     */
    async seal<Member extends string>(
      tx: Tx,
      subject: string,
      values: Readonly<Record<Member, string>>,
    ): Promise<Record<Member, string>> {
      const key = await keyOf(tx, subject);
      return mapped(values, (member, value) => sealForSubject(key, { purpose: 'audit_entry', member }, value));
    },

    /**
     * What {@link seal} sealed.
     *
     * @throws DomainError `erased` when the key was destroyed, `not_found` where this person never had one;
     *   FieldDecryptionError for a token that was altered, or is another member's or person's
     */
    async open<Member extends string>(
      tx: Tx,
      subject: string,
      tokens: Readonly<Record<Member, string>>,
    ): Promise<Record<Member, string>> {
      const stored = await row<{ key: string | null }>(tx, 'select key from subject_key where subject = $1', [subject]);
      if (stored === undefined) throw new DomainError('not_found', 'Nothing is sealed for this person.');
      if (stored.key === null) throw erased();
      const key = openSubjectKey(keyring, subject, stored.key);
      return mapped(tokens, (member, token) => openForSubject(key, { purpose: 'audit_entry', member }, token));
    },
  };
}

export type SubjectKeys = ReturnType<typeof createSubjectKeys>;

/** When this person's key was destroyed; null where it was not. */
export async function shreddedAt(tx: Tx, subject: string): Promise<string | null> {
  const found = await row<{ shredded_at: string | null }>(
    tx,
    'select shredded_at from subject_key where subject = $1',
    [subject],
  );
  return isoOrNull(found?.shredded_at ?? null);
}

/**
 * Destroys the key of one person for ever, or sees to it that there never is one. It waits for transactions that are
 * sealing.
 *
 * @returns false when it was destroyed before
 */
export async function shredKey(tx: Tx, subject: string, reason: string): Promise<boolean> {
  const changed = await run(
    tx,
    `insert into subject_key as k (subject, key, shredded_at, reason) values ($1, null, clock_timestamp(), $2)
     on conflict (subject) do update set key = null, shredded_at = excluded.shredded_at, reason = excluded.reason
      where k.shredded_at is null`,
    [subject, reason],
  );
  return changed === 1;
}

/** Everybody whose key was destroyed in this database; null where it has no such keys, being empty or of an earlier version. */
export async function readShreddings(tx: Tx): Promise<Shredding[] | null> {
  const known = await row<{ known: boolean }>(tx, `select to_regclass('subject_key') is not null as known`);
  if (!known?.known) return null;
  const found = await rows<{ subject: string; shredded_at: string; reason: string }>(
    tx,
    'select subject, shredded_at, reason from subject_key where shredded_at is not null order by shredded_at, subject',
  );
  return found.map(({ subject, shredded_at, reason }) => ({
    subject,
    shreddedAt: isoOrNull(shredded_at) ?? '',
    reason,
  }));
}

function erased(): DomainError {
  return new DomainError(
    'erased',
    'The key was destroyed: what the audit log says of this person is unreadable for ever.',
  );
}

function mapped<Member extends string>(
  given: Readonly<Record<Member, string>>,
  change: (member: Member, value: string) => string,
): Record<Member, string> {
  return Object.fromEntries(
    Object.entries<string>(given).map(([member, value]) => [member, change(member as Member, value)]),
  ) as Record<Member, string>;
}

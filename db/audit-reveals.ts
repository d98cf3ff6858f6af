import { DomainError } from '../domain/errors.ts';
import type { Keyring } from '../security/keyring.ts';
import type { AuditLog } from './audit.ts';
import type { Database } from './orm.ts';
import { type RevealRequest, recordReveal } from './pii-reveals.ts';
import { row } from './sql.ts';
import { createSubjectKeys, shreddedAt } from './subject-keys.ts';

/** What an entry of the audit log holds sealed about the person whom it is about, opened. */
export interface RevealedEntry {
  entryId: string;
  subjectId: string;
  action: string;
  /** By the name of the member of `details.sealed`. */
  values: Record<string, string>;
}

interface SealedEntry {
  action: string;
  subject: { kind: string; id: string };
  details: { sealed?: Record<string, string> };
}

/** Opens what the audit log holds sealed. The reveal is on record and counted before anything is decrypted. */
export function createAuditReveals(deps: { db: Database; keyring: Keyring; audit: AuditLog }) {
  const { db } = deps;
  const subjectKeys = createSubjectKeys(deps);

  return {
    /** The entry, still sealed. @throws DomainError `not_found` where there is no such entry, or nothing is sealed in it */
    async find(entryId: string) {
      const found = await row<{ entry: string }>(db.fork(), 'select entry from audit_entry where id = $1', [entryId]);
      const entry = found && (JSON.parse(found.entry) as SealedEntry);
      if (entry?.details.sealed === undefined) {
        throw new DomainError('not_found', 'There is no such entry, or nothing is sealed in it.');
      }
      return { entryId, action: entry.action, subjectId: entry.subject.id, sealed: entry.details.sealed };
    },

    /**
     * @throws DomainError `erased` when the person's key was destroyed, `rate_limited`; FieldDecryptionError when a token
     *   or the key was altered
     */
    async reveal(
      { sealed, ...entry }: Awaited<ReturnType<typeof this.find>>,
      request: RevealRequest,
    ): Promise<RevealedEntry> {
      const { entryId, subjectId } = entry;
      const erasedAt = await shreddedAt(db.fork(), subjectId);
      if (erasedAt !== null) throw new DomainError('erased', 'This was erased.', { erasedAt });
      const members = Object.keys(sealed).sort();
      await recordReveal(deps, request, {
        ...{ kind: 'audit', action: 'audit.revealed', subjectId, fields: members },
        details: { entryId, members },
      });
      return { ...entry, values: await subjectKeys.open(db.fork(), subjectId, sealed) };
    },
  };
}

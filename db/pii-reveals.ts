import { DomainError } from '../domain/errors.ts';
import { decryptMembers } from '../security/field-batch.ts';
import { FieldDecryptionError } from '../security/field-encryption.ts';
import type { Keyring } from '../security/keyring.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { AuditLog } from './audit.ts';
import { openIncident } from './incidents.ts';
import type { Database } from './orm.ts';
import {
  findByPii,
  type PiiField,
  PROFILE_PII,
  profileRow,
  readProfileTokens,
  type SearchableField,
} from './profiles.ts';
import { oneRow, run, type Tx } from './sql.ts';

/** Reveals and searches of one person within an hour. */
export const REVEALS_AN_HOUR = 10;

export interface RevealRequest {
  actorId: string;
  reason: string;
  /** The case that staff act on; null for one's own data. */
  caseReference: string | null;
  ip: string | null;
  userAgent: string | null;
  requestId: string;
}

export interface PiiRevealDeps {
  db: Database;
  keyring: Keyring;
  audit: AuditLog;
}

/**
 * Counts and records what somebody is about to be shown, in one transaction of its own.
 *
 * @param given `details` go into the audit entry: names and ids, no value and no free text
 * @throws DomainError `rate_limited`, which is recorded as well
 */
export async function recordReveal(
  { db, audit }: Pick<PiiRevealDeps, 'db' | 'audit'>,
  request: RevealRequest,
  given: {
    kind: 'reveal' | 'search' | 'audit';
    action: string;
    subjectId: string | null;
    fields: readonly string[];
    details: Record<string, unknown>;
  },
): Promise<void> {
  const id = uuidV7();
  const waitSeconds = await db.transaction(async (tx) => {
    const wait = await secondsUntilAllowed(tx, request.actorId);
    if (wait === null) {
      await run(
        tx,
        `insert into pii_reveal (id, actor_id, subject_id, kind, fields, reason, case_reference)
         values ($1, $2, $3, $4, $5, $6, $7)`,
        [id, request.actorId, given.subjectId, given.kind, given.fields, request.reason, request.caseReference],
      );
    }
    await audit.append(tx, {
      action: given.action,
      actor: { kind: 'user', id: request.actorId },
      subject: given.subjectId === null ? { kind: 'pii_reveal', id } : { kind: 'user', id: given.subjectId },
      outcome: wait === null ? 'success' : 'denied',
      ip: request.ip,
      userAgent: request.userAgent,
      requestId: request.requestId,
      details: { ...given.details, revealId: id },
    });
    return wait;
  });
  if (waitSeconds !== null) {
    throw new DomainError('rate_limited', `Personal data is shown ${REVEALS_AN_HOUR} times an hour at most.`, {
      retryAfter: waitSeconds,
    });
  }
}

/**
 * Personal data in the clear. The audit entry commits before anything is decrypted: whatever becomes of the answer, the
 * trace is there.
 */
export function createPiiReveals({ db, keyring, audit }: PiiRevealDeps) {
  const recorded = (
    request: RevealRequest,
    given: { kind: 'reveal' | 'search'; subjectId: string | null; fields: readonly PiiField[] },
  ) =>
    recordReveal({ db, audit }, request, {
      ...given,
      action: given.kind === 'reveal' ? 'profile.revealed' : 'profile.searched',
      details: { fields: [...given.fields].sort(), caseReference: request.caseReference },
    });

  return {
    /**
     * The named fields of one person in the clear; null where there is none.
     *
     * @throws DomainError `not_found`, `rate_limited`; FieldDecryptionError when a stored token was altered
     */
    async reveal(
      subjectId: string,
      fields: readonly PiiField[],
      request: RevealRequest,
    ): Promise<Partial<Record<PiiField, string | null>>> {
      const { fullName, timeZone, updatedAt, ...tokens } = await readProfileTokens(db.fork(), subjectId);
      await recorded(request, { kind: 'reveal', subjectId, fields });
      return decryptMembers<Partial<typeof tokens>>(keyring, PROFILE_PII, tokens, profileRow(subjectId), fields);
    },

    /** Ids of those who have exactly this number. Nothing is decrypted. @throws DomainError `rate_limited` */
    async search(field: SearchableField, value: string, request: RevealRequest): Promise<string[]> {
      await recorded(request, { kind: 'search', subjectId: null, fields: [field] });
      return findByPii(db.fork(), keyring, field, value);
    },

    /**
     * Records a token that does not open: an audit entry and a critical incident, whose workflow `reconcile` starts.
     * A key that this process does not know yet is no tampering.
     *
     * @param error what `decryptField` threw
     */
    async reportTampering(error: unknown, userId: string, requestId: string): Promise<never> {
      if (!(error instanceof FieldDecryptionError) || error.code === 'unknown_key') throw error;
      const place = error.message.split(':')[0] ?? 'profile';
      await db.transaction(async (tx) => {
        await audit.append(tx, {
          action: 'field.tampered',
          actor: { kind: 'system' },
          subject: { kind: 'user', id: userId },
          outcome: 'failure',
          requestId,
          details: { place, code: error.code },
        });
        await openIncident(
          tx,
          { audit },
          {
            cause: 'field_tampered',
            subjectKind: 'user',
            subjectId: userId,
            userId,
            title: `An encrypted field does not open: ${place}`,
            details: { place, code: error.code },
            key: `field-tampered:${requestId}`,
          },
        );
      });
      throw new DomainError('field_tampered', 'A stored value was altered and is not shown. Staff have been told.', {
        place,
      });
    },
  };
}

export type PiiReveals = ReturnType<typeof createPiiReveals>;

/** Null when another one is allowed now. Callers at the same time are counted one after the other. */
async function secondsUntilAllowed(tx: Tx, actorId: string): Promise<number | null> {
  await run(tx, `select pg_advisory_xact_lock(hashtextextended('tradeguard.pii-reveal:' || $1::text, 0))`, [actorId]);
  const { count, wait } = await oneRow<{ count: string; wait: string | null }>(
    tx,
    `select count(*) as count, extract(epoch from min(at) + interval '1 hour' - clock_timestamp()) as wait
       from pii_reveal where actor_id = $1 and at > clock_timestamp() - interval '1 hour'`,
    [actorId],
  );
  return Number(count) >= REVEALS_AN_HOUR ? Math.max(1, Math.ceil(Number(wait))) : null;
}

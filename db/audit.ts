import type { KeyObject } from 'node:crypto';
import { canonicalJson, entryHmac } from '../security/audit-chain.ts';
import { uuidV7 } from '../security/uuid.ts';
import { run, type Tx } from './sql.ts';

/** One event for the audit log. Personal data never enters: ids, keyed tokens and masked values only. */
export interface AuditEvent {
  /** `noun.verb_in_past`, for instance `login.succeeded`. */
  action: string;
  actor: { kind: 'user' | 'anonymous' | 'system' | 'operator'; id?: string };
  subject: { kind: string; id: string };
  outcome: 'success' | 'failure' | 'denied';
  ip?: string | null;
  userAgent?: string | null;
  requestId?: string | null;
  workflowId?: string | null;
  details?: Record<string, unknown>;
}

/** Where a request came from, as its audit entries record it. */
export interface RequestTrace {
  ip: string | null;
  userAgent: string | null;
  requestId: string;
}

/**
 * Writes audit entries in the caller's own transaction, so that a change and its trace commit together or not at all. The
 * sealer chains them afterwards. The key of the entry's HMAC is kept outside the database: whoever holds only the
 * database cannot forge an entry.
 */
export function createAuditLog({ auditKey }: { auditKey: KeyObject }) {
  const microsecondsNow = createMicrosecondClock();
  return {
    /** Appends the events in their order. @throws when an event is not strict JSON (RFC 8785) */
    async append(tx: Tx, ...events: AuditEvent[]): Promise<void> {
      const ids: string[] = [];
      const texts: string[] = [];
      const macs: Buffer[] = [];
      for (const event of events) {
        const id = uuidV7();
        const text = canonicalJson({
          v: 1,
          id,
          at: microsecondsNow(),
          action: event.action,
          actor: event.actor,
          subject: event.subject,
          outcome: event.outcome,
          ip: event.ip ?? null,
          userAgent: event.userAgent ?? null,
          requestId: event.requestId ?? null,
          workflowId: event.workflowId ?? null,
          details: event.details ?? {},
        });
        ids.push(id);
        texts.push(text);
        macs.push(entryHmac(auditKey, text));
      }
      await run(
        tx,
        `insert into audit_entry (id, entry, entry_hmac)
         select id, entry, entry_hmac from unnest($1::uuid[], $2::text[], $3::bytea[]) with ordinality as e (id, entry, entry_hmac, n)
         order by n`,
        [ids, texts, macs],
      );
    },
  };
}

export type AuditLog = ReturnType<typeof createAuditLog>;

/**
 * The time to the microsecond, RFC 3339 UTC, later at every call unless the clock was set back: `Date` alone has only
 * milliseconds, and the monotonic clock alone drifts away from the machine's when that is set or the machine slept.
 */
function createMicrosecondClock(): () => string {
  let offset = performance.timeOrigin;
  let last = 0;
  return () => {
    if (Math.abs(offset + performance.now() - Date.now()) > 2) offset = Date.now() - performance.now();
    const micros = Math.round((offset + performance.now()) * 1000);
    last = micros > last || last - micros > 1_000_000 ? micros : last + 1;
    const iso = new Date(Math.floor(last / 1000)).toISOString();
    return `${iso.slice(0, -1)}${String(last % 1000).padStart(3, '0')}Z`;
  };
}

import type { IncomingMessage } from 'node:http';
import type { AuditLog } from '../db/audit.ts';
import type { Database } from '../db/orm.ts';
import { isDomainError } from '../domain/errors.ts';
import type { Authenticate } from './middleware/authenticate.ts';
import type { RequestFacts } from './route.ts';

export interface CodecAccessDeps {
  db: Database;
  audit: AuditLog;
  authenticate: Authenticate;
  requestFacts: (request: IncomingMessage) => RequestFacts;
}

const STAFF = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' } as const;

/** Who may read workflow payloads in the clear, and the trace they leave: what the codec server is handed. */
export function createCodecAccess({ db, audit, authenticate, requestFacts }: CodecAccessDeps) {
  return {
    /** The member of staff behind a session, by cookie or bearer token. */
    async authorize(request: IncomingMessage): Promise<{ userId: string; sessionId: string } | undefined> {
      try {
        // As a read: the codec server changes nothing, and has held the Origin against the UI's already.
        const principal = await authenticate.authorize(STAFF, requestFacts(request), 'GET');
        return principal === undefined ? undefined : { userId: principal.userId, sessionId: principal.sessionId };
      } catch (error) {
        if (isDomainError(error)) return undefined;
        throw error;
      }
    },

    /** Commits the audit entry of one call. */
    async record(
      reader: { userId: string; sessionId: string },
      decode: { namespace: string; payloads: number; keyIds: string[] },
    ): Promise<void> {
      await audit.append(db.fork(), {
        action: 'payload.decoded',
        actor: { kind: 'user', id: reader.userId },
        subject: { kind: 'temporal_namespace', id: decode.namespace },
        outcome: 'success',
        details: { payloads: decode.payloads, keyIds: decode.keyIds, sessionId: reader.sessionId },
      });
    },
  };
}

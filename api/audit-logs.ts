import { z } from 'zod';
import { auditOrigin, searchAudit } from '../db/audit-search.ts';
import { sealedSize } from '../db/audit-tree.ts';
import {
  abandonVerification,
  readVerification,
  requestVerification,
  type StoredVerification,
} from '../db/audit-verification.ts';
import { coldMonthsWithin, coldStorage } from '../db/cold-storage.ts';
import { iso, isoOrNull, type Tx } from '../db/sql.ts';
import type { VerificationScope } from '../domain/audit-scope.ts';
import { DomainError } from '../domain/errors.ts';
import { createHmacCheck } from '../security/sha256.ts';
import { uuidV7 } from '../security/uuid.ts';
import { workflowIds } from '../workflows/contract.ts';
import { AUDIT_LOGS, auditors } from './audit-access.ts';
import {
  auditLogPage,
  auditLogQuery,
  verificationParams,
  verificationRequest,
  verificationResult,
  verificationState,
} from './audit-logs-schema.ts';
import { follow } from './await-outcome.ts';
import { decodeCursor, pageOf } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { traceOf } from './request-trace.ts';
import { principalOf, type Reply, type Route, route } from './route.ts';

/** The answer comes within ten seconds, or says where it will be; the margin is for the call itself. */
const ANSWER_WITHIN_MS = 9_500;

/** Reading, searching and verifying the audit log. Reads are audited themselves. */
export function createAuditLogRoutes({ db, audit, auditKey, gateway }: ApiDeps): Route[] {
  async function known(id: string): Promise<StoredVerification> {
    const stored = await readVerification(db.fork(), id);
    if (stored === undefined) throw new DomainError('not_found', 'There is no such verification.');
    return stored;
  }

  return [
    route({
      method: 'get',
      path: AUDIT_LOGS,
      name: 'listAuditLogs',
      summary: 'Entries of the audit log, newest first; the call itself becomes an entry',
      access: auditors,
      query: auditLogQuery,
      responses: { 200: { description: 'A page of entries.', schema: auditLogPage } },
      async handler(context) {
        const { limit, cursor, ...given } = context.query;
        const filter = {
          action: given.action ?? null,
          actor: given.actor ?? null,
          subject: given.subject ?? null,
          severity: given.severity ?? null,
          from: given.from ?? null,
          to: given.to ?? null,
        };
        const before = decodeCursor(cursor);
        const { found, cold } = await db.transaction(async (tx) => {
          const page = await searchAudit(tx, filter, { limit: limit + 1, before });
          await audit.append(tx, {
            ...traceOf(context),
            action: 'audit.read',
            subject: { kind: 'audit_log', id: await auditOrigin(tx) },
            details: { filter, returned: Math.min(page.length, limit), continued: before !== null },
          });
          return { found: page, cold: await coldStorage(tx, createHmacCheck(auditKey)) };
        });
        const { items, nextCursor } = pageOf(found, limit, ({ at, id }) => ({ at, id }));
        return {
          status: 200,
          body: {
            items: items.map(({ entry, seq, hash }) => ({ ...JSON.parse(entry), seq, hash })),
            nextCursor,
            inColdStorage: coldMonthsWithin(cold, filter),
          },
        };
      },
    }),

    route({
      method: 'post',
      path: `${AUDIT_LOGS}/verify-chain`,
      name: 'verifyAuditChain',
      summary: 'Recompute the log, or a part of it, and name the first entry that is not what was written',
      access: auditors,
      headers: {
        prefer: {
          description: 'respond-async (RFC 7240) to be answered 202 at once, in place of waiting',
          required: false,
        },
      },
      body: verificationRequest,
      responses: {
        200: { description: 'The result.', schema: verificationResult },
        202: {
          description: 'It takes longer: see Location.',
          schema: verificationState,
          headers: ['Location', 'PreferenceApplied'],
        },
        422: { description: 'The log has no such entries yet.' },
      },
      async handler(context) {
        const deadline = performance.now() + ANSWER_WITHIN_MS;
        const principal = principalOf(context);
        const id = uuidV7();
        const scope = context.body;
        await db.transaction(async (tx) => {
          await assertSealed(tx, scope);
          await requestVerification(tx, { id, requestedBy: principal.userId, scope });
          await audit.append(tx, {
            ...traceOf(context),
            action: 'audit.verification_requested',
            subject: { kind: 'audit_verification', id },
            details: { ...scope },
          });
        });
        try {
          await gateway.startAuditVerification(id, scope);
        } catch (error) {
          // A start that timed out may still have happened: then the row is final and the workflow finds nothing to do.
          await abandonVerification(db.fork(), id, { status: 'failed', reason: 'not_started' });
          throw error;
        }
        if (/(?:^|[,\s])respond-async(?:$|[,;\s])/i.test(context.request.header('prefer') ?? '')) {
          const answer = accepted(await known(id));
          return { ...answer, headers: { ...answer.headers, 'Preference-Applied': 'respond-async' } };
        }
        const stored = await follow(
          () => known(id),
          ({ finishedAt }) => finishedAt !== null,
          deadline,
        );
        return stored.status === 'valid' || stored.status === 'invalid'
          ? { status: 200, body: resultOf(stored) }
          : accepted(stored);
      },
    }),

    route({
      method: 'get',
      path: `${AUDIT_LOGS}/verifications/{id}`,
      name: 'getAuditVerification',
      summary: 'Progress or result of a verification',
      access: auditors,
      params: verificationParams,
      responses: { 200: { description: 'As it stands.', schema: verificationState } },
      async handler({ params }) {
        const stored = await known(params.id);
        return { status: 200, body: stateOf(stored) };
      },
    }),

    route({
      method: 'post',
      path: `${AUDIT_LOGS}/verifications/{id}/cancel`,
      name: 'cancelAuditVerification',
      summary: 'Stop a verification that runs',
      access: auditors,
      params: verificationParams,
      body: z.strictObject({}),
      responses: {
        202: {
          description: 'It stops at the next page of entries.',
          schema: verificationState,
          headers: ['Location'],
        },
        409: { description: 'It has ended already.' },
      },
      async handler(context) {
        const { id } = context.params;
        const stored = await known(id);
        if (stored.finishedAt !== null || !(await gateway.cancelAuditVerification(id))) {
          throw new DomainError('illegal_transition', 'This verification has ended already.');
        }
        await db.transaction((tx) =>
          audit.append(tx, {
            ...traceOf(context),
            action: 'audit.verification_cancelled',
            subject: { kind: 'audit_verification', id },
          }),
        );
        return accepted(stored);
      },
    }),
  ];
}

/** A range that ends beyond the log is refused: cut short, it would look as if all that was asked for were sound. */
async function assertSealed(tx: Tx, scope: VerificationScope): Promise<void> {
  if (scope.mode !== 'range') return;
  const size = await sealedSize(tx);
  if (scope.from < size && (scope.to ?? 0) <= size) return;
  throw new DomainError(
    'range_beyond_log',
    `The log has ${size} sealed entries: \`from\` is less than that, and \`to\` at most that.`,
    { size },
  );
}

function accepted(stored: StoredVerification): Reply {
  return { status: 202, headers: { Location: `${AUDIT_LOGS}/verifications/${stored.id}` }, body: stateOf(stored) };
}

function stateOf(stored: StoredVerification) {
  const isResult = stored.status === 'valid' || stored.status === 'invalid';
  return {
    verificationId: stored.id,
    workflowId: stored.requestedBy === null ? null : workflowIds.auditVerification(stored.id),
    status: stored.status,
    mode: stored.mode,
    from: stored.from,
    to: stored.to,
    total: stored.total,
    requestedBy: stored.requestedBy,
    requestedAt: iso(stored.requestedAt),
    finishedAt: isoOrNull(stored.finishedAt),
    ...(isResult ? resultOf(stored) : { checked: stored.checked }),
  };
}

function resultOf(stored: StoredVerification) {
  return {
    valid: stored.status === 'valid',
    mode: stored.mode,
    from: stored.from ?? 0,
    to: stored.to ?? stored.checked,
    checked: stored.checked,
    unsealed: stored.unsealed ?? 0,
    archived: stored.archived ?? 0,
    ...(stored.firstInvalidSeq === null ? {} : { firstInvalidSeq: stored.firstInvalidSeq }),
    ...(stored.reason === null ? {} : { reason: stored.reason }),
  };
}

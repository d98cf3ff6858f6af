import { Context } from '@temporalio/activity';
import type { AuditEvent } from '../db/audit.ts';
import {
  abandonVerification,
  beginVerification,
  finishVerification,
  readVerification,
  recordProgress,
  requestVerification,
  type VerificationStatus,
} from '../db/audit-verification.ts';
import { createAuditVerifier, type Verification } from '../db/audit-verify.ts';
import { openIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import type { Tx } from '../db/sql.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';

/** How often the row shows progress; heartbeats are sent every page, the SDK throttles them. */
const PROGRESS_EVERY_MS = 1_000;

export interface AuditVerificationOutcome {
  status: VerificationStatus;
  checked: number;
  firstInvalidSeq: number | null;
  reason: string | null;
  incidents: FollowUps['incidents'];
}

/** Where an interrupted attempt was; travels as the heartbeat's details. */
interface Checkpoint {
  seq: number;
  hash: string;
}

/** Verification of the audit log as a long activity: it tells its progress, goes on after a crash, and can be cancelled. */
export function createAuditActivities({ db, audit, auditKey, checkpoints, log }: ActivityDeps) {
  const verifier = createAuditVerifier({ db, auditKeys: [auditKey] });

  async function walk(verificationId: string): Promise<Verification> {
    const context = Context.current();
    const checkpoint = context.info.heartbeatDetails as Checkpoint | undefined;
    let shownAt = 0;
    // Places that cannot be read raise an alert of their own; the chain is worth verifying all the same.
    const signal = context.cancellationSignal;
    const published = await checkpoints
      .evidence({ signal, onRead: () => context.heartbeat(checkpoint) })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        log.warn({ err: error }, 'the audit log is verified without its published checkpoints');
        return undefined;
      });
    return verifier.verify({
      ...(published ? { published } : {}),
      ...(checkpoint ? { after: { seq: checkpoint.seq, hash: Buffer.from(checkpoint.hash, 'hex') } } : {}),
      signal,
      async onProgress({ head, total }) {
        context.heartbeat({ seq: head.seq, hash: head.hash.toString('hex') } satisfies Checkpoint);
        if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
        shownAt = performance.now();
        await recordProgress(db.fork(), verificationId, { checked: head.seq + 1, total });
      },
    });
  }

  async function record(tx: Tx, verificationId: string, result: Verification): Promise<FollowUps['incidents']> {
    const stored = await readVerification(tx, verificationId);
    if (!(await finishVerification(tx, verificationId, result))) return [];
    const { checked, unsealed, archived, firstInvalidSeq, reason } = result;
    const event: AuditEvent = {
      action: 'audit.verified',
      actor: stored?.requestedBy ? { kind: 'user', id: stored.requestedBy } : { kind: 'system' },
      subject: { kind: 'audit_verification', id: verificationId },
      outcome: result.valid ? 'success' : 'failure',
      workflowId: Context.current().info.workflowExecution?.workflowId ?? null,
      details: { checked, unsealed, archived, firstInvalidSeq, reason },
    };
    await audit.append(tx, event);
    if (result.valid) return [];
    const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
    const incident = await openIncident(
      tx,
      { audit },
      {
        cause: 'audit_failure',
        subjectKind: 'system',
        subjectId: 'audit-log',
        userId: null,
        title: `The audit log is not what was written: ${reason}${place}`,
        details: { verificationId, checked, firstInvalidSeq, reason },
        key: `audit-verification:${verificationId}:invalid`,
      },
    );
    return incident.opened || incident.raised ? [{ incidentId: incident.incidentId, severity: incident.severity }] : [];
  }

  return {
    /** Verifies the whole log and stores the result; a fault opens a critical incident. */
    async verifyAuditLog(verificationId: string): Promise<AuditVerificationOutcome> {
      await db.transaction((tx) => requestVerification(tx, { id: verificationId, requestedBy: null }));
      const result = (await beginVerification(db.fork(), verificationId)) ? await walk(verificationId) : null;
      // A retry after the result was committed gets its incidents again: they are still to be started.
      const incidents = await db.transaction((tx) =>
        once(tx, `audit-verification:${verificationId}:result`, async () =>
          result === null ? [] : record(tx, verificationId, result),
        ),
      );
      const stored = await readVerification(db.fork(), verificationId);
      return {
        status: stored?.status ?? 'failed',
        checked: stored?.checked ?? 0,
        firstInvalidSeq: stored?.firstInvalidSeq ?? null,
        reason: stored?.reason ?? null,
        incidents,
      };
    },

    /** Ends the row of a verification that was cancelled. */
    async cancelAuditVerification(verificationId: string): Promise<void> {
      await abandonVerification(db.fork(), verificationId, { status: 'cancelled' });
    },
  };
}

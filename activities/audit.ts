import { availableParallelism } from 'node:os';
import { Context } from '@temporalio/activity';
import type { PublishedEvidence } from '../db/audit-evidence.ts';
import type { Part } from '../db/audit-start.ts';
import {
  abandonVerification,
  beginVerification,
  finishVerification,
  readVerification,
  recordProgress,
  requestVerification,
  type VerificationStatus,
} from '../db/audit-verification.ts';
import { incrementalBase, verifiedEvent } from '../db/audit-verified.ts';
import { createAuditVerifier, type Verification, type VerificationProgress } from '../db/audit-verify.ts';
import { openIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import type { Tx } from '../db/sql.ts';
import type { VerificationMode } from '../domain/audit-scope.ts';
import type { AuditVerificationScope, FollowUps } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';

/** How often the row shows progress; heartbeats are sent every page, the SDK throttles them. */
const PROGRESS_EVERY_MS = 1_000;
/** Between two pages as well: what is counted at the end of a long log takes its time. */
const HEARTBEAT_MS = 5_000;
/** Half of the cores, and no more: decisions of customers are made in the same process, beside the same database. */
const THREADS = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));

export interface AuditVerificationOutcome {
  status: VerificationStatus;
  /** What was gone through; null where it was cancelled before that was known. */
  mode: VerificationMode | null;
  from: number | null;
  to: number | null;
  checked: number;
  firstInvalidSeq: number | null;
  reason: string | null;
  incidents: FollowUps['incidents'];
}

/** Where an interrupted attempt was; travels as the heartbeat's details. An earlier version went through everything. */
interface Checkpoint {
  seq: number;
  hash: string;
  mode?: VerificationMode;
  from?: number;
  startedAt?: string;
}

/** Verification of the audit log as a long activity: it tells its progress, goes on after a crash, and can be cancelled. */
export function createAuditActivities({ db, audit, auditKey, checkpoints, log }: ActivityDeps) {
  const auditKeys = [auditKey];
  const verifier = createAuditVerifier({ db, auditKeys });
  /** Runs of this process. Only the first has more than one thread, so that many at once do not take all connections. */
  let running = 0;

  /** What to go through, or to go on with after an attempt that died. */
  async function partOf(
    scope: AuditVerificationScope,
    resumed: Checkpoint | undefined,
    published: PublishedEvidence | undefined,
  ): Promise<Part> {
    const after = resumed ? { after: { seq: resumed.seq, hash: Buffer.from(resumed.hash, 'hex') } } : {};
    if (scope.mode === 'range') return { from: scope.from, ...(scope.to === null ? {} : { to: scope.to }), ...after };
    if (resumed) return { ...(resumed.mode === 'incremental' ? { base: resumed.from ?? 0 } : {}), ...after };
    if (scope.mode === 'full') return {};
    return { base: await incrementalBase({ db, auditKeys }, published, { daily: scope.mode === 'daily' }) };
  }

  async function walk(verificationId: string, scope: AuditVerificationScope) {
    const context = Context.current();
    const resumed = context.info.heartbeatDetails as Checkpoint | undefined;
    const startedAt = resumed?.startedAt ?? new Date().toISOString();
    let last = resumed;
    let shownAt = 0;
    const signal = context.cancellationSignal;
    const beat = setInterval(() => context.heartbeat(last), HEARTBEAT_MS);
    running += 1;
    try {
      // Places that cannot be read raise an alert of their own; the chain is worth verifying all the same.
      const published = await checkpoints
        .evidence({ signal, onRead: () => context.heartbeat(last) })
        .catch((error: unknown) => {
          signal.throwIfAborted();
          log.warn({ err: error }, 'the audit log is verified without its published checkpoints');
          return undefined;
        });
      const result = await verifier.verify({
        ...(published ? { published } : {}),
        ...(await partOf(scope, resumed, published)),
        ...{ signal, threads: running === 1 ? THREADS : 1 },
        async onProgress(progress: VerificationProgress) {
          const { head, mode, from } = progress;
          last = { seq: head.seq, hash: head.hash.toString('hex'), mode, from, startedAt };
          context.heartbeat(last);
          if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
          shownAt = performance.now();
          await recordProgress(db.fork(), verificationId, progress);
        },
      });
      return { result, startedAt };
    } finally {
      running -= 1;
      clearInterval(beat);
    }
  }

  async function record(
    tx: Tx,
    verificationId: string,
    { result, startedAt }: { result: Verification; startedAt: string },
  ): Promise<FollowUps['incidents']> {
    const stored = await readVerification(tx, verificationId);
    if (!(await finishVerification(tx, verificationId, result))) return [];
    const { mode, from, to, checked, firstInvalidSeq, reason } = result;
    await audit.append(tx, {
      ...verifiedEvent(result, startedAt),
      actor: stored?.requestedBy ? { kind: 'user', id: stored.requestedBy } : { kind: 'system' },
      subject: { kind: 'audit_verification', id: verificationId },
      workflowId: Context.current().info.workflowExecution?.workflowId ?? null,
    });
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
        details: { verificationId, mode, from, to, checked, firstInvalidSeq, reason },
        key: `audit-verification:${verificationId}:invalid`,
      },
    );
    return incident.opened || incident.raised ? [{ incidentId: incident.incidentId, severity: incident.severity }] : [];
  }

  return {
    /** Verifies the log, or a part of it, and stores the result; a fault opens a critical incident. */
    async verifyAuditLog(
      verificationId: string,
      scope: AuditVerificationScope = { mode: 'full' },
    ): Promise<AuditVerificationOutcome> {
      const asked = scope.mode === 'daily' ? { mode: 'incremental' as const } : scope;
      await db.transaction((tx) => requestVerification(tx, { id: verificationId, requestedBy: null, scope: asked }));
      const result = (await beginVerification(db.fork(), verificationId)) ? await walk(verificationId, scope) : null;
      // A retry after the result was committed gets its incidents again: they are still to be started.
      const incidents = await db.transaction((tx) =>
        once(tx, `audit-verification:${verificationId}:result`, async () =>
          result === null ? [] : record(tx, verificationId, result),
        ),
      );
      const stored = await readVerification(db.fork(), verificationId);
      return {
        status: stored?.status ?? 'failed',
        mode: stored?.mode ?? null,
        from: stored?.from ?? null,
        to: stored?.to ?? null,
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

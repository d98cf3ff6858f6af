import { createHash } from 'node:crypto';
import { ApplicationFailure, Context } from '@temporalio/activity';
import {
  abandonEvidence,
  type BundleFacts,
  beginEvidence,
  readEvidence,
  type StoredEvidence,
  storeEvidence,
} from '../db/evidence.ts';
import { openIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import type { Tx } from '../db/sql.ts';
import { isDomainError } from '../domain/errors.ts';
import type { EvidenceStatus } from '../domain/evidence.ts';
import type { FollowUps } from '../workflows/contract.ts';
import { reportRefusal } from './checkpoint-incident.ts';
import type { ActivityDeps } from './deps.ts';
import { createEvidenceMaker, type EvidenceBundle } from './evidence-bundle.ts';
import { evidenceCreated } from './evidence-event.ts';
import { documentOf } from './evidence-files.ts';

/** How often a long activity says that it lives. */
const HEARTBEAT_MS = 5_000;
/** Some 20,000 entries are 15 MB. What is larger belongs into a folder, by `tradeguard audit evidence`. */
const MAX_DOCUMENT_BYTES = 64 * 1024 * 1024;

export interface EvidenceOutcome extends Pick<FollowUps, 'incidents'> {
  status: EvidenceStatus;
  entries: number;
}

/** Bundles of evidence, made in the background: an attempt that died leaves nothing, the next one makes it anew. */
export function createEvidenceActivities({ db, audit, auditKey, checkpoints }: ActivityDeps) {
  const maker = createEvidenceMaker({ db, auditKey, publisher: checkpoints });

  async function gather(
    bundleId: string,
    { incidentId, windowHours }: Pick<StoredEvidence, 'incidentId' | 'windowHours'>,
  ): Promise<EvidenceBundle> {
    const context = Context.current();
    const { cancellationSignal: signal } = context;
    let progress = {};
    const beat = setInterval(() => context.heartbeat(progress), HEARTBEAT_MS);
    try {
      context.heartbeat(progress);
      return await maker.make({
        ...{ bundleId, incidentId, windowHours, signal },
        onProgress: (now) => {
          progress = now;
        },
      });
    } catch (error) {
      signal.throwIfAborted();
      // A tree that is still being made after an update is ready in a minute.
      if (isDomainError(error) && error.code === 'tree_behind')
        throw ApplicationFailure.retryable(error.detail, error.code);
      throw error;
    } finally {
      clearInterval(beat);
    }
  }

  async function record(
    tx: Tx,
    bundleId: string,
    requestedBy: string,
    { bundle, document, facts }: { bundle: EvidenceBundle; document: Buffer; facts: Omit<BundleFacts, 'bytes'> },
  ): Promise<FollowUps['incidents']> {
    if (!(await storeEvidence(tx, bundleId, { document, facts }))) return [];
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? null;
    const actor = { kind: 'user', id: requestedBy } as const;
    await audit.append(tx, { ...evidenceCreated(bundle, { bundleId, sha256: facts.sha256 }), actor, workflowId });
    if (bundle.refusal !== null) return reportRefusal(tx, { audit }, bundle.refusal, `evidence:${bundleId}`);
    if (bundle.verification.valid) return [];
    const { firstInvalidSeq, reason } = bundle.verification;
    const place = firstInvalidSeq === null ? '' : ` at entry ${firstInvalidSeq}`;
    const { incidentId, severity, opened, raised } = await openIncident(
      tx,
      { audit },
      {
        cause: 'audit_failure',
        subjectKind: 'system',
        subjectId: 'audit-log',
        userId: null,
        title: `The audit log is not what was written: ${reason}${place}`,
        details: { bundleId, firstInvalidSeq, reason },
        key: `evidence:${bundleId}:invalid`,
      },
    );
    return opened || raised ? [{ incidentId, severity }] : [];
  }

  return {
    /** Makes the bundle that a request's row names and stores it; one that was stored already stays as it is. */
    async makeEvidence(bundleId: string): Promise<EvidenceOutcome> {
      const request = await beginEvidence(db.fork(), bundleId);
      let made: { bundle: EvidenceBundle; document: Buffer; facts: Omit<BundleFacts, 'bytes'> } | undefined;
      if (request !== undefined) {
        const bundle = await gather(bundleId, request);
        const document = documentOf(bundle);
        if (document.length > MAX_DOCUMENT_BYTES)
          throw ApplicationFailure.nonRetryable('this bundle is too large for one file', 'too_large');
        made = { bundle, document, facts: factsOf(bundle, document) };
      }
      // A retry after the bundle was committed gets its incidents again: they are still to be started.
      const incidents = await db.transaction((tx) =>
        once(tx, `evidence:${bundleId}:result`, async () =>
          request === undefined || made === undefined ? [] : record(tx, bundleId, request.requestedBy, made),
        ),
      );
      const stored = await readEvidence(db.fork(), bundleId);
      return { status: stored?.status ?? 'failed', entries: stored?.bundle?.entries ?? 0, incidents };
    },

    /** Ends the row of a bundle that came to nothing. */
    async endEvidence(
      bundleId: string,
      end: { status: 'cancelled' } | { status: 'failed'; reason: string },
    ): Promise<void> {
      await abandonEvidence(db.fork(), bundleId, end);
    },
  };
}

function factsOf(bundle: EvidenceBundle, document: Buffer): Omit<BundleFacts, 'bytes'> {
  const { manifestSha256, entries, found, pending, checkpoint } = bundle;
  const { valid, firstInvalidSeq, reason } = bundle.verification;
  const sha256 = createHash('sha256').update(document).digest('hex');
  return { sha256, manifestSha256, entries, found, pending, checkpoint, valid, firstInvalidSeq, reason };
}

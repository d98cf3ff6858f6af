import type { AuditEvent } from '../db/audit.ts';
import type { EvidenceBundle } from './evidence-bundle.ts';
import { findingOf } from './export-files.ts';

/** The entry that tells of a bundle; who made it is for the caller to add. `sha256`: of the file, where it is one. */
export function evidenceCreated(
  bundle: EvidenceBundle,
  { bundleId, sha256 }: { bundleId: string; sha256: string | null },
): Omit<AuditEvent, 'actor'> {
  const { incidentId, entries, found, pending, checkpoint, manifestSha256, verification } = bundle;
  return {
    action: 'incident.evidence_created',
    subject: { kind: 'incident', id: incidentId },
    outcome: 'success',
    details: {
      ...{ bundleId, entries, found, pending, checkpoint, manifestSha256, sha256 },
      verification: findingOf(verification),
    },
  };
}

/** Hours before an incident was first seen from which on entries belong to its evidence, and the most that may be asked for. */
export const EVIDENCE_WINDOW_HOURS = 24;
export const MAX_EVIDENCE_WINDOW_HOURS = 720;

/** Entries of one bundle. Where more belong to an incident its manifest says how many, and those nearest to it are taken. */
export const MAX_EVIDENCE_ENTRIES = 20_000;

export const EVIDENCE_STATUSES = ['requested', 'running', 'ready', 'failed', 'cancelled'] as const;
export type EvidenceStatus = (typeof EVIDENCE_STATUSES)[number];

/** True when the making of a bundle has ended, whichever way. */
export function isEvidenceFinal(status: EvidenceStatus): boolean {
  return status === 'ready' || status === 'failed' || status === 'cancelled';
}

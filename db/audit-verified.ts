import type { KeyObject } from 'node:crypto';
import {
  coverageOf,
  incrementalStart,
  isFullDue,
  VERIFICATION_MODES,
  type VerificationExtent,
  type VerificationMode,
  type VerifiedRecord,
} from '../domain/audit-scope.ts';
import type { AuditEvent } from './audit.ts';
import { createRangeCheck } from './audit-check.ts';
import type { PublishedEvidence } from './audit-evidence.ts';
import type { Verification } from './audit-verify.ts';
import type { Database } from './orm.ts';
import { rows, type Tx } from './sql.ts';

const VERIFIED_ACTION = 'audit.verified';
/** More than a day by the hour has. A log with more of them since its last full run is gone through from the start. */
const LOOK_BACK = 1_000;

/** The part of an audit event that says what a verification found, and what it went through. */
export function verifiedEvent(
  { valid, checked, unsealed, archived, firstInvalidSeq, reason, head, mode, from, to, checkpoints }: Verification,
  startedAt: string,
): Pick<AuditEvent, 'action' | 'outcome' | 'details'> {
  return {
    action: VERIFIED_ACTION,
    outcome: valid ? 'success' : 'failure',
    details: {
      ...{ mode, from, to, startedAt, checked, unsealed, archived, firstInvalidSeq, reason },
      ...{ checkpoints, headHash: head.hash.toString('hex') },
    },
  };
}

/**
 * Where a verification goes on that need not go through everything: at the longest checkpoint that is published, still
 * binds, and was covered by earlier runs. Trusts what is published and entries of the log with a genuine MAC, nothing else.
 *
 * @param daily to go through everything once a day
 * @returns the checkpoint's size; 0 to go through everything
 */
export async function incrementalBase(
  { db, auditKeys }: { db: Database; auditKeys: readonly KeyObject[] },
  published: PublishedEvidence | undefined,
  { daily = false } = {},
): Promise<number> {
  const { isGenuine } = createRangeCheck(auditKeys);
  const coverage = coverageOf(await verifiedRecords(db.fork(), isGenuine));
  if (daily && isFullDue(coverage, Date.now())) return 0;
  return incrementalStart(coverage, published?.checkpoints.map(({ size }) => size) ?? []);
}

/**
 * What the log itself tells of its verifications, in the order in which they ended. Only entries whose MAC is genuine
 * count: rows of `audit_verification`, and entries by somebody who holds the database alone, say nothing.
 */
async function verifiedRecords(
  tx: Tx,
  isGenuine: (entry: string, mac: Uint8Array) => boolean,
): Promise<VerifiedRecord[]> {
  const found = await rows<{ entry: string; entry_hmac: Buffer }>(
    tx,
    'select entry, entry_hmac from audit_entry where action = $1 order by at desc, id desc limit $2',
    [VERIFIED_ACTION, LOOK_BACK],
  );
  return found
    .filter(({ entry, entry_hmac: mac }) => isGenuine(entry, mac))
    .flatMap(({ entry }) => recordIn(entry) ?? [])
    .sort((a, b) => (a.endedAt < b.endedAt ? -1 : 1));
}

/** The text decides, not the columns: another genuine entry may have been given this action there. */
function recordIn(entry: string): VerifiedRecord | undefined {
  const { action, at, outcome, details } = JSON.parse(entry);
  if (action !== VERIFIED_ACTION) return undefined;
  const { mode, from, to, startedAt, firstInvalidSeq } = details as Record<string, unknown>;
  const isValid = outcome === 'success';
  // What an earlier version wrote does not say what it went through; that it found a fault counts all the same.
  const extent = extentIn(mode, from, to);
  if (isValid && (extent === undefined || typeof startedAt !== 'string')) return undefined;
  return {
    ...(extent ?? { mode: 'full', from: 0, to: null }),
    ...{ endedAt: at, startedAt: typeof startedAt === 'string' ? startedAt : at, isValid },
    firstInvalidSeq: typeof firstInvalidSeq === 'number' ? firstInvalidSeq : null,
  };
}

function extentIn(mode: unknown, from: unknown, to: unknown): VerificationExtent | undefined {
  const isMode = (given: unknown): given is VerificationMode => VERIFICATION_MODES.some((one) => one === given);
  if (!isMode(mode) || typeof from !== 'number' || typeof to !== 'number') return undefined;
  return { mode, from, to };
}

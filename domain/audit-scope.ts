/** What somebody asks to have verified of the audit log. Sequence numbers; `to` is the one behind the last, null for the end. */
export type VerificationScope =
  | { readonly mode: 'full' }
  | { readonly mode: 'incremental' }
  | { readonly mode: 'range'; readonly from: number; readonly to: number | null };

export const VERIFICATION_MODES = ['full', 'incremental', 'range'] as const;
export type VerificationMode = (typeof VERIFICATION_MODES)[number];

/** What a run goes through, or went through: the entries `from` to `to` - 1. */
export interface VerificationExtent {
  readonly mode: VerificationMode;
  readonly from: number;
  /** Null: the end of the log, wherever that is by then. */
  readonly to: number | null;
}

/** A verification that the log itself tells of, by an entry whose MAC is genuine. Times are RFC 3339. */
export interface VerifiedRecord extends VerificationExtent {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly isValid: boolean;
  readonly firstInvalidSeq: number | null;
}

export interface Coverage {
  /** The first so many entries were found sound, one run going on where another ended. */
  readonly size: number;
  /** Start of the last run that went through all of them; null when there was none since something was wrong. */
  readonly fullAt: string | null;
}

/**
 * What past verifications cover. Each valid one adds to what those before it left. One that found a fault takes away
 * everything from the fault on, so whatever goes on from there meets it again, until a run that began later went past it.
 * A record that is missing can only make the cover shorter, unless it is one of a fault: such an entry lies behind
 * everything that was covered before it, in the part that the next run reads.
 *
 * @param records in the order in which they ended
 */
export function coverageOf(records: readonly VerifiedRecord[]): Coverage {
  let size = 0;
  let fullAt: string | null = null;
  let fault: { at: number; seq: number } | null = null;
  for (const { mode, from, to, isValid, firstInvalidSeq, startedAt, endedAt } of records) {
    if (!isValid) {
      fault = { at: Date.parse(endedAt), seq: firstInvalidSeq ?? 0 };
      size = Math.min(size, fault.seq);
      fullAt = null;
      continue;
    }
    if (to === null || from > (mode === 'range' ? 0 : size)) continue;
    // It may have passed the place before it was changed.
    const isLater = fault === null || Date.parse(startedAt) > fault.at;
    size = Math.max(size, isLater ? to : Math.min(to, fault?.seq ?? to));
    if (isLater && mode === 'full') fullAt = startedAt;
  }
  return { size, fullAt };
}

/** Half an hour less than a day: a run by the hour that is due after a day must not wait for the next hour. */
const FULL_EVERY_MS = 23.5 * 3_600_000;

/** Whether everything has to be verified again. A time that is still to come proves nothing. @param now milliseconds */
export function isFullDue({ fullAt }: Coverage, now: number): boolean {
  if (fullAt === null) return true;
  const age = now - Date.parse(fullAt);
  return !(age >= 0 && age < FULL_EVERY_MS);
}

/**
 * Where a verification goes on: at the longest published checkpoint that was covered. 0 where there is none: it begins at
 * the first entry.
 *
 * @param sizes of the published checkpoints that bind the log
 */
export function incrementalStart({ size }: Coverage, sizes: readonly number[]): number {
  return Math.max(0, ...sizes.filter((one) => one <= size));
}

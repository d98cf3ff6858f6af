/** How bad it would be if the claim did not hold. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** `unknown`: nothing could be observed, and nothing is claimed. */
export type Status = 'met' | 'not met' | 'unknown';

/** One claim about security, with what was observed. */
export interface Finding {
  /** Stable: accepted risks name it. */
  id: string;
  area: string;
  severity: Severity;
  claim: string;
  status: Status;
  /** What was run or asked, so that a reader can do it again. */
  source: string;
  /** What came of it, in one line; never a secret. */
  observed: string;
}

/**
 * A finding whose status comes from the observation: `met` is what an observer concluded, undefined where it could not.
 *
 * @throws Error when there is no evidence: a claim without any must not stand in the document
 */
export function found(one: Omit<Finding, 'status'>, met: boolean | undefined): Finding {
  const { id, source, observed } = one;
  if (source.trim() === '' || observed.trim() === '') throw new Error(`${id} has no evidence.`);
  return { ...one, observed: oneLine(observed), status: met === undefined ? 'unknown' : met ? 'met' : 'not met' };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim();
}

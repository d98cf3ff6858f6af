import type { FeatureUnit } from './vocabulary.ts';

/**
 * Why a rule counted less than a full comparison, or nothing:
 * - `no_history`   nothing to compare with yet
 * - `few_prior`    less history than the rule asks for
 * - `no_baseline`  the first login: every place is new, which means nothing
 * - `geo_unknown`  the place could not be told
 * - `masked_network` VPN, relay, Tor, hosting or satellite: the place says little about the person
 * - `counted_once` fired, but its weight is already in another reason
 * - `allow_listed` fired, and an allow list of the rule set silences it
 * - `error`        the look-up or the rule failed
 */
export type ReasonNote =
  | 'no_history'
  | 'few_prior'
  | 'no_baseline'
  | 'geo_unknown'
  | 'masked_network'
  | 'counted_once'
  | 'allow_listed'
  | 'error';

export type ReasonValue = number | string | null;

/**
 * One rule's contribution, kept with every decision whether it fired or not. `points` are integer hundredths of the
 * score; `value`, `baseline` and `threshold` are in the rule's own unit.
 */
export interface Reason {
  readonly ruleId: string;
  readonly title: string;
  readonly value: ReasonValue;
  readonly baseline: ReasonValue;
  readonly threshold: ReasonValue;
  readonly points: number;
  /** How the values read; absent where the rule's words say it. Money is units of the base currency. */
  readonly unit?: FeatureUnit;
  readonly note?: ReasonNote;
}

/**
 * The reason of a rule that could not be computed. It scores nothing by itself: whoever decides must ask for at least
 * a factor when any reason says `error` (see {@link hasError}).
 */
export function errorReason(ruleId: string, title: string): Reason {
  return { ruleId, title, value: null, baseline: null, threshold: null, points: 0, note: 'error' };
}

/** True when some rule could not be computed. */
export function hasError(reasons: readonly Reason[]): boolean {
  return reasons.some((reason) => reason.note === 'error');
}

/** Told about a rule that threw, so that the caller can log and count it; the decision goes on. */
export type RuleErrorListener = (ruleId: string, error: unknown) => void;

/**
 * Runs one rule. A rule that throws becomes an `error` reason instead of taking the decision down with it, so a
 * defect in one rule raises the demand on the person and never lowers it.
 */
export function runRule(ruleId: string, title: string, rule: () => Reason[], onError?: RuleErrorListener): Reason[] {
  try {
    return rule();
  } catch (error) {
    onError?.(ruleId, error);
    return [errorReason(ruleId, title)];
  }
}

import type { FeatureUnit } from './vocabulary.ts';

/**
 * A rule set as data: everything a decision depends on besides its input. A stored document is never edited, since every
 * decision names the version it was made with: other weights are another version.
 *
 * Points and thresholds are integer hundredths of the score; all thresholds are strict ("above").
 */
export interface RuleSetDocument {
  readonly format: typeof RULE_SET_FORMAT;
  readonly title: string;
  readonly description: string;
  readonly thresholds: ScoreThresholds;
  /** Added to every score before it is cut to 0..100; a scorecard's intercept. May be negative. */
  readonly base?: number;
  /** Named numbers for the rules' conditions. */
  readonly params?: Readonly<Record<string, number>>;
  readonly lists?: readonly RuleList[];
  readonly rules: readonly RuleDefinition[];
}

export const RULE_SET_FORMAT = 'tradeguard-rules/1';

/** Score thresholds in hundredths. */
export interface ScoreThresholds {
  readonly factorAbove: number;
  readonly reviewAbove: number;
  readonly escalateAbove: number;
  /** High risk on the dashboard; decides nothing. */
  readonly highRiskAbove: number;
}

/**
 * A list that a transaction is held against.
 * - `deny`   what is on it scores {@link DENY_POINTS}
 * - `allow`  what is on it scores nothing, unless it is denied as well; step-up by amount is not touched
 * - `tag`    decides nothing by itself
 *
 * Rules ask `on_NAME`.
 */
export interface RuleList {
  readonly name: string;
  readonly effect: 'allow' | 'deny' | 'tag';
  /** What of the transaction is looked up; `ip` entries are addresses or CIDR ranges. */
  readonly match: ListMatch;
  readonly entries: readonly ListEntry[];
}

export const LIST_MATCHES = ['account', 'counterparty', 'instrument', 'category', 'ip'] as const;
export type ListMatch = (typeof LIST_MATCHES)[number];
export const DENY_POINTS = 100;

export interface ListEntry {
  readonly value: string;
  /** RFC 3339; the entry counts before this instant. Without one it counts for ever. */
  readonly until?: string;
  readonly note?: string;
}

/**
 * One rule: either a condition with points (`when`, `points`), or a value with graded bands (`of`, `bands`, and a
 * condition in front where one is needed). Expressions are CEL over the vocabulary, the parameters and the lists.
 */
export interface RuleDefinition {
  readonly id: string;
  readonly title: string;
  /** CEL, bool. With bands: without it the bands always count. */
  readonly when?: string;
  readonly points?: number;
  /** CEL, number: what the bands grade. */
  readonly of?: string;
  /** Ascending; the last band whose `above` the value exceeds counts. */
  readonly bands?: readonly RuleBand[];
  /** For the reader: what was found, what it was held against. CEL, number or text. */
  readonly explain?: RuleExplanation;
  /** The first whose condition holds says why the rule counts nothing, and stops it. */
  readonly notes?: readonly RuleNote[];
}

export interface RuleBand {
  readonly above: number;
  readonly points: number;
}

export interface RuleExplanation {
  readonly value?: string;
  readonly baseline?: string;
  readonly threshold?: string;
  readonly unit?: FeatureUnit;
}

export interface RuleNote {
  readonly when: string;
  readonly note: 'no_history' | 'few_prior';
}

/** A rule set that cannot be used, with where in it the fault is. `position` counts characters of the expression from 0. */
export interface RuleSetFault {
  /** JSON pointer (RFC 6901) into the document. */
  readonly pointer: string;
  readonly message: string;
  readonly position?: number;
}

/** A document has faults; all of them are named. */
export class RuleSetError extends Error {
  override readonly name = 'RuleSetError';
  readonly faults: readonly RuleSetFault[];

  constructor(faults: readonly RuleSetFault[]) {
    super(
      faults
        .map(({ pointer, message, position }) => `${pointer}${position === undefined ? '' : `:${position}`} ${message}`)
        .join('; '),
    );
    this.faults = faults;
  }
}

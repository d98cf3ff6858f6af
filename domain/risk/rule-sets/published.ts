import type { RuleSetDocument } from '../rule-set.ts';
import { RULE_SET_V1 } from './v1.ts';
import { RULE_SET_V2 } from './v2.ts';
import { RULE_SET_V3 } from './v3.ts';

/** The rule sets that come with the program, by version. An installation begins with `v1` live and the others as drafts. */
export const PUBLISHED_RULE_SETS: Readonly<Record<string, RuleSetDocument>> = {
  v1: RULE_SET_V1,
  v2: RULE_SET_V2,
  v3: RULE_SET_V3,
};

/** The version called "recommended". */
export const RECOMMENDED_VERSION = 'v3';

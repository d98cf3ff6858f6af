/**
 * Everything a login's decision depends on besides its input; transactions have documents (`rule-set.ts`). A stored decision names the version it was made with, so a
 * published document is never edited: other weights are another version.
 *
 * Points and score thresholds are integer hundredths; all thresholds are strict ("above") unless they say `min`.
 */
export interface LoginRuleSet {
  readonly version: string;
  /** Score thresholds, as those of transactions. */
  readonly thresholds: {
    readonly factorAbove: number;
    readonly reviewAbove: number;
    readonly escalateAbove: number;
    /** High risk on the dashboard; decides nothing. */
    readonly highRiskAbove: number;
  };
  readonly login: {
    /** Local hours in [from, to). */
    readonly hour: { readonly from: number; readonly to: number; readonly points: number };
    readonly newLocation: { readonly radiusKm: number; readonly forgetAfterDays: number; readonly points: number };
    readonly impossibleTravel: {
      readonly minDistanceKm: number;
      readonly speedAboveKmh: number;
      readonly defaultAccuracyKm: number;
      readonly points: number;
    };
    readonly failedRate: { readonly minAttempts: number; readonly minPercent: number; readonly points: number };
    readonly unknownDevice: { readonly points: number };
    readonly deviceChanged: { readonly pointsPerClass: number; readonly maxPoints: number };
    readonly impossibleDevice: { readonly points: number };
    readonly geoUnknown: { readonly points: number };
  };
}

/** Version 1: the weights and thresholds of the specification, literally. */
export const LOGIN_RULE_SET_V1: LoginRuleSet = deepFreeze({
  version: 'v1',
  thresholds: { factorAbove: 50, reviewAbove: 70, escalateAbove: 80, highRiskAbove: 60 },
  login: {
    hour: { from: 2, to: 5, points: 20 },
    newLocation: { radiusKm: 100, forgetAfterDays: 180, points: 30 },
    impossibleTravel: { minDistanceKm: 100, speedAboveKmh: 900, defaultAccuracyKm: 50, points: 80 },
    failedRate: { minAttempts: 5, minPercent: 50, points: 20 },
    unknownDevice: { points: 20 },
    deviceChanged: { pointsPerClass: 15, maxPoints: 40 },
    impossibleDevice: { points: 50 },
    geoUnknown: { points: 10 },
  },
} satisfies LoginRuleSet);

function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member);
  }
  return Object.freeze(value);
}

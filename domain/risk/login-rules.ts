import type { DeviceFinding } from '../device.ts';
import { areValidCoordinates, isNear, type Place, travelBetween } from '../geo.ts';
import { localTime, type ZoneCandidates } from '../local-time.ts';
import type { LoginVerdict } from '../login.ts';
import { MICROS_PER_DAY, type Micros } from '../time.ts';
import type { LoginRuleSet } from './login-rule-set.ts';
import { hasError, type Reason, type RuleErrorListener, runRule } from './reasons.ts';
import { type ScoreHundredths, scoreOf } from './score.ts';

/** Networks whose address says little about where the person is. */
export type NetworkFlag = 'vpn' | 'relay' | 'tor' | 'hosting' | 'satellite';

/** A look-up that failed. The rules that need it answer `error`, which asks for at least a factor. */
export const LOOKUP_FAILED = 'lookup_failed';
export type Lookup<T> = T | typeof LOOKUP_FAILED;

/** A place learned from logins that passed. */
export interface KnownPlace {
  readonly place: Place;
  readonly lastSeenAt: Micros;
}

/** Password checks in the last hour, the present one included. */
export interface AttemptStats {
  readonly attempts: number;
  readonly failures: number;
}

/** A login with a right password, and everything it is compared with. */
export interface LoginInput {
  readonly at: Micros;
  readonly zones: ZoneCandidates;
  /** Null where the address has no known place (a private address, for instance). */
  readonly place: Lookup<Place | null>;
  readonly networkFlags: readonly NetworkFlag[];
  readonly knownPlaces: Lookup<readonly KnownPlace[]>;
  /** Place and time of the latest login that passed and had a place, by server sequence. */
  readonly lastPassed: Lookup<{ readonly place: Place; readonly at: Micros } | null>;
  /** Of the account from anywhere. */
  readonly accountAttempts: Lookup<AttemptStats>;
  /** Of the network (/24, /48) against any account. */
  readonly networkAttempts: Lookup<AttemptStats>;
  readonly device: Lookup<DeviceFinding>;
}

export interface LoginAssessment {
  readonly ruleSetVersion: string;
  readonly score: ScoreHundredths;
  /** Every rule's contribution, fired or not. */
  readonly reasons: readonly Reason[];
  readonly verdict: LoginVerdict;
  /** A factor is asked for whatever the score (unknown or impossible device, masked travel, failed look-up). */
  readonly factorForced: boolean;
  /** Whether the baseline may learn this place, once the login has passed. */
  readonly learnsPlace: boolean;
}

/** Judges a login by a rule set. Comparisons are strict: exactly 0.5, 0.7 and 0.8 are on the mild side. */
export function assessLogin(
  input: LoginInput,
  ruleSet: LoginRuleSet,
  onRuleError?: RuleErrorListener,
): LoginAssessment {
  const rules = ruleSet.login;
  const run = (ruleId: string, title: string, rule: () => Reason[]) => runRule(ruleId, title, rule, onRuleError);
  const place = input.place === LOOKUP_FAILED ? null : usablePlace(input.place);
  const reasons = [
    ...run('login_hour', 'Login at night', () => [hourRule(input, rules.hour)]),
    ...run('geo_unknown', 'Place unknown', () => [geoRule(present(input.place), rules.geoUnknown.points)]),
    ...run('new_location', 'New location', () => [newLocationRule(input, place, rules.newLocation)]),
    ...run('impossible_travel', 'Impossible travel', () => [travelRule(input, place, rules.impossibleTravel)]),
    ...failedRateRules(input, rules.failedRate, run),
    ...run('unknown_device', 'Unknown device', () => [unknownDeviceRule(present(input.device), rules.unknownDevice)]),
    ...run('device_changed', 'Device changed', () => [changedDeviceRule(present(input.device), rules.deviceChanged)]),
    ...run('impossible_device', 'Impossible device change', () => [
      impossibleDeviceRule(present(input.device), rules.impossibleDevice),
    ]),
  ];
  const score = scoreOf(reasons);
  const factorForced = hasError(reasons) || deviceForcesFactor(input.device) || reasons.some(isMaskedTravel);
  return {
    ruleSetVersion: ruleSet.version,
    score,
    reasons,
    verdict: loginVerdict(score, factorForced, ruleSet.thresholds),
    factorForced,
    learnsPlace: place !== null && input.networkFlags.length === 0,
  };
}

/** The verdict a score leads to; a forced factor lifts `pass` to `factor`. */
export function loginVerdict(
  score: ScoreHundredths,
  factorForced: boolean,
  thresholds: LoginRuleSet['thresholds'],
): LoginVerdict {
  if (score > thresholds.escalateAbove) return 'deny';
  if (score > thresholds.reviewAbove) return 'two_factors';
  return score > thresholds.factorAbove || factorForced ? 'factor' : 'pass';
}

/** True when at least the given share of enough attempts failed. */
export function isFailedRateHigh(stats: AttemptStats, rule: LoginRuleSet['login']['failedRate']): boolean {
  return stats.attempts >= rule.minAttempts && stats.failures * 100 >= stats.attempts * rule.minPercent;
}

function hourRule(input: LoginInput, rule: LoginRuleSet['login']['hour']): Reason {
  const local = localTime(input.at, input.zones);
  const night = local.hour >= rule.from && local.hour < rule.to;
  return {
    ruleId: 'login_hour',
    title: `Local time between ${clock(rule.from)} and ${clock(rule.to)}`,
    value: `${clock(local.hour, local.minute)} ${local.timeZone} (${local.source})`,
    baseline: null,
    threshold: `${clock(rule.from)}-${clock(rule.to)}`,
    points: night ? rule.points : 0,
  };
}

function geoRule(given: Place | null, points: number): Reason {
  const base = { ruleId: 'geo_unknown', title: 'The place of the address is unknown', baseline: null, threshold: null };
  return usablePlace(given)
    ? { ...base, value: 'known', points: 0 }
    : { ...base, value: 'unknown', points, note: 'geo_unknown' };
}

function newLocationRule(input: LoginInput, place: Place | null, rule: LoginRuleSet['login']['newLocation']): Reason {
  const known = present(input.knownPlaces);
  const title = `No passed login within ${rule.radiusKm} km in the last ${rule.forgetAfterDays} days`;
  const base = { ruleId: 'new_location', title, threshold: rule.radiusKm };
  if (!place) {
    present(input.place);
    return { ...base, value: null, baseline: known.length, points: 0, note: 'geo_unknown' };
  }
  const remembered = known.filter(
    ({ place: at, lastSeenAt }) =>
      areValidCoordinates(at.latitude, at.longitude) && lastSeenAt > input.at - rule.forgetAfterDays * MICROS_PER_DAY,
  );
  const compared = { ...base, value: describe(place), baseline: remembered.length };
  if (remembered.length === 0) return { ...compared, points: 0, note: 'no_baseline' };
  const isKnown = remembered.some((entry) => isNear(entry.place, place, rule.radiusKm));
  return { ...compared, points: isKnown ? 0 : rule.points };
}

function travelRule(input: LoginInput, place: Place | null, rule: LoginRuleSet['login']['impossibleTravel']): Reason {
  const last = present(input.lastPassed);
  const title = `Faster than ${rule.speedAboveKmh} km/h since the last login`;
  const base = { ruleId: 'impossible_travel', title, threshold: rule.speedAboveKmh };
  if (!place) {
    present(input.place);
    return { ...base, value: null, baseline: null, points: 0, note: 'geo_unknown' };
  }
  if (!last || !usablePlace(last.place))
    return { ...base, value: null, baseline: null, points: 0, note: 'no_baseline' };
  const travel = travelBetween(last, { place, at: input.at }, rule);
  const compared = { ...base, value: Math.round(travel.speedKmh), baseline: Math.round(travel.certainKm) };
  if (!travel.impossible) return { ...compared, points: 0 };
  // The exit of a VPN jumps around the world; the person behind it does not. Ask for a factor instead of denying.
  return input.networkFlags.length > 0
    ? { ...compared, points: 0, note: 'masked_network' }
    : { ...compared, points: rule.points };
}

/**
 * The rate is watched for the account and for the network, each by its own counters and with its own reason. The
 * weight is the specification's for the one rule, so both together still count once.
 */
function failedRateRules(
  input: LoginInput,
  rule: LoginRuleSet['login']['failedRate'],
  run: (ruleId: string, title: string, rule: () => Reason[]) => Reason[],
): Reason[] {
  const judge = (ruleId: string, title: string, lookup: Lookup<AttemptStats>) =>
    run(ruleId, title, () => {
      const stats = present(lookup);
      const points = isFailedRateHigh(stats, rule) ? rule.points : 0;
      const value = `${stats.failures}/${stats.attempts}`;
      const threshold = `${rule.minPercent} % of at least ${rule.minAttempts}`;
      return [{ ruleId, title, value, baseline: null, threshold, points }];
    });
  const account = judge('failed_rate_account', 'Failed logins of the account in the last hour', input.accountAttempts);
  const network = judge(
    'failed_rate_network',
    'Failed logins from the network in the last hour',
    input.networkAttempts,
  );
  const counted = account.some((reason) => reason.points > 0);
  return [
    ...account,
    ...network.map(
      (reason): Reason => (counted && reason.points > 0 ? { ...reason, points: 0, note: 'counted_once' } : reason),
    ),
  ];
}

function unknownDeviceRule(device: DeviceFinding, rule: LoginRuleSet['login']['unknownDevice']): Reason {
  return {
    ruleId: 'unknown_device',
    title: 'The device was never seen on this account',
    value: device.kind,
    baseline: null,
    threshold: null,
    points: device.kind === 'unknown' ? rule.points : 0,
  };
}

function changedDeviceRule(device: DeviceFinding, rule: LoginRuleSet['login']['deviceChanged']): Reason {
  return {
    ruleId: 'device_changed',
    title: 'Parts of a known device changed',
    value: device.changed.join(',') || null,
    baseline: null,
    threshold: null,
    points: Math.min(rule.maxPoints, device.changed.length * rule.pointsPerClass),
  };
}

function impossibleDeviceRule(device: DeviceFinding, rule: LoginRuleSet['login']['impossibleDevice']): Reason {
  return {
    ruleId: 'impossible_device',
    title: 'The device cannot be what it says',
    value: device.impossible.join(',') || null,
    baseline: null,
    threshold: null,
    points: device.impossible.length > 0 ? rule.points : 0,
  };
}

/** A device that cannot be what it says is not the known one, so it is treated like an unknown one. */
function deviceForcesFactor(device: Lookup<DeviceFinding>): boolean {
  return device === LOOKUP_FAILED || device.kind === 'unknown' || device.impossible.length > 0;
}

function isMaskedTravel(reason: Reason): boolean {
  return reason.ruleId === 'impossible_travel' && reason.note === 'masked_network';
}

/** The looked-up value; throws for a failed look-up, which `runRule` turns into an `error` reason. */
function present<T>(lookup: Lookup<T>): T {
  if (lookup === LOOKUP_FAILED) throw new Error('look-up failed');
  return lookup as T;
}

function usablePlace(place: Place | null): Place | null {
  return place && areValidCoordinates(place.latitude, place.longitude) ? place : null;
}

/** Country and region, or coordinates to about 10 km: enough to explain, no more than that in the audit log. */
function describe(place: Place): string {
  const name = [place.country, place.region].filter(Boolean).join('/');
  return name || `${place.latitude.toFixed(1)},${place.longitude.toFixed(1)}`;
}

function clock(hour: number, minute = 0): string {
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

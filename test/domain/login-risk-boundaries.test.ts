import { describe, expect, it } from 'vitest';
import type { DeviceFinding } from '../../domain/device.ts';
import { LOGIN_RULE_SET_V1 } from '../../domain/risk/login-rule-set.ts';
import { assessLogin, LOOKUP_FAILED, type LoginInput, loginVerdict } from '../../domain/risk/login-rules.ts';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const at = (iso: string) => Date.parse(iso) * 1000;
const NOON = at('2026-06-15T10:00:00Z');
const BERLIN = { latitude: 52.52, longitude: 13.405, country: 'DE', region: 'BE' };
const TOKYO = { latitude: 35.68, longitude: 139.69, country: 'JP' };
const KNOWN: DeviceFinding = { kind: 'known', changed: [], impossible: [] };

const CALM: LoginInput = {
  at: NOON,
  zones: { profile: 'Europe/Berlin' },
  place: BERLIN,
  networkFlags: [],
  knownPlaces: [{ place: BERLIN, lastSeenAt: NOON - DAY }],
  lastPassed: { place: BERLIN, at: NOON - DAY },
  accountAttempts: { attempts: 1, failures: 0 },
  networkAttempts: { attempts: 1, failures: 0 },
  device: KNOWN,
};
const assess = (fields: Partial<LoginInput> = {}) => assessLogin({ ...CALM, ...fields }, LOGIN_RULE_SET_V1);
const reason = (fields: Partial<LoginInput>, ruleId: string) =>
  assess(fields).reasons.find((entry) => entry.ruleId === ruleId);
const points = (fields: Partial<LoginInput>, ruleId: string) => reason(fields, ruleId)?.points;

it('a calm login passes without points and with a reason for every rule', () => {
  const calm = assess();
  expect(calm).toMatchObject({ score: 0, verdict: 'pass', factorForced: false, learnsPlace: true });
  expect(calm.reasons.map(({ ruleId }) => ruleId)).toEqual([
    'login_hour',
    'geo_unknown',
    'new_location',
    'impossible_travel',
    'failed_rate_account',
    'failed_rate_network',
    'unknown_device',
    'device_changed',
    'impossible_device',
  ]);
});

describe('login hour', () => {
  const hourPoints = (iso: string) => points({ at: at(iso) }, 'login_hour');

  it('is night from 02:00 until before 05:00 local time', () => {
    expect(hourPoints('2026-06-14T23:59:59.999Z')).toBe(0);
    expect(hourPoints('2026-06-15T00:00:00Z')).toBe(20);
    expect(hourPoints('2026-06-15T02:59:59.999Z')).toBe(20);
    expect(hourPoints('2026-06-15T03:00:00Z')).toBe(0);
  });

  it('follows daylight saving on both days', () => {
    expect(hourPoints('2026-03-29T00:59:59Z')).toBe(0);
    expect(hourPoints('2026-03-29T01:00:00Z')).toBe(20);
    expect(hourPoints('2026-03-29T03:00:00Z')).toBe(0);
    expect(hourPoints('2026-10-25T00:00:00Z')).toBe(20);
    expect(hourPoints('2026-10-25T03:59:59Z')).toBe(20);
    expect(hourPoints('2026-10-25T04:00:00Z')).toBe(0);
  });

  it('says which zone it was judged in', () => {
    expect(reason({ zones: { ip: 'Asia/Tokyo' } }, 'login_hour')?.value).toBe('19:00 Asia/Tokyo (ip)');
    expect(reason({ zones: {} }, 'login_hour')?.value).toBe('10:00 UTC (utc)');
  });
});

describe('new location', () => {
  it('is one where no login passed', () => {
    expect(points({ place: TOKYO }, 'new_location')).toBe(30);
    expect(points({ place: { latitude: 52.4, longitude: 13.06 } }, 'new_location')).toBe(0);
  });

  it('is none without a baseline', () => {
    expect(reason({ place: TOKYO, knownPlaces: [] }, 'new_location')).toMatchObject({ points: 0, note: 'no_baseline' });
  });

  it('is so again after 180 days', () => {
    const rome = { place: { latitude: 41.9, longitude: 12.5 }, lastSeenAt: NOON - DAY };
    const seen = (days: number) => ({ knownPlaces: [rome, { place: BERLIN, lastSeenAt: NOON - days * DAY }] });
    expect(points(seen(179), 'new_location')).toBe(0);
    expect(points(seen(180), 'new_location')).toBe(30);
  });
});

describe('an unknown place', () => {
  it.each([
    null,
    { latitude: Number.NaN, longitude: 0 },
    { latitude: 0, longitude: 0 },
    { latitude: 99, longitude: 1 },
  ])('%j scores 10 once, is never distance zero and is not learned', (place) => {
    const assessment = assess({ place, lastPassed: { place: TOKYO, at: NOON - 1 } });
    expect(assessment).toMatchObject({ score: 10, verdict: 'pass', learnsPlace: false });
    const notes = assessment.reasons.filter((entry) => entry.note === 'geo_unknown').map(({ ruleId }) => ruleId);
    expect(notes).toEqual(['geo_unknown', 'new_location', 'impossible_travel']);
  });
});

describe('impossible travel', () => {
  const hourAgo = { lastPassed: { place: TOKYO, at: NOON - HOUR } };

  it('scores 80, which alone asks for two factors; in a new place it denies', () => {
    expect(assess(hourAgo)).toMatchObject({ score: 80, verdict: 'two_factors' });
    expect(assess({ ...hourAgo, knownPlaces: [{ place: TOKYO, lastSeenAt: NOON - HOUR }] })).toMatchObject({
      score: 100,
      verdict: 'deny',
    });
  });

  it('behind a VPN, relay, Tor, hosting or satellite network asks for a factor and teaches nothing', () => {
    for (const flag of ['vpn', 'relay', 'tor', 'hosting', 'satellite'] as const) {
      const assessment = assess({ ...hourAgo, networkFlags: [flag] });
      expect(assessment).toMatchObject({ score: 0, verdict: 'factor', factorForced: true, learnsPlace: false });
    }
    expect(reason({ ...hourAgo, networkFlags: ['vpn'] }, 'impossible_travel')?.note).toBe('masked_network');
  });

  it('has no baseline before the first login', () => {
    expect(reason({ lastPassed: null }, 'impossible_travel')).toMatchObject({ points: 0, note: 'no_baseline' });
  });
});

describe('failed-login rate', () => {
  it('is high from 50 % of at least 5 attempts', () => {
    const account = (attempts: number, failures: number) =>
      points({ accountAttempts: { attempts, failures } }, 'failed_rate_account');
    expect([account(4, 4), account(5, 2), account(5, 3), account(6, 3), account(7, 3)]).toEqual([0, 0, 20, 20, 0]);
  });

  it('is kept apart for account and network, and counted once', () => {
    const high = { attempts: 10, failures: 9 };
    expect(assess({ networkAttempts: high })).toMatchObject({ score: 20 });
    expect(assess({ accountAttempts: high })).toMatchObject({ score: 20 });
    expect(assess({ accountAttempts: high, networkAttempts: high })).toMatchObject({ score: 20 });
    expect(reason({ accountAttempts: high, networkAttempts: high }, 'failed_rate_network')?.note).toBe('counted_once');
  });
});

describe('device', () => {
  it('unknown scores 20 and needs a factor whatever the score', () => {
    const unknown: DeviceFinding = { kind: 'unknown', changed: [], impossible: [] };
    expect(assess({ device: unknown })).toMatchObject({ score: 20, verdict: 'factor', factorForced: true });
  });

  it('changed scores 15 a class, at most 40, and forces nothing', () => {
    const changed = (...classes: DeviceFinding['changed']) =>
      assess({ device: { kind: 'changed', changed: classes, impossible: [] } });
    expect(changed('timezone')).toMatchObject({ score: 15, verdict: 'pass' });
    expect(changed('timezone', 'os').score).toBe(30);
    expect(changed('timezone', 'os', 'browser').score).toBe(40);
    expect(changed('timezone', 'os', 'browser', 'resolution')).toMatchObject({ score: 40, verdict: 'pass' });
  });

  it('impossible scores 50 and needs a factor like an unknown one', () => {
    const impossible: DeviceFinding = { kind: 'known', changed: [], impossible: ['platform_contradiction'] };
    expect(assess({ device: impossible })).toMatchObject({ score: 50, verdict: 'factor', factorForced: true });
  });
});

describe('verdict', () => {
  it('changes above, not at, 0.5, 0.7 and 0.8', () => {
    const verdicts = [0, 50, 51, 70, 71, 80, 81, 100].map((score) =>
      loginVerdict(score, false, LOGIN_RULE_SET_V1.thresholds),
    );
    expect(verdicts).toEqual(['pass', 'pass', 'factor', 'factor', 'two_factors', 'two_factors', 'deny', 'deny']);
  });

  it('is not lowered by a forced factor', () => {
    const forced = [0, 71, 81].map((score) => loginVerdict(score, true, LOGIN_RULE_SET_V1.thresholds));
    expect(forced).toEqual(['factor', 'two_factors', 'deny']);
  });
});

describe('a look-up that failed', () => {
  it.each([
    ['place', ['geo_unknown', 'new_location', 'impossible_travel']],
    ['knownPlaces', ['new_location']],
    ['lastPassed', ['impossible_travel']],
    ['accountAttempts', ['failed_rate_account']],
    ['networkAttempts', ['failed_rate_network']],
    ['device', ['unknown_device', 'device_changed', 'impossible_device']],
  ] as const)('of %s gives error reasons and at least a factor', (field, rules) => {
    const failed: string[] = [];
    const input = { ...CALM, [field]: LOOKUP_FAILED };
    const assessment = assessLogin(input, LOGIN_RULE_SET_V1, (ruleId) => failed.push(ruleId));
    expect(assessment.verdict).toBe('factor');
    expect(assessment.reasons.filter(({ note }) => note === 'error').map(({ ruleId }) => ruleId)).toEqual(rules);
    expect(failed).toEqual(rules);
  });
});

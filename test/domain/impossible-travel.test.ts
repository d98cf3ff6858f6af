import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  areValidCoordinates,
  clusterKey,
  distanceKm,
  EARTH_RADIUS_KM,
  isNear,
  travelBetween,
} from '../../domain/geo.ts';
import { LOGIN_RULE_SET_V1 } from '../../domain/risk/login-rule-set.ts';

const HOUR = 3_600_000_000;
const LIMITS = LOGIN_RULE_SET_V1.login.impossibleTravel;
const BERLIN = { latitude: 52.52, longitude: 13.405 };
const NEW_YORK = { latitude: 40.7128, longitude: -74.006 };
const KM_PER_DEGREE = (Math.PI * EARTH_RADIUS_KM) / 180;

/** A place so many kilometres east of (0, 10) on the equator. */
const east = (km: number, accuracyKm = 0) => ({ latitude: 0, longitude: 10 + km / KM_PER_DEGREE, accuracyKm });
const journey = (km: number, hours: number, accuracyKm = 0) =>
  travelBetween({ place: east(0, accuracyKm), at: 0 }, { place: east(km, accuracyKm), at: hours * HOUR }, LIMITS);

describe('great-circle distance', () => {
  it('is that of the map', () => {
    expect(distanceKm(BERLIN, NEW_YORK)).toBeGreaterThan(6380);
    expect(distanceKm(BERLIN, NEW_YORK)).toBeLessThan(6390);
  });

  it('is symmetric, finite and at most half the circumference, also for antipodes and across the date line', () => {
    const place = fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    });
    fc.assert(
      fc.property(place, place, (a, b) => {
        fc.pre(areValidCoordinates(a.latitude, a.longitude) && areValidCoordinates(b.latitude, b.longitude));
        const km = distanceKm(a, b);
        expect(km).toBeCloseTo(distanceKm(b, a), 6);
        expect(km >= 0 && km <= Math.PI * EARTH_RADIUS_KM + 1e-6).toBe(true);
      }),
    );
    const fiji = { latitude: -17, longitude: 179.9 };
    expect(distanceKm(fiji, { latitude: -17, longitude: -179.9 })).toBeLessThan(25);
  });

  it('is refused for coordinates that are none, never zero', () => {
    for (const [latitude, longitude] of [
      [91, 0],
      [0, 181],
      [Number.NaN, 1],
      [1, Number.POSITIVE_INFINITY],
      [0, 0],
    ] as const) {
      expect(areValidCoordinates(latitude, longitude)).toBe(false);
      expect(() => distanceKm({ latitude, longitude }, BERLIN)).toThrow(RangeError);
    }
    expect(areValidCoordinates('52', 13)).toBe(false);
    expect(areValidCoordinates(undefined, null)).toBe(false);
    expect(areValidCoordinates(0, 13)).toBe(true);
  });
});

describe('impossible travel', () => {
  it('starts above 900 km/h', () => {
    expect(journey(899, 1).impossible).toBe(false);
    expect(journey(901, 1).impossible).toBe(true);
  });

  it('ignores less than 100 km, however fast', () => {
    expect(journey(99, 0).impossible).toBe(false);
    expect(journey(101, 0).impossible).toBe(true);
  });

  it('takes off both accuracy radii, 50 km each where unknown', () => {
    const { accuracyKm: _, ...vague } = east(0);
    const { accuracyKm: __, ...vagueEnd } = east(950);
    const travel = travelBetween({ place: vague, at: 0 }, { place: vagueEnd, at: HOUR }, LIMITS);
    expect(travel.certainKm).toBeCloseTo(850, 3);
    expect(travel.impossible).toBe(false);
    expect(journey(1000, 1, Number.NaN).certainKm).toBeCloseTo(900, 3);
    expect(journey(1000, 1, Number.POSITIVE_INFINITY).certainKm).toBeCloseTo(900, 3);
    expect(journey(30, 1, 50).certainKm).toBe(0);
  });

  it('takes at least one second, also when logins arrive out of order', () => {
    expect(journey(200, 0).speedKmh).toBeCloseTo(200 * 3600, 3);
    expect(journey(200, -5)).toEqual(journey(200, 0));
  });
});

describe('clusters', () => {
  it('join what is near, whatever cell it falls into', () => {
    expect(isNear(BERLIN, { latitude: 52.39, longitude: 13.06 }, 100)).toBe(true);
    expect(isNear(BERLIN, { latitude: 53.55, longitude: 9.99 }, 100)).toBe(false);
    expect(isNear(east(0), east(99.9), 100)).toBe(true);
    expect(isNear(east(0), east(100.1), 100)).toBe(false);
  });

  it('have a key whose places are all near each other', () => {
    const degrees = fc.double({ min: -0.5, max: 0.5, noNaN: true });
    const latitudes = fc.double({ min: -90, max: 90, noNaN: true });
    const longitudes = fc.double({ min: -180, max: 180, noNaN: true });
    fc.assert(
      fc.property(latitudes, longitudes, degrees, degrees, (latitude, longitude, dLat, dLon) => {
        const near = { latitude: latitude + dLat, longitude: longitude + dLon };
        fc.pre(areValidCoordinates(near.latitude, near.longitude) && areValidCoordinates(latitude, longitude));
        fc.pre(clusterKey({ latitude, longitude }) === clusterKey(near));
        expect(distanceKm({ latitude, longitude }, near)).toBeLessThan(150);
      }),
      { numRuns: 500 },
    );
    expect(clusterKey({ ...BERLIN, country: 'DE' })).not.toBe(clusterKey({ ...BERLIN, country: 'PL' }));
    expect(clusterKey({ latitude: 90, longitude: 180 })).toBe('--:199:2');
  });
});

import { MICROS_PER_SECOND, type Micros } from './time.ts';

/** A point on Earth and how well it is known. Degrees (WGS 84) and kilometres. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
  readonly accuracyKm?: number;
  readonly country?: string;
  readonly region?: string;
}

/** Mean Earth radius R1 of the IUGG, in kilometres. */
export const EARTH_RADIUS_KM = 6371.0088;

/**
 * True for coordinates that can mean a place. Exactly (0, 0) is refused as well: it is what data sources write when
 * they do not know, and nobody logs in from that point of the Atlantic.
 */
export function areValidCoordinates(latitude: unknown, longitude: unknown): boolean {
  return (
    typeof latitude === 'number' &&
    typeof longitude === 'number' &&
    Math.abs(latitude) <= 90 &&
    Math.abs(longitude) <= 180 &&
    !(latitude === 0 && longitude === 0)
  );
}

/** Great-circle distance in kilometres (haversine). Throws RangeError for coordinates that are none. */
export function distanceKm(a: Place, b: Place): number {
  for (const place of [a, b]) {
    if (!areValidCoordinates(place.latitude, place.longitude)) throw new RangeError('invalid coordinates');
  }
  const [lat1, lat2] = [radians(a.latitude), radians(b.latitude)];
  const h =
    Math.sin((lat2 - lat1) / 2) ** 2 +
    Math.cos(lat1) * Math.cos(lat2) * Math.sin(radians(b.longitude - a.longitude) / 2) ** 2;
  // Rounding may push h of antipodes above 1, where asin is NaN.
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

export interface TravelLimits {
  readonly minDistanceKm: number;
  readonly speedAboveKmh: number;
  readonly defaultAccuracyKm: number;
}

export interface Travel {
  /** Great-circle distance less both accuracy radii, never below zero. */
  readonly certainKm: number;
  /** Certain distance over elapsed time, at least one second. */
  readonly speedKmh: number;
  readonly impossible: boolean;
}

/**
 * Whether one person can have been at both places. A distance that lies within the accuracy of the look-ups, or below
 * the minimum, is no travel; logins that arrive out of order are taken in server order, one second apart at least.
 */
export function travelBetween(
  from: { readonly place: Place; readonly at: Micros },
  to: { readonly place: Place; readonly at: Micros },
  limits: TravelLimits,
): Travel {
  const uncertainKm = accuracyKm(from.place, limits) + accuracyKm(to.place, limits);
  const certainKm = Math.max(0, distanceKm(from.place, to.place) - uncertainKm);
  const seconds = Math.max((to.at - from.at) / MICROS_PER_SECOND, 1);
  const speedKmh = (certainKm / seconds) * 3600;
  return { certainKm, speedKmh, impossible: certainKm >= limits.minDistanceKm && speedKmh > limits.speedAboveKmh };
}

/** True when two places lie within `radiusKm` of each other. */
export function isNear(a: Place, b: Place, radiusKm: number): boolean {
  return distanceKm(a, b) <= radiusKm;
}

/**
 * The key a learned place is stored under: country and a cell of about 100 km. Two near places can fall into
 * neighbouring cells, so whether a place is known is asked with {@link isNear}, never by comparing keys.
 */
export function clusterKey(place: Place): string {
  const kmPerDegree = (Math.PI * EARTH_RADIUS_KM) / 180;
  const rows = Math.round((180 * kmPerDegree) / 100);
  const row = Math.min(rows - 1, Math.floor(((place.latitude + 90) / 180) * rows));
  const middle = radians(((row + 0.5) / rows) * 180 - 90);
  const columns = Math.max(1, Math.round((360 * kmPerDegree * Math.cos(middle)) / 100));
  const column = Math.min(columns - 1, Math.floor(((place.longitude + 180) / 360) * columns));
  return `${place.country ?? '--'}:${row}:${column}`;
}

/** A radius that is missing, negative or no number is unknown. */
function accuracyKm(place: Place, limits: TravelLimits): number {
  const given = place.accuracyKm;
  return given !== undefined && Number.isFinite(given) && given >= 0 ? given : limits.defaultAccuracyKm;
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

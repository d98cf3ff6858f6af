import type { Place } from '../domain/geo.ts';
import { isNonPublic, networkKey } from '../domain/network.ts';

/** What kind of network an address belongs to, where its place says little about where the person is. */
export type NetworkFlag = 'vpn' | 'relay' | 'tor' | 'hosting' | 'satellite';

export type GeoPlace = Place & {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** ISO 3166-2. */
  readonly region?: string;
  /** Radius in kilometres that the place is known to. */
  readonly accuracyKm: number;
  /** IANA time zone. */
  readonly timeZone?: string;
  readonly flags: readonly NetworkFlag[];
};

/** `private` and `not_found` are answers; `invalid` is no address; `failed` is a source that did not answer. */
export type GeoUnknownReason = 'private' | 'not_found' | 'invalid' | 'failed';

export type GeoLookup = { readonly place: GeoPlace } | { readonly unknown: GeoUnknownReason };

/** Where an IP address is. A missing answer is an answer, so that risk rules can count it; nothing throws. */
export type GeoPort = {
  lookup(ip: string): GeoLookup;
};

/** The documentation networks (RFC 5737), given places of their own so that travel can be shown without real data. */
const DOCUMENTATION_PLACES: ReadonlyMap<string, GeoPlace> = new Map([
  ['192.0.2.0/24', city('DE', 'DE-BE', 52.52, 13.405, 'Europe/Berlin')],
  ['198.51.100.0/24', city('US', 'US-NY', 40.7128, -74.006, 'America/New_York')],
  ['203.0.113.0/24', city('JP', 'JP-13', 35.6762, 139.6503, 'Asia/Tokyo')],
]);

/**
 * A geo port over a fixed table of networks.
 *
 * @param places by network: `a.b.c.0/24`, or an IPv6 /48 as `networkKey` writes it
 */
export function createStaticGeoPort(places: ReadonlyMap<string, GeoPlace> = DOCUMENTATION_PLACES): GeoPort {
  return {
    lookup(ip) {
      const network = networkKey(ip);
      if (network === null) return { unknown: 'invalid' };
      const place = places.get(network);
      if (place) return { place };
      return { unknown: isNonPublic(ip) ? 'private' : 'not_found' };
    },
  };
}

function city(country: string, region: string, latitude: number, longitude: number, timeZone: string): GeoPlace {
  return { country, region, latitude, longitude, accuracyKm: 20, timeZone, flags: [] };
}

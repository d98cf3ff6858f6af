import { describe, expect, it } from 'vitest';
import { createStaticGeoPort } from '../../platform/geo-port.ts';

const geo = createStaticGeoPort();

describe('the static place table', () => {
  it.each([
    ['192.0.2.1', 'DE', 'Europe/Berlin'],
    ['192.0.2.255', 'DE', 'Europe/Berlin'],
    ['198.51.100.7', 'US', 'America/New_York'],
    ['203.0.113.9', 'JP', 'Asia/Tokyo'],
  ])('places %s in %s', (ip, country, timeZone) => {
    expect(geo.lookup(ip)).toMatchObject({ place: { country, timeZone, accuracyKm: 20, flags: [] } });
  });

  it('reads an IPv4-mapped IPv6 address as the IPv4 address, however it is written', () => {
    expect(geo.lookup('::ffff:192.0.2.1')).toEqual(geo.lookup('192.0.2.1'));
    expect(geo.lookup('::FFFF:c000:201')).toEqual(geo.lookup('192.0.2.1'));
    expect(geo.lookup('::ffff:127.0.0.1')).toEqual({ unknown: 'private' });
  });

  it('gives every place real coordinates and a time zone that exists', () => {
    for (const ip of ['192.0.2.1', '198.51.100.1', '203.0.113.1']) {
      const found = geo.lookup(ip);
      if (!('place' in found)) throw new Error(`no place for ${ip}`);
      expect(Math.abs(found.place.latitude)).toBeGreaterThan(30);
      expect(Math.abs(found.place.longitude)).toBeGreaterThan(10);
      expect(() => new Intl.DateTimeFormat('en', { timeZone: found.place.timeZone })).not.toThrow();
    }
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    '::1',
    'fe80::1%eth0',
    'fd00::1',
  ])('knows no place of the private address %s', (ip) => {
    expect(geo.lookup(ip)).toEqual({ unknown: 'private' });
  });

  it.each(['192.0.3.1', '192.0.1.255', '8.8.8.8', '2001:4860:4860::8888'])('knows no place of %s', (ip) => {
    expect(geo.lookup(ip)).toEqual({ unknown: 'not_found' });
  });

  it.each(['', 'localhost', '192.0.2', '192.0.2.256', '192.0.02.1', '0xc0000201', '192.0.2.1, 8.8.8.8'])(
    'answers that %j is no address',
    (ip) => {
      expect(geo.lookup(ip)).toEqual({ unknown: 'invalid' });
    },
  );
});

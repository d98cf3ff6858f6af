import { describe, expect, it } from 'vitest';
import { formatIp, isLoopback, isNonPublic, networkKey, parseIp } from '../../domain/network.ts';

describe('network key', () => {
  it.each([
    ['198.51.100.7', '198.51.100.0/24'],
    ['198.51.100.255', '198.51.100.0/24'],
    ['::ffff:198.51.100.7', '198.51.100.0/24'],
    ['::ffff:c633:6407', '198.51.100.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:0:0:0:0:0/48'],
    ['2001:DB8:1::', '2001:db8:1:0:0:0:0:0/48'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:0/48'],
    ['::1', '0:0:0:0:0:0:0:0/48'],
  ])('of %s is %s', (address, key) => {
    expect(networkKey(address)).toBe(key);
  });

  it('takes other prefix lengths', () => {
    expect(networkKey('2001:db8:1:2:3::', 32, 64)).toBe('2001:db8:1:2:0:0:0:0/64');
    expect(networkKey('192.0.2.1', 32, 64)).toBe('192.0.2.1/32');
  });

  it.each([
    '',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::1.2.3',
    '1.2.3.4::',
    ':1:2:3:4:5:6:7',
  ])('of %j does not exist', (text) => {
    expect(networkKey(text)).toBeNull();
  });

  it('reads dotted decimal at the end of an IPv6 address', () => {
    const ip = parseIp('64:ff9b::192.0.2.33');
    expect(ip && formatIp(ip)).toBe('64:ff9b:0:0:0:0:c000:221');
  });
});

describe('public addresses', () => {
  it('are told from private, loopback and reserved ones', () => {
    const nonPublic = [
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '127.0.0.1',
      '169.254.1.1',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      'fd00::1',
      'fe80::1',
      'ff02::1',
      '::ffff:10.0.0.1',
      'nonsense',
    ];
    const pub = [
      '172.32.0.1',
      '100.128.0.1',
      '8.8.8.8',
      '192.0.2.1',
      '198.51.100.1',
      '203.0.113.1',
      '2001:db8::1',
      '::2',
    ];
    expect(nonPublic.filter((address) => !isNonPublic(address))).toEqual([]);
    expect(pub.filter(isNonPublic)).toEqual([]);
  });

  it('loopback is known in every spelling', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'].every(isLoopback)).toBe(true);
    expect(['128.0.0.1', '::2', '::ffff:10.0.0.1', 'x'].some(isLoopback)).toBe(false);
  });
});

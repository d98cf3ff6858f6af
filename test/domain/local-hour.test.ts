import { describe, expect, it } from 'vitest';
import { isTimeZone, localTime } from '../../domain/local-time.ts';

const at = (iso: string) => Date.parse(iso) * 1000;
const berlin = (iso: string) => {
  const { hour, minute } = localTime(at(iso), { profile: 'Europe/Berlin' });
  return `${hour}:${String(minute).padStart(2, '0')}`;
};

describe('local time', () => {
  it('jumps from 01:59 to 03:00 on the spring day', () => {
    expect(berlin('2026-03-29T00:59:59Z')).toBe('1:59');
    expect(berlin('2026-03-29T01:00:00Z')).toBe('3:00');
    expect(berlin('2026-03-29T02:59:59Z')).toBe('4:59');
    expect(berlin('2026-03-29T03:00:00Z')).toBe('5:00');
  });

  it('passes 02:00 twice on the autumn day', () => {
    expect(berlin('2026-10-25T00:00:00Z')).toBe('2:00');
    expect(berlin('2026-10-25T00:59:59Z')).toBe('2:59');
    expect(berlin('2026-10-25T01:00:00Z')).toBe('2:00');
    expect(berlin('2026-10-25T03:59:59Z')).toBe('4:59');
    expect(berlin('2026-10-25T04:00:00Z')).toBe('5:00');
  });

  it('calls midnight hour 0 and knows zones off the full hour', () => {
    expect(berlin('2026-01-01T23:00:00Z')).toBe('0:00');
    expect(localTime(at('2026-01-01T00:00:00Z'), { ip: 'Asia/Kathmandu' })).toMatchObject({ hour: 5, minute: 45 });
  });

  it('takes the first valid zone and says where it is from', () => {
    const zones = { profile: 'Asia/Tokyo', habitual: 'Europe/Berlin', ip: 'America/New_York' };
    expect(localTime(0, zones)).toMatchObject({ source: 'profile', timeZone: 'Asia/Tokyo', hour: 9 });
    expect(localTime(0, { ...zones, profile: 'Mars/Base' }).source).toBe('habitual');
    expect(localTime(0, { ...zones, profile: null, habitual: '' }).source).toBe('ip');
    expect(localTime(0, { profile: undefined })).toEqual({ hour: 0, minute: 0, timeZone: 'UTC', source: 'utc' });
  });

  it('refuses names that are no IANA zones', () => {
    for (const name of ['', '+02:00', 'Europe/Nowhere', '../etc/passwd', 'a'.repeat(100), 'Europe/Berlin\n']) {
      expect(isTimeZone(name), name).toBe(false);
    }
    for (const name of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5']) {
      expect(isTimeZone(name), name).toBe(true);
    }
  });
});

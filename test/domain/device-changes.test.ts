import { describe, expect, it } from 'vitest';
import {
  assessDevice,
  changedClasses,
  type DeviceParts,
  impossibleChanges,
  normaliseDevice,
  signatureText,
} from '../../domain/device.ts';

const LAPTOP: DeviceParts = {
  browserFamily: 'Chrome',
  osFamily: 'Windows',
  screen: { width: 1920, height: 1080, colorDepth: 24 },
  timezone: 'Europe/Berlin',
  platform: 'Win32',
  plugins: ['PDF Viewer', 'Chrome PDF Viewer'],
};
const device = (parts: Partial<DeviceParts> = {}) => normaliseDevice({ ...LAPTOP, ...parts });
const on = (osFamily: string, platform = '', browserFamily = 'Chrome') => device({ osFamily, platform, browserFamily });

describe('device signature', () => {
  it('is the same however the parts are spelled, ordered or turned', () => {
    const same = device({
      browserFamily: ' CHROME ',
      screen: { width: 1080, height: 1920, colorDepth: 24 },
      plugins: ['chrome pdf viewer', 'PDF Viewer', 'PDF Viewer', ''],
      platform: 'whatever',
    });
    expect(signatureText(same)).toBe(signatureText(device()));
    expect(on('macOS').os).toBe(on('Mac OS X').os);
  });

  it('differs when any part differs', () => {
    const others = [
      device({ browserFamily: 'Firefox' }),
      device({ osFamily: 'Linux' }),
      device({ screen: { width: 1920, height: 1200, colorDepth: 24 } }),
      device({ screen: { width: 1920, height: 1080, colorDepth: 30 } }),
      device({ timezone: 'Asia/Tokyo' }),
      device({ plugins: [] }),
      device({ plugins: ['PDF Viewer,Chrome PDF Viewer'] }),
    ];
    const texts = new Set([device(), ...others].map(signatureText));
    expect(texts.size).toBe(others.length + 1);
  });
});

describe('device changes', () => {
  it('[D4] are found for resolution, timezone, browser and operating system', () => {
    const changed = (parts: Partial<DeviceParts>) => changedClasses(device(), device(parts));
    expect(changed({})).toEqual([]);
    expect(changed({ screen: { width: 800, height: 600, colorDepth: 24 } })).toEqual(['resolution']);
    expect(changed({ timezone: 'Asia/Tokyo' })).toEqual(['timezone']);
    expect(changed({ browserFamily: 'Edge', osFamily: 'Linux' })).toEqual(['browser', 'os']);
    expect(changed({ plugins: [] })).toEqual([]);
  });

  it('are impossible between a desktop and a phone, and between two phone systems', () => {
    for (const [before, after] of [
      ['Windows', 'Android'],
      ['iOS', 'Windows'],
      ['Android', 'iOS'],
      ['macOS', 'Android'],
    ]) {
      expect(impossibleChanges(on(before ?? ''), on(after ?? '')), `${before} -> ${after}`).toEqual([
        'form_factor_changed',
      ]);
    }
  });

  it('are possible by desktop mode, by dual boot, and where a system is unknown', () => {
    const pairs = [
      ['Android', 'Linux'],
      ['macOS', 'iOS'],
      ['Windows', 'Linux'],
      ['Windows', 'FreeBSD'],
      ['iOS', 'iPadOS'],
    ];
    for (const [before, after] of pairs) {
      expect(impossibleChanges(on(before ?? ''), on(after ?? '')), `${before} -> ${after}`).toEqual([]);
    }
  });

  it('are impossible where the platform or browser contradicts the operating system', () => {
    expect(impossibleChanges(null, on('iOS', 'Win32'))).toEqual(['platform_contradiction']);
    expect(impossibleChanges(null, on('Windows', 'Linux x86_64'))).toEqual(['platform_contradiction']);
    expect(impossibleChanges(null, on('Windows', 'Win32', 'Safari'))).toEqual(['browser_os_contradiction']);
    for (const [os, platform] of [
      ['Android', 'Linux armv8l'],
      ['iOS', 'MacIntel'],
      ['macOS', 'iPhone'],
      ['Windows', ''],
    ]) {
      expect(impossibleChanges(null, on(os ?? '', platform)), `${os} on ${platform}`).toEqual([]);
    }
  });
});

describe('device finding', () => {
  it('is known by cookie or signature, changed by cookie, else unknown', () => {
    const none = { byCookie: null, bySignature: false };
    expect(assessDevice(device(), { ...none, byCookie: device() }).kind).toBe('known');
    expect(assessDevice(device(), { ...none, bySignature: true }).kind).toBe('known');
    expect(assessDevice(device(), none)).toEqual({ kind: 'unknown', changed: [], impossible: [] });
    expect(assessDevice(device({ timezone: 'Asia/Tokyo' }), { byCookie: device(), bySignature: true })).toEqual({
      kind: 'changed',
      changed: ['timezone'],
      impossible: [],
    });
  });

  it('calls a stolen cookie on a phone impossible', () => {
    expect(assessDevice(on('Android', 'Linux armv8l'), { byCookie: device(), bySignature: false })).toMatchObject({
      kind: 'changed',
      impossible: ['form_factor_changed'],
    });
  });
});

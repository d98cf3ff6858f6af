import { describe, expect, it } from 'vitest';
import type { DeviceFinding } from '../../domain/device.ts';
import { assertNextStep, freezes, loginIndicators, nextStep, RECOVERY_STEPS } from '../../domain/restriction.ts';

const known: DeviceFinding = { kind: 'known', changed: [], impossible: [] };

describe('compromise indicators', () => {
  it('[P6] freeze with two different kinds, never with one kind twice', () => {
    expect(freezes([])).toBe(false);
    expect(freezes(['impossible_travel', 'impossible_travel'])).toBe(false);
    expect(freezes(['impossible_travel', 'factor_exhausted'])).toBe(true);
  });

  it('[D10] of a device are one finding, from the third changed class on', () => {
    const of = (device: DeviceFinding) => loginIndicators({ device, impossibleTravel: false, denied: false });
    expect(of(known)).toEqual([]);
    expect(of({ kind: 'changed', changed: ['resolution', 'timezone'], impossible: [] })).toEqual([]);
    expect(of({ kind: 'changed', changed: ['resolution', 'timezone', 'os'], impossible: [] })).toEqual([
      'device_replaced',
    ]);
    expect(
      of({ kind: 'changed', changed: ['resolution', 'browser', 'os'], impossible: ['form_factor_changed'] }),
    ).toEqual(['impossible_device_change']);
    expect(of({ kind: 'unknown', changed: [], impossible: [] })).toEqual([]);
  });

  it('[P6] count a denied login only where nothing finer explains it: no event is its own second witness', () => {
    expect(loginIndicators({ device: known, impossibleTravel: false, denied: true })).toEqual(['login_escalated']);
    expect(loginIndicators({ device: known, impossibleTravel: true, denied: true })).toEqual(['impossible_travel']);
    expect(loginIndicators({ device: known, impossibleTravel: false, denied: false })).toEqual([]);
  });
});

describe('a recovery', () => {
  it('[P6] has one next step at a time, and none when all are done', () => {
    RECOVERY_STEPS.forEach((step, index) => {
      const done = RECOVERY_STEPS.slice(0, index);
      expect(nextStep(done)).toBe(step);
      for (const other of RECOVERY_STEPS) {
        const ask = () => assertNextStep(done, other);
        if (other === step) expect(ask).not.toThrow();
        else expect(ask).toThrow('recovery_out_of_order');
      }
    });
    expect(nextStep(RECOVERY_STEPS)).toBeNull();
    expect(() => assertNextStep(RECOVERY_STEPS, 'restored')).toThrow('recovery_out_of_order');
  });
});

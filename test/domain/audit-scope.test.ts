import { describe, expect, it } from 'vitest';
import { coverageOf, incrementalStart, isFullDue, type VerifiedRecord } from '../../domain/audit-scope.ts';

const at = (hour: number) => new Date(Date.UTC(2026, 10, 1, hour)).toISOString();

function ran(hour: number, given: Partial<VerifiedRecord>): VerifiedRecord {
  const period = { startedAt: at(hour), endedAt: at(hour + 0.5) };
  return { mode: 'full', from: 0, to: 10, isValid: true, firstInvalidSeq: null, ...period, ...given };
}

describe('what past verifications cover', () => {
  it('grows by runs that go on where another ended', () => {
    const records = [ran(1, {}), ran(2, { mode: 'incremental', from: 8, to: 14 })];
    expect(coverageOf(records)).toEqual({ size: 14, fullAt: at(1) });
  });

  it('does not grow by one that went on behind what is known, nor by a range that does not begin the log', () => {
    expect(coverageOf([ran(1, { mode: 'incremental', from: 5, to: 9 })])).toEqual({ size: 0, fullAt: null });
    expect(coverageOf([ran(1, {}), ran(2, { mode: 'incremental', from: 11, to: 20 })]).size).toBe(10);
    expect(coverageOf([ran(1, {}), ran(2, { mode: 'range', from: 10, to: 20 })]).size).toBe(10);
    expect(coverageOf([ran(1, { mode: 'range', to: 6 })])).toEqual({ size: 6, fullAt: null });
  });

  it('ends at a fault, until a run that began after it was found went past it', () => {
    const fault = ran(3, { isValid: false, firstInvalidSeq: 4, to: 12 });
    expect(coverageOf([ran(1, {}), fault])).toEqual({ size: 4, fullAt: null });
    const later = ran(5, { mode: 'incremental', from: 4, to: 13 });
    expect(coverageOf([ran(1, {}), fault, later])).toEqual({ size: 13, fullAt: null });
    expect(coverageOf([ran(1, {}), fault, ran(6, { to: 15 })])).toEqual({ size: 15, fullAt: at(6) });
    // It was under way when the fault was found, and may have passed the place before.
    const long = ran(2, { to: 11, endedAt: at(8) });
    expect(coverageOf([ran(1, {}), fault, long])).toEqual({ size: 4, fullAt: null });
  });

  it('is nothing after a fault that has no place', () => {
    expect(coverageOf([ran(1, {}), ran(2, { isValid: false, firstInvalidSeq: null })]).size).toBe(0);
  });

  it('lets a run go on at the longest checkpoint within, and at none beyond', () => {
    expect(incrementalStart({ size: 10, fullAt: null }, [3, 9, 10, 11])).toBe(10);
    expect(incrementalStart({ size: 10, fullAt: null }, [11])).toBe(0);
    expect(incrementalStart({ size: 0, fullAt: null }, [])).toBe(0);
  });

  it('has to be gone through again once a day, by the start of the last run of all', () => {
    const last = { size: 10, fullAt: at(1) };
    expect(isFullDue(last, Date.parse(at(24)))).toBe(false);
    expect(isFullDue(last, Date.parse(at(25)))).toBe(true);
    expect(isFullDue(last, Date.parse(at(0)))).toBe(true);
    expect(isFullDue({ size: 10, fullAt: null }, Date.parse(at(2)))).toBe(true);
    expect(isFullDue({ size: 10, fullAt: 'nonsense' }, Date.parse(at(2)))).toBe(true);
  });
});

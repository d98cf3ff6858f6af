import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBankAccount, parseEin, parseItin, parsePhone, parseSsn } from '../../domain/pii.ts';

describe('[F1] [F2] [F3] numbers are brought to one spelling, and what was never issued is refused', () => {
  it.each([
    [parseSsn, '536-90-4399', '536904399'],
    [parseSsn, ' 536904399 ', '536904399'],
    [parseSsn, '899-99-9999', '899999999'],
    [parseSsn, '000-12-3456', undefined],
    [parseSsn, '666-12-3456', undefined],
    [parseSsn, '900-12-3456', undefined],
    [parseSsn, '536-00-4399', undefined],
    [parseSsn, '536-90-0000', undefined],
    [parseItin, '912-50-1234', '912501234'],
    [parseItin, '912-65-1234', '912651234'],
    [parseItin, '912-66-1234', undefined],
    [parseItin, '912-89-1234', undefined],
    [parseItin, '912-93-1234', undefined],
    [parseItin, '812-70-1234', undefined],
    [parseEin, '123456789', '12-3456789'],
    [parseEin, '12-3456789', '12-3456789'],
    [parseEin, '00-1234567', undefined],
    [parseEin, '97-1234567', undefined],
    [parseBankAccount, '4000 1234 5678', '400012345678'],
    [parseBankAccount, 'DE89 3704 0044 0532 0130 00', 'DE89370400440532013000'],
    [parseBankAccount, 'DE89 3704 0044 0532 0130 01', undefined],
    [parseBankAccount, '1234', undefined],
    [parsePhone, '+1 (415) 555-0123', '+14155550123'],
    [parsePhone, '0415 555 0123', undefined],
  ])('%o of %j is %j', (parse, given, expected) => {
    expect(parse(given)).toBe(expected);
  });

  it('an accepted spelling is accepted again as it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{9}$/), (digits) => {
        for (const parse of [parseSsn, parseItin, parseEin]) {
          const once = parse(digits);
          if (once !== undefined) expect(parse(once)).toBe(once);
        }
      }),
    );
  });

  it('no number is both an SSN and an ITIN', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{9}$/), (digits) => {
        expect(parseSsn(digits) !== undefined && parseItin(digits) !== undefined).toBe(false);
      }),
    );
  });
});

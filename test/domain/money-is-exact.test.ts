import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareWithAverage,
  currencyExponent,
  formatAmount,
  formatPrice,
  MAX_INT64,
  multiplyHalfEven,
  parseAmount,
  parsePrice,
  parseQuantity,
  tradeAmount,
} from '../../domain/money.ts';

describe('amounts', () => {
  it.each([
    ['0.01', 2, 1n],
    ['1', 2, 100n],
    ['10000.00', 2, 1_000_000n],
    ['10000.5', 2, 1_000_050n],
    ['999999999999999.99', 2, 99_999_999_999_999_999n],
    ['7', 0, 7n],
    ['1.234', 3, 1234n],
  ])('reads %s with %i fraction digits as %s minor units', (text, exponent, minor) => {
    expect(parseAmount(text, exponent)).toBe(minor);
  });

  it.each([
    '',
    '0',
    '0.00',
    '-1',
    '+1',
    '01',
    '1.',
    '.5',
    '1.234',
    '1e3',
    '1,000',
    ' 1',
    '1\n',
    '0x10',
    '١',
    'NaN',
    'Infinity',
    '1000000000000000',
  ])('refuses %j as dollars', (text) => {
    expect(() => parseAmount(text, 2)).toThrow(expect.objectContaining({ code: 'amount_invalid' }));
  });

  it('refuses fraction digits a currency does not have', () => {
    expect(() => parseAmount('1.0', currencyExponent('JPY'))).toThrow();
  });

  it('refuses a price whose ten-thousandths do not fit 64 bits', () => {
    expect(parsePrice('922337203685477.5807')).toBe(MAX_INT64);
    expect(() => parsePrice('922337203685477.5808')).toThrow(expect.objectContaining({ code: 'amount_invalid' }));
  });

  it('refuses an unknown currency, also one named like an object member', () => {
    expect(() => currencyExponent('XXX')).toThrow(expect.objectContaining({ code: 'currency_unsupported' }));
    expect(() => currencyExponent('constructor')).toThrow(expect.objectContaining({ code: 'currency_unsupported' }));
  });

  it('prints what it read, for every amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 99_999_999_999_999_999n }), fc.constantFrom(0, 2, 3), (minor, exponent) => {
        fc.pre(minor < 10n ** BigInt(15 + exponent));
        expect(parseAmount(formatAmount(minor, exponent), exponent)).toBe(minor);
      }),
    );
    expect(formatAmount(-5n, 2)).toBe('-0.05');
    expect(formatAmount(0n, 2)).toBe('0.00');
    expect(formatAmount(12n, 0)).toBe('12');
    expect(formatPrice(1_234_567n)).toBe('123.4567');
  });
});

describe('quantities', () => {
  it('takes up to 12 integer and 6 fraction digits above zero', () => {
    expect(parseQuantity('0.000001')).toBe(1n);
    expect(parseQuantity('999999999999.999999')).toBe(999_999_999_999_999_999n);
    for (const text of ['0', '0.000000', '1000000000000', '0.0000001', '-1', '1.', '']) {
      expect(() => parseQuantity(text), text).toThrow(expect.objectContaining({ code: 'quantity_invalid' }));
    }
  });
});

describe('quantity times price', () => {
  it.each([
    // 0.5 x 0.01 = 0.005: half, to even 0.00; 1.5 x 0.01 = 0.015: to even 0.02; 2.5 x 0.01 = 0.025: to even 0.02
    ['0.5', '0.01', 0n],
    ['1.5', '0.01', 2n],
    ['2.5', '0.01', 2n],
    ['0.500001', '0.01', 1n],
    ['3', '19.9999', 6000n],
  ])('%s x %s is %s cents', (quantity, price, cents) => {
    expect(multiplyHalfEven(parseQuantity(quantity), parsePrice(price), 2)).toBe(cents);
  });

  it('is never further than half a minor unit from the exact product', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 0n, max: 10n ** 9n }), (q, p) => {
        const twiceError = 2n * (multiplyHalfEven(q, p, 2) * 10n ** 8n - q * p);
        expect(twiceError <= 10n ** 8n && twiceError >= -(10n ** 8n)).toBe(true);
      }),
    );
  });

  it('refuses a trade that rounds to nothing or overflows', () => {
    expect(() => tradeAmount(1n, 100n, 2)).toThrow(expect.objectContaining({ code: 'amount_too_small' }));
    expect(() => tradeAmount(10n ** 18n, MAX_INT64, 2)).toThrow(expect.objectContaining({ code: 'amount_too_large' }));
  });
});

describe('comparison with a multiple of an average', () => {
  it('is exact where a division would round', () => {
    // average of 100 and 101 is 100.5, twice that is 201
    expect(compareWithAverage(201n, 2n, 201n, 2)).toBe(0);
    expect(compareWithAverage(200n, 2n, 201n, 2)).toBe(-1);
    expect(compareWithAverage(202n, 2n, 201n, 2)).toBe(1);
    expect(() => compareWithAverage(1n, 2n, 0n, 0)).toThrow(RangeError);
  });
});

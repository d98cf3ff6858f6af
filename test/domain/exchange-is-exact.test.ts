import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  convert,
  formatRate,
  heldWithoutRate,
  isCertain,
  parseRate,
  rateReasons,
  type Valuation,
  valueInBase,
} from '../../domain/exchange.ts';
import { CURRENCY_EXPONENTS, type Currency } from '../../domain/money.ts';
import { hasError } from '../../domain/risk/reasons.ts';

const currencies = fc.constantFrom(...(Object.keys(CURRENCY_EXPONENTS) as Currency[]));
const amounts = fc.bigInt({ min: 0n, max: 10n ** 12n });
const rates = fc.bigInt({ min: 1n, max: 10n ** 13n });

describe('conversion', () => {
  it.each([
    ['100.00 EUR at 1.0842', 10_000n, '1.0842', 'EUR', 'USD', 10_842n],
    ['half a cent goes to the even cent below', 1n, '0.5', 'EUR', 'USD', 0n],
    ['half a cent goes to the even cent above', 3n, '0.5', 'EUR', 'USD', 2n],
    ['just above half goes up', 1n, '0.5000000001', 'EUR', 'USD', 1n],
    ['yen have no minor unit', 15_000n, '0.0067', 'JPY', 'USD', 10_050n],
    ['into yen', 10_000n, '148.25', 'USD', 'JPY', 14_825n],
    ['dinars have three digits', 1_234n, '2.6525', 'BHD', 'USD', 327n],
    ['into dinars', 10_000n, '0.377', 'USD', 'BHD', 37_700n],
  ])('%s', (_what, amount, rate, from, to, expected) => {
    expect(convert(amount, parseRate(rate), from, to)).toBe(expected);
  });

  it('is the nearest minor unit, and the even one where two are as near', () => {
    fc.assert(
      fc.property(amounts, rates, currencies, currencies, (amount, rate, from, to) => {
        const got = convert(amount, rate, from, to);
        // Over one denominator: twice the distance never exceeds it, and equals it only for an even result.
        const exact = amount * rate * 10n ** BigInt(CURRENCY_EXPONENTS[to]);
        const unit = 10n ** BigInt(10 + CURRENCY_EXPONENTS[from]);
        const twice = 2n * (exact > got * unit ? exact - got * unit : got * unit - exact);
        expect(twice <= unit).toBe(true);
        if (twice === unit) expect(got % 2n).toBe(0n);
      }),
    );
  });

  it('at one to one between currencies of as many digits changes nothing, and more never becomes less', () => {
    fc.assert(
      fc.property(amounts, amounts, rates, (a, b, rate) => {
        expect(convert(a, parseRate('1'), 'EUR', 'USD')).toBe(a);
        const [less, more] = a < b ? [a, b] : [b, a];
        expect(convert(less, rate, 'JPY', 'KWD') <= convert(more, rate, 'JPY', 'KWD')).toBe(true);
      }),
    );
  });

  it('refuses what does not fit 64 bits', () => {
    expect(() => convert(10n ** 18n, parseRate('1000'), 'EUR', 'USD')).toThrow(
      expect.objectContaining({ code: 'amount_too_large' }),
    );
  });
});

describe('rates', () => {
  it('are read and written to the last of ten digits', () => {
    fc.assert(
      fc.property(rates, (rate) => {
        expect(parseRate(formatRate(rate))).toBe(rate);
      }),
    );
  });
  it.each(['0', '0.0000000000', '-1', '1.00000000001', '1e3', ' 1', '01', ''])('refuses %j', (text) => {
    expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: 'amount_invalid' }));
  });
});

describe('what is let through without a person', () => {
  const rules = { baseCurrency: 'USD', maxAgeMs: 26 * 3_600_000 };
  const rate = (ageMs: number) => ({ rate: parseRate('1.1'), at: '2026-01-05T12:00:00Z', ageMs });
  const value = (currency: string, ageMs?: number): Valuation =>
    valueInBase(10_000n, currency, ageMs === undefined ? undefined : rate(ageMs), rules);

  it('the base itself, and any amount at a rate that is at most as old as allowed', () => {
    expect(value('USD')).toEqual({ standing: 'base', amount: 10_000n, rate: null });
    expect(value('EUR', rules.maxAgeMs)).toMatchObject({ standing: 'current', amount: 11_000n });
    expect(value('EUR', rules.maxAgeMs + 1)).toMatchObject({ standing: 'stale', amount: 11_000n });
    expect(value('EUR')).toEqual({ standing: 'none', amount: null, rate: null });
    expect([value('USD'), value('EUR', 0), value('EUR', rules.maxAgeMs + 1), value('EUR')].map(isCertain)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('anything else is held, and nobody is spared the proof they would have had to give', () => {
    const actions = ['settle', 'step_up', 'quarantine', 'step_up_then_quarantine'] as const;
    expect(actions.map((action) => heldWithoutRate(action, value('EUR', 0)))).toEqual(actions);
    expect(actions.map((action) => heldWithoutRate(action, value('EUR')))).toEqual([
      'quarantine',
      'step_up_then_quarantine',
      'quarantine',
      'step_up_then_quarantine',
    ]);
  });

  it('says so in a reason that is an error and scores nothing', () => {
    expect(rateReasons(value('USD'), 'USD', rules.maxAgeMs)).toEqual([]);
    const [stale] = rateReasons(value('EUR', 100_000_999), 'EUR', rules.maxAgeMs);
    expect(stale).toMatchObject({ ruleId: 'exchange_rate', value: 100_000, threshold: 93_600, points: 0 });
    const none = rateReasons(value('EUR'), 'EUR', rules.maxAgeMs);
    expect(none[0]?.value).toBe('none');
    expect(hasError(none)).toBe(true);
  });
});

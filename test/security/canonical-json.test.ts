import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CanonicalJsonError, canonicalJson, type JsonValue } from '../../security/canonical-json.ts';

describe('canonical JSON', () => {
  it('gives the bytes of RFC 8785 section 3.2.2, all but the number 1E30', () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(input))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it('sorts keys by UTF-16 code units, as RFC 8785 section 3.2.3 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toEqual([
      'One',
      'Carriage Return',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
    expect(canonicalJson(value).indexOf('Carriage')).toBeLessThan(canonicalJson(value).indexOf('One'));
  });

  it('does not depend on the order in which keys were written', () => {
    expect(canonicalJson({ b: 1, a: { d: 2, c: 3 } })).toBe(canonicalJson({ a: { c: 3, d: 2 }, b: 1 }));
  });

  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  it.each<[string, unknown, string]>([
    ['NaN', { a: [1, Number.NaN] }, '/a/1'],
    ['infinity', { a: -Infinity }, '/a'],
    ['an integer beyond 2^53 - 1', { amount: 2 ** 53 }, '/amount'],
    ['1E30', { amount: 1e30 }, '/amount'],
    ['a lone surrogate', { 'a/b': 'x\ud800' }, '/a~1b'],
    ['a lone surrogate in a key', { x: { '\udc00': 1 } }, '/x'],
    ['U+0000', { text: 'a\u0000b' }, '/text'],
    ['undefined', { a: undefined }, '/a'],
    ['undefined in an array', [1, undefined], '/1'],
    ['a hole', { a: new Array(1) }, '/a/0'],
    ['a BigInt', { a: 1n }, '/a'],
    ['a function', { a: () => 1 }, '/a'],
    ['a Date', { at: new Date(0) }, '/at'],
    ['a Map', new Map(), ''],
    ['toJSON', { a: { toJSON: () => 1 } }, '/a'],
    ['a symbol key', { [Symbol('s')]: 1 }, ''],
    ['undefined at the top', undefined, ''],
  ])('refuses %s and says where', (_, value, path) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ path }));
  });

  it('refuses a cycle instead of running for ever', () => {
    expect(() => canonicalJson(cycle)).toThrow(CanonicalJsonError);
  });

  it('gives text that parses back to the same value, and the text of another implementation, whatever the value', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\u0000') && one !== '__proto__');
    const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map((n) => (n === 0 ? 0 : n)),
        text,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(text, tie('value'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (one) => {
        const text = canonicalJson(one);
        expect(JSON.parse(text)).toEqual(one);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalize(one)).toBe(text);
      }),
    );
  });

  it.each([
    ['spaces', '{"a": 1}'],
    ['another order', '{"b":1,"a":2}'],
    ['a repeated key', '{"a":1,"a":2}'],
    ['another number', '{"a":1.0}'],
    ['an escape', '{"a":"\\u0041"}'],
  ])('writes no text with %s', (_, text) => {
    expect(canonicalJson(JSON.parse(text))).not.toBe(text);
  });
});

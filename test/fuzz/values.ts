import fc from 'fast-check';
import type { JsonSchema } from '../../api/openapi-document.ts';
import { type FollowedDocument, namedSchema } from '../helpers/api-document.ts';

type Json = unknown;

/** Strings that programs have stumbled over. */
const NASTY_STRINGS = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  'null',
  '-1',
  '1e400',
  '9999999999999999999999',
  '../../etc/passwd',
  '%00%ff',
  "'; drop table app_user; --",
  '{{7*7}}',
  '2026-02-30T25:61:61Z',
  '1 \u202e\u0301\ufdfa',
  'x'.repeat(5_000),
  '__proto__',
];
const NASTY_VALUES: readonly Json[] = [
  null,
  true,
  -1,
  0.1,
  1e21,
  2 ** 53,
  -0,
  [],
  {},
  [[[[[]]]]],
  { __proto__: null, constructor: {} },
];

const nastyString = fc.oneof(fc.constantFrom(...NASTY_STRINGS), fc.string({ unit: 'binary', maxLength: 40 }));
const nastyValue: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(...NASTY_VALUES),
  nastyString,
  fc.jsonValue({ maxDepth: 3 }),
);

/** Values that a JSON Schema of the document describes, as far as its keywords there go. */
export function validValue(given: JsonSchema, document: FollowedDocument): fc.Arbitrary<Json> {
  const schema = namedSchema(given, document);
  if (Array.isArray(schema.examples)) {
    const { examples, ...rest } = schema;
    return fc.oneof(fc.constantFrom(...(examples as Json[])), validValue(rest, document));
  }
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as Json[]));
  const choices = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => validValue(choice, document)));
  switch (schema.type) {
    case 'object':
      return validObject(schema, document);
    case 'array':
      return fc.array(validValue((schema.items ?? {}) as JsonSchema, document), {
        minLength: Number(schema.minItems ?? 0),
        maxLength: Math.min(Number(schema.maxItems ?? 4), Number(schema.minItems ?? 0) + 4),
      });
    case 'string':
      return validString(schema);
    case 'integer':
      return fc.integer({
        min: Math.max(Number(schema.minimum ?? -1_000), -1e9),
        max: Math.min(Number(schema.maximum ?? 1_000_000), 1e9),
      });
    case 'number':
      return fc.double({ min: Number(schema.minimum ?? -1e6), max: Number(schema.maximum ?? 1e6), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function validObject(schema: JsonSchema, document: FollowedDocument): fc.Arbitrary<Json> {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, JsonSchema>; required?: string[] };
  const members = Object.entries(properties).map(([name, property]) => [name, validValue(property, document)] as const);
  return fc.record(Object.fromEntries(members), { requiredKeys: required, noNullPrototype: true });
}

const BY_FORMAT: Readonly<Record<string, fc.Arbitrary<string>>> = {
  uuid: fc.uuid(),
  'date-time': fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
    .map((date) => date.toISOString()),
  date: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
    .map((date) => date.toISOString().slice(0, 10)),
  email: fc.stringMatching(/^[a-z]{1,12}@example\.com$/),
  uri: fc.webUrl(),
};

function validString({ format, pattern, minLength = 0, maxLength }: JsonSchema): fc.Arbitrary<string> {
  if (typeof format === 'string' && BY_FORMAT[format] !== undefined) return BY_FORMAT[format];
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern), { size: 'small' });
  const longest = Math.min(Number(maxLength ?? 60), Number(minLength) + 60);
  return fc.string({ unit: 'grapheme-ascii', minLength: Number(minLength), maxLength: longest });
}

/** Values that a schema describes, or nearly: with one member wrong, missing or too many; or something else altogether. */
export function anyValue(schema: JsonSchema, document: FollowedDocument): fc.Arbitrary<Json> {
  const valid = validValue(schema, document);
  return fc.oneof(
    { arbitrary: valid, weight: 4 },
    {
      arbitrary: fc.tuple(valid, fc.nat(), nastyValue).map(([value, at, wrong]) => withOneWrong(value, at, wrong)),
      weight: 4,
    },
    { arbitrary: nastyValue, weight: 1 },
  );
}

/** Puts `wrong` in the place of one member, however deep; one place more than there are is a member that nobody knows. */
function withOneWrong(value: Json, at: number, wrong: Json): Json {
  if (typeof value !== 'object' || value === null) return wrong;
  const keys = Object.keys(value);
  const chosen = keys[at % (keys.length + 1)];
  if (Array.isArray(value)) {
    return chosen === undefined ? [...value, wrong] : value.with(Number(chosen), wrong);
  }
  if (chosen === undefined) return { ...value, unknown: wrong };
  const { [chosen]: old, ...rest } = value as Record<string, Json>;
  if (at % 5 === 0) return rest;
  return { ...rest, [chosen]: at % 3 === 0 ? withOneWrong(old, Math.floor(at / 3), wrong) : wrong };
}

/** Text of a parameter: as its schema says, or anything at all. */
export function anyText(schema: JsonSchema, document: FollowedDocument): fc.Arbitrary<string> {
  return fc.oneof(
    { arbitrary: validValue(schema, document).map(String), weight: 3 },
    { arbitrary: nastyString, weight: 1 },
  );
}

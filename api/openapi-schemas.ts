import { z } from 'zod';
import type { JsonSchema } from './openapi-document.ts';

const REFERENCE = '#/components/schemas/';

/** Turns zod schemas into JSON Schemas, and gathers those that have a name (api/named-schemas.ts). */
export function createSchemaCollector() {
  const named = new Map<string, JsonSchema>();

  function collect(name: string, schema: JsonSchema): void {
    const known = named.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`two schemas are named ${name}, or one is not the same as input and as output`);
    }
    named.set(name, schema);
  }

  return {
    /**
     * @param io which side of the schema's transforms and defaults is meant
     * @returns the schema as it stands in the document: what has a name is referred to
     * @throws Error when two different schemas have one name
     */
    describe(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
      const { $schema: _dialect, $defs = {}, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
      for (const [name, one] of Object.entries($defs as Record<string, JsonSchema>)) collect(name, tidied(one));
      return tidied(rest);
    },
    /** The named ones met so far, by name. */
    components: (): Record<string, JsonSchema> =>
      Object.fromEntries([...named].sort(([one], [other]) => (one < other ? -1 : 1))),
  };
}

export type SchemaCollector = ReturnType<typeof createSchemaCollector>;

/** What the format says already; zod writes it out as a pattern of 400 characters. */
const SAID_BY_FORMAT = new Set<unknown>(['uuid', 'date-time']);

/** References into the document, and without what only says which numbers JavaScript can hold. */
function tidied(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    if (key === '$ref') return String(value).replace('#/$defs/', REFERENCE);
    if (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) return undefined;
    if (key === 'maximum' && value === Number.MAX_SAFE_INTEGER) return undefined;
    if (isFormatted(value)) {
      const { pattern: _said, ...rest } = value;
      return rest;
    }
    return isRecordOfAll(value) ? withMembers(value) : value;
  }) as JsonSchema;
}

const isFormatted = (value: unknown): value is JsonSchema =>
  typeof value === 'object' &&
  value !== null &&
  'pattern' in value &&
  'format' in value &&
  SAID_BY_FORMAT.has(value.format);

interface RecordSchema extends JsonSchema {
  required: string[];
  additionalProperties: JsonSchema;
}

/** A record that has each of a list of names. */
const isRecordOfAll = (value: unknown): value is RecordSchema =>
  typeof value === 'object' && value !== null && 'propertyNames' in value && 'required' in value;

function withMembers({ propertyNames: _names, additionalProperties: member, ...rest }: RecordSchema): JsonSchema {
  const properties = Object.fromEntries(rest.required.map((name) => [name, member]));
  return { ...rest, properties, additionalProperties: false };
}

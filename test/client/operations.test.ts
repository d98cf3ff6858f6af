import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { OPERATIONS } from '../../client/operation-table.ts';
import { type FollowedDocument, followed } from '../helpers/api-document.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { emitOperations, typeOf } from './emit-operations.ts';

let stack: Stack;
let document: FollowedDocument;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  document = followed((await stack.api.get<OpenApiDocument>('/api/openapi.json')).body);
});
afterAll(() => stack?.close());

describe('the operations of the client', () => {
  test('are those of the OpenAPI document, with the types of its schemas', async () => {
    const { schemas, types, table } = emitOperations(document);
    for (const [name, source] of Object.entries(schemas)) {
      await expect(source).toMatchFileSnapshot(`../../client/schemas/${name}.ts`);
    }
    await expect(types).toMatchFileSnapshot('../../client/operations.ts');
    await expect(table).toMatchFileSnapshot('../../client/operation-table.ts');
  });

  test('are all calls under /api, but for pages, streams and webhooks', () => {
    const described = Object.entries(document.paths)
      .filter(([path]) => path.startsWith('/api/'))
      .flatMap(([, methods]) => Object.values(methods).map(({ operationId }) => operationId));
    const known = new Set<string>(Object.keys(OPERATIONS));
    expect(described.filter((name) => !known.has(name)).sort()).toEqual([
      'downloadIncidentEvidence',
      'followEvents',
      'getApiReference',
      'getOpenApi',
      'receiveStripeWebhook',
    ]);
    expect(known.size).toBe(described.length - 5);
  });
});

describe('the type of a schema', () => {
  test.each([
    [{ type: 'string', pattern: '^a$' }, 'string'],
    [{ type: ['integer', 'null'] }, 'number | null'],
    [{ type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } }, '(string | null)[]'],
    [{ type: 'string', enum: ['a', 'b'] }, '"a" | "b"'],
    [{ type: 'string', const: 'x' }, '"x"'],
    [
      { type: 'object', properties: { a: { type: 'boolean' }, 'b-c': {} }, required: ['a'] },
      '{ a: boolean; "b-c"?: unknown | undefined }',
    ],
    [
      { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'number' } },
      'Record<string, number>',
    ],
    [
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: {} },
      '{ a: string; [member: string]: unknown }',
    ],
    [{ type: 'object', properties: {}, additionalProperties: false }, 'Record<string, never>'],
  ])('%j is %s', (schema, type) => expect(typeOf(schema)).toBe(type));

  test('is refused where it would say less than the schema', () => {
    expect(() => typeOf({ allOf: [] })).toThrow('no type is written for allOf');
    expect(() => typeOf({ type: 'object', patternProperties: {} })).toThrow('patternProperties');
  });
});

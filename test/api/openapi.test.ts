import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { type FollowedDocument, followed } from '../helpers/api-document.ts';
import { AUTHORIZATION } from '../helpers/authorization-table.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let document: FollowedDocument;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  document = followed((await stack.api.get<OpenApiDocument>('/api/openapi.json')).body);
});
afterAll(() => stack?.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

test('every operation has a name of its own, a summary and says who may call it', () => {
  const names = operations().map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operation } of operations()) {
    expect(operation.summary).not.toBe('');
    expect(operation.description).toMatch(/^(Needs no session|For: )/);
  }
});

test('every placeholder of a path is a described parameter, and the other way round', () => {
  for (const { path, operation } of operations()) {
    const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = operation.parameters.filter((one) => one.in === 'path').map((one) => one.name);
    expect(described.sort(), path).toEqual(placeholders.sort());
  }
});

test('no call meets two operations: what stands in the place of an id is none', () => {
  const patternOf = ({ path, operation }: ReturnType<typeof operations>[number]) => {
    const isId = (name: string) =>
      operation.parameters.some((one) => one.name === name && one.schema.format === 'uuid');
    const source = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => (isId(name) ? '[0-9a-f-]{36}' : '[^/]+'));
    return new RegExp(`^${source.replaceAll('.', '\\.')}$`);
  };
  const all = operations().map((one) => ({ ...one, pattern: patternOf(one) }));
  for (const { path, method } of all.filter((one) => one.path.includes('{'))) {
    const call = path.replaceAll(/\{\w+\}/g, '00000000-0000-7000-8000-000000000000');
    const met = all.filter((one) => one.method === method && one.pattern.test(call));
    expect(met.map((one) => one.path)).toEqual([path]);
  }
});

test('it describes what validates: an incident is resolved with a text of 1 to 1000 characters', () => {
  const body = document.paths['/api/admin/security/incidents/{incidentId}/resolve']?.post?.requestBody;
  expect(body?.content['application/json']?.schema).toMatchObject({
    type: 'object',
    required: ['resolution'],
    additionalProperties: false,
    properties: { resolution: { type: 'string', minLength: 1, maxLength: 1000 } },
  });
});

test('a signed call names the headers of its signature, and another one only where its body may ask for them', () => {
  const signature = operations().flatMap(({ method, path, operation }) => {
    const found = operation.parameters.filter(({ name }) =>
      /^X-(Signature|Timestamp|Nonce|Algorithm|Key-Id)$/.test(name),
    );
    if (found.length === 0) return [];
    const required = found.filter((one) => one.required).map(({ name }) => name);
    return [[`${method.toUpperCase()} ${path}`, required] as const];
  });
  const expected = Object.entries(AUTHORIZATION).flatMap(([call, { conditions }]) => {
    if (conditions.includes('signed')) return [[call, ['X-Signature', 'X-Timestamp', 'X-Nonce', 'X-Algorithm']]];
    return conditions.includes('signed payout account') ? [[call, []]] : [];
  });
  expect(Object.fromEntries(signature)).toEqual(Object.fromEntries(expected));
});

test('a body that need say nothing may be left out', () => {
  expect(document.paths['/api/signing-keys']?.post?.requestBody?.required).toBe(false);
  expect(document.paths['/api/auth/login']?.post?.requestBody?.required).toBe(true);
});

test('a call without a session is refused exactly where the document asks for one', async () => {
  const id = '00000000-0000-7000-8000-000000000000';
  for (const { path, method, operation } of operations()) {
    if (operation.security.length === 0) continue;
    const url = `${stack.url}${path.replaceAll(/\{\w+\}/g, id)}`;
    const response = await fetch(url, { method: method.toUpperCase() });
    expect(response.status, `${method} ${path}`).toBe(401);
  }
});

test('every answer with an error status is a problem document', () => {
  for (const { path, operation } of operations()) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      if (Number(status) < 400 || path.startsWith('/api/health')) continue;
      expect(Object.keys(content ?? {}), `${path} ${status}`).toEqual(['application/problem+json']);
    }
  }
});

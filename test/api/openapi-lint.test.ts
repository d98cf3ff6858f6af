import { join } from 'node:path';
import { lintFromString, loadConfig } from '@redocly/openapi-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let document: OpenApiDocument;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  document = (await stack.api.get<OpenApiDocument>('/api/openapi.json')).body;
});
afterAll(() => stack?.close());

/** What the linter says of a document, by rule and place. */
async function findingsIn(linted: OpenApiDocument): Promise<string[]> {
  const config = await loadConfig({ configPath: join(import.meta.dirname, '../../.ci/redocly.yaml') });
  const problems = await lintFromString({ source: JSON.stringify(linted), absoluteRef: 'openapi.json', config });
  return problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer ?? '#'}: ${message}`);
}

test('the linter finds nothing in the document', async () => {
  expect(await findingsIn(document)).toEqual([]);
});

test('it would find what nobody describes or uses', async () => {
  const { components, tags } = document;
  const findings = await findingsIn({
    ...document,
    tags: tags.map((tag) => ({ ...tag, description: '' })),
    components: { ...components, schemas: { ...components.schemas, Unused: { type: 'object' } } },
  });
  const rules = findings.map((finding) => finding.split(' ')[0]);
  expect(new Set(rules)).toEqual(new Set(['no-unused-components', 'tag-description']));
});

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { CALLERS, type Cast, createCast } from '../fuzz/cast.ts';
import { createConformance } from '../fuzz/conformance.ts';
import { createCourier } from '../fuzz/courier.ts';
import { documentFor } from '../fuzz/document.ts';
import { lettersTo } from '../fuzz/letters.ts';
import { operationsOf, type PlacedOperation } from '../fuzz/operations.ts';
import { type FollowedDocument, followed } from '../helpers/api-document.ts';
import { inParallel } from '../helpers/persistent-client.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

/** The long form is `npm run fuzz`; FUZZ_SEED and FUZZ_RUNS draw other requests, or more. */
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const RUNS = Number(process.env.FUZZ_RUNS ?? 4);

let stack: Stack;
let cast: Cast;
let document: FollowedDocument;

beforeAll(async () => {
  stack = await createStack({ env: { SECURITY_QUESTIONS: 'additional' } });
  cast = await createCast(stack);
  document = documentFor(followed((await stack.api.get<OpenApiDocument>('/api/openapi.json')).body), cast);
});
afterAll(() => stack?.close());

test.each(CALLERS)(
  'whatever %s sends to whatever route: never a server error, errors are problems, every answer is documented',
  async (caller) => {
    const courier = createCourier({ url: stack.url, cast, caller });
    const conformance = createConformance(document);

    async function findIn(operation: PlacedOperation): Promise<string | undefined> {
      const letters = lettersTo(operation, document);
      let fault: string | undefined;
      const outcome = await fc.check(
        fc.asyncProperty(letters, async (letter) => {
          const found = conformance(operation, await courier(letter));
          fault = found ?? fault;
          return found === undefined;
        }),
        { seed: SEED, numRuns: RUNS },
      );
      if (!outcome.failed) return undefined;
      const [letter] = outcome.counterexample ?? [];
      return `${operation.method} ${operation.path}: ${fault ?? outcome.errorInstance}; sent ${shown(letter)}, path ${outcome.counterexamplePath}`;
    }

    const finds = await inParallel(operationsOf(document), 4, findIn);
    expect(finds.filter((find) => find !== undefined)).toEqual([]);
  },
  120_000,
);

test('found earlier: a body that says it is compressed and is not is told so', async () => {
  const answer = await createCourier({ url: stack.url, cast, caller: 'anonymous' })({
    method: 'POST',
    target: '/api/auth/login',
    headers: ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'],
    body: Buffer.from('{}'),
  });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body.toString()).code).toBe('malformed_body');
});

const shown = (letter: object | undefined) =>
  JSON.stringify(letter, (name, value) => (name === 'body' ? Buffer.from(value).toString() : value));

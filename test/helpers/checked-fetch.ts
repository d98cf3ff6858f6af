import { afterEach, expect } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { type AnswerCheck, createAnswerCheck } from './answer-check.ts';
import { followed } from './api-document.ts';

/**
 * In every test file of the project `servers`: each answer that `fetch` brings from the API of a stack is held against the
 * OpenAPI document, whoever asked: the helpers, the typed client or the test itself. What is not as documented fails the
 * call and, where its error is caught, the test.
 */
const unchecked = globalThis.fetch;
/** What the running test was answered that is not as documented; looked at after each. */
export const answerFaults: string[] = [];
const checks = new Map<string, Promise<AnswerCheck> | undefined>();

/** From now on answers of this origin are checked. */
export function checkAnswersOf(origin: string): void {
  checks.set(origin, undefined);
}

globalThis.fetch = async (input, init) => {
  const response = await unchecked(input, init);
  const { origin, pathname } = new URL(input instanceof Request ? input.url : input);
  if (!checks.has(origin)) return response;
  const method = init?.method ?? (input instanceof Request ? input.method : 'GET');
  const fault = await faultOf(origin, method, pathname, response);
  if (fault === undefined) return response;
  answerFaults.push(fault);
  throw new Error(fault);
};

afterEach(() => expect(answerFaults.splice(0), 'answers that are not as the OpenAPI document says').toEqual([]));

async function faultOf(origin: string, method: string, path: string, response: Response): Promise<string | undefined> {
  // To the same address over TLS, before any route is looked for.
  if (response.status === 301) return undefined;
  const check = await checkOf(origin);
  const operation = check.find(method.toUpperCase(), path);
  if (operation === undefined) return undefined;
  const contentType = response.headers.get('content-type');
  // A stream ends when nobody follows it any more.
  const isStream = contentType?.startsWith('text/event-stream') === true;
  const body = isStream ? '' : await response.clone().text();
  return check.check(operation, {
    ...{ status: response.status, contentType, body },
    headers: [...response.headers.keys()],
  });
}

/** The document of the stack itself, read when its first answer is there. */
function checkOf(origin: string): Promise<AnswerCheck> {
  const known = checks.get(origin) ?? readCheck(origin);
  checks.set(origin, known);
  return known;
}

async function readCheck(origin: string): Promise<AnswerCheck> {
  // Over TLS, where a stack of a test runs as in production behind a proxy.
  const answer = await unchecked(`${origin}/api/openapi.json`, { headers: { 'X-Forwarded-Proto': 'https' } });
  if (!answer.ok) throw new Error(`the API document was answered with ${answer.status}`);
  return createAnswerCheck(followed((await answer.json()) as OpenApiDocument));
}

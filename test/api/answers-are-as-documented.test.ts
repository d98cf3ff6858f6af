import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { startScriptedServer } from '../client/answers.ts';
import { type AnswerCheck, createAnswerCheck, type ReceivedAnswer } from '../helpers/answer-check.ts';
import { type FollowedDocument, followed } from '../helpers/api-document.ts';
import { answerFaults, checkAnswersOf } from '../helpers/checked-fetch.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let served: OpenApiDocument;
let document: FollowedDocument;
let check: AnswerCheck;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  served = (await stack.api.get<OpenApiDocument>('/api/openapi.json')).body;
  document = followed(served);
  check = createAnswerCheck(document);
});
afterAll(() => stack?.close());

const PORTFOLIO = {
  accountId: '0198c0de-0000-7000-8000-000000000000',
  depositIdentifiers: [{ currency: 'USD', reference: 'TG-1' }],
  cash: [{ currency: 'USD', balance: '1.00', reserved: '0.00', available: '1.00' }],
  positions: [],
};

function faultOf(body: unknown, given: Partial<ReceivedAnswer> = {}, call = 'GET /api/portfolio'): string | undefined {
  const [method = '', path = ''] = call.split(' ');
  const operation = check.find(method, path);
  if (operation === undefined) throw new Error(`no operation is ${call}`);
  return check.check(operation, {
    ...{ status: 200, contentType: 'application/json; charset=utf-8', headers: ['x-request-id'] },
    ...{ body: JSON.stringify(body), ...given },
  });
}

test('what is documented is no fault', () => {
  expect(faultOf(PORTFOLIO)).toBeUndefined();
});

test('a wrong member, a missing one and one that nobody described are told by operation, status and place', () => {
  const [cash] = PORTFOLIO.cash;
  expect(faultOf({ ...PORTFOLIO, cash: [{ ...cash, balance: 1 }] })).toMatch(
    /^getPortfolio 200: \/cash\/0\/balance must be string\./,
  );
  expect(faultOf({ ...PORTFOLIO, accountId: 'x' })).toContain('/accountId must match format "uuid"');
  expect(faultOf({ ...PORTFOLIO, positions: undefined })).toContain("must have required property 'positions'");
  expect(faultOf({ ...PORTFOLIO, cash: [{ ...cash, secret: 'x' }] })).toContain(
    '/cash/0 must NOT have additional properties: secret',
  );
});

test('so are a status, a media type, a header and a body that nobody described', () => {
  expect(faultOf(PORTFOLIO, { status: 418 })).toMatch(/^getPortfolio 418: this status is not documented/);
  expect(faultOf(PORTFOLIO, { contentType: 'text/html' })).toContain('the media type text/html is not documented');
  expect(faultOf(PORTFOLIO, { headers: ['Location'] })).toContain('the header location is not documented');
  const logout = 'POST /api/auth/logout';
  expect(faultOf({}, { status: 204 }, logout)).toContain('no body is documented');
  expect(faultOf(undefined, { status: 204, body: '', contentType: null }, logout)).toBeUndefined();
});

test('so is a problem of another status, and one with a code that is in no catalogue', () => {
  const problem = { type: 'x', title: 'x', status: 401, detail: 'x', code: 'session_required', requestId: 'x' };
  const contentType = 'application/problem+json';
  expect(faultOf(problem, { status: 401, contentType })).toBeUndefined();
  expect(faultOf({ ...problem, status: 403 }, { status: 401, contentType })).toContain('another status than 401');
  expect(faultOf({ ...problem, code: 'made_up' }, { status: 401, contentType })).toContain(
    '/code must be equal to one',
  );
  expect(faultOf({ ...problem, stack: 'at x.ts:1' }, { status: 401, contentType })).toContain('properties: stack');
});

test('a schema of an answer that leaves open by mistake what else it has is no schema to check by', () => {
  const { additionalProperties: _closed, ...open } = document.components.schemas.Portfolio as Record<string, unknown>;
  const components = { ...document.components, schemas: { ...document.components.schemas, Portfolio: open } };
  check = createAnswerCheck({ ...document, components });
  expect(() => faultOf(PORTFOLIO)).toThrow('says not whether it has other members');
});

test('whoever fetches an answer that is not as documented gets an error, and the test fails that catches it', async () => {
  const server = await startScriptedServer(
    { status: 200, body: { ...PORTFOLIO, more: 1 } },
    { status: 200, body: served },
  );
  try {
    checkAnswersOf(server.origin);
    const fault = /^getPortfolio 200: \/ must NOT have additional properties: more\. The answer: \{/;
    await expect(fetch(`${server.origin}/api/portfolio`)).rejects.toThrow(fault);
    expect(answerFaults.splice(0)).toEqual([expect.stringMatching(fault)]);
  } finally {
    await server.close();
  }
});

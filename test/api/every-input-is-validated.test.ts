import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonSchema } from '../../api/openapi-document.ts';
import { oneRow } from '../../db/sql.ts';
import type { Role } from '../../domain/roles.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { type FollowedDocument, type FollowedOperation, followed, namedSchema } from '../helpers/api-document.ts';
import { AUTHORIZATION, type Rule } from '../helpers/authorization-table.ts';
import { createOwnedObjects } from '../helpers/owned-objects.ts';
import type { SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey, signatureHeaders } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const SQL = `x'); drop table app_user; --`;
const MARKUP = '<script>document.title = 1</script><img src=x onerror=alert(1)>';

interface Call extends Pick<FollowedOperation, 'parameters' | 'requestBody'> {
  method: string;
  path: string;
  rule: Rule;
}

let stack: Stack;
let document: FollowedDocument;
let calls: Call[];
const people = new Map<Role, { person: SignedIn; key: IssuedSigningKey }>();
const sessionOf = (userId: string) => createOwnedObjects(stack).session(userId);

beforeAll(async () => {
  // Nothing here is to reach a workflow.
  stack = await createStack({
    worker: false,
    env: { SECURITY_QUESTIONS: 'additional', TEMPORAL_ADDRESS: '127.0.0.1:1', VERDICT_TIMEOUT: '200ms' },
  });
  document = followed((await stack.api.get('/api/openapi.json')).body);
  calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([name, { parameters, requestBody }]) => {
      const method = name.toUpperCase();
      const rule = AUTHORIZATION[`${method} ${path}`];
      const call = { method, path, parameters, ...(requestBody === undefined ? {} : { requestBody }) };
      return rule === undefined ? [] : [{ ...call, rule }];
    }),
  );
});
afterAll(() => stack?.close());

/** Sends as somebody whom the route lets in, signed where it asks for that. */
async function send({ method, path, rule }: Call, given: { body?: string; id?: string; query?: string }) {
  const target = path.replaceAll(/\{\w+\}/g, given.id ?? uuidV7()) + (given.query ?? '');
  const headers: Record<string, string> = { 'Content-Type': 'application/json' };
  const role = rule.public ? undefined : rule.roles.includes('admin') ? 'admin' : rule.roles[0];
  if (role !== undefined) {
    const { person, key } = await someone(role);
    headers.Authorization = `Bearer ${(await sessionOf(person.userId)).token}`;
    const isSigned = rule.conditions.some((one) => one.startsWith('signed'));
    if (isSigned) Object.assign(headers, signatureHeaders(key, { method, target, body: given.body }));
  }
  const response = await fetch(stack.url + target, {
    method,
    headers,
    redirect: 'manual',
    ...(given.body === undefined ? {} : { body: given.body }),
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (isStream) await response.body?.cancel();
  const text = isStream ? '' : await response.text();
  return { status: response.status, text, problem: /problem\+json/.test(response.headers.get('content-type') ?? '') };
}

async function someone(role: Role) {
  const known = people.get(role);
  if (known !== undefined) return known;
  const person = await stack.people.signedIn(role);
  const made = { person, key: await issueSigningKey(stack.api, person.token) };
  people.set(role, made);
  return made;
}

/** The objects that a body may be: one, or the variants of a union. */
function variantsOf(given: JsonSchema): JsonSchema[] {
  const schema = namedSchema(given, document);
  const union = (schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined;
  return union === undefined ? [schema] : union.flatMap(variantsOf);
}

/** What tells a variant from the others, filled in. */
function discriminator(variant: JsonSchema): Record<string, unknown> {
  const fixed = Object.entries((variant.properties ?? {}) as Record<string, JsonSchema>).flatMap(([name, given]) => {
    const one = namedSchema(given, document);
    const value = one.const ?? (one.enum as unknown[] | undefined)?.[0];
    return ['method', 'type', 'step'].includes(name) && value !== undefined ? [[name, value] as const] : [];
  });
  return Object.fromEntries(fixed);
}

/** Where members are looked at together, once each of them has its form, the others have to be right. */
const OTHERS_OF: Readonly<Record<string, object>> = {
  '/api/admin/users/search': { field: 'ssn', reason: 'asked by telephone', caseReference: 'CASE-1' },
  '/api/transactions': { type: 'buy', instrument: 'ACME', quantity: '1', currency: 'USD' },
};

/** What a member of that type can never be. */
const wrongFor = (schema: JsonSchema): unknown[] => {
  const { type } = namedSchema(schema, document);
  return type === 'string' || type === undefined
    ? [{ $ne: null }, ['x'], 7, 'a\u0000b', 'a\ud800b', 'x'.repeat(60_000)]
    : type === 'boolean'
      ? ['yes', 1, SQL]
      : [SQL, MARKUP, { $gt: '' }];
};

describe('[H11] every input of every call', () => {
  test('a member that nobody knows is refused, in every body', async () => {
    const withBody = calls.filter(({ requestBody }) => requestBody !== undefined);
    expect(withBody.length).toBeGreaterThan(30);
    const wrong: string[] = [];
    for (const call of withBody) {
      for (const body of [`{"unexpected":${JSON.stringify(SQL)}}`, '{"__proto__":{"role":"admin"}}', '[]', '"text"']) {
        const { status, text } = await send(call, { body });
        if (status !== 400) wrong.push(`${call.method} ${call.path} ${body}: ${status} ${text}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a member of another kind, too long, with U+0000 or half a character is refused by name', async () => {
    const wrong: string[] = [];
    let tried = 0;
    for (const call of calls) {
      const schema = call.requestBody?.content['application/json']?.schema;
      for (const variant of schema === undefined ? [] : variantsOf(schema)) {
        for (const [name, member] of Object.entries((variant.properties ?? {}) as Record<string, JsonSchema>)) {
          for (const value of wrongFor(member)) {
            // What is checked for its faults may be any object: they are the answer.
            if (call.path.endsWith('/rule-sets/check') && typeof value === 'object') continue;
            tried += 1;
            const { status, text } = await send(call, {
              body: JSON.stringify({ ...discriminator(variant), ...OTHERS_OF[call.path], [name]: value }),
            });
            const isNamed =
              status === 400 &&
              JSON.parse(text).errors?.some((one: { pointer: string }) => one.pointer.startsWith(`/${name}`));
            if (!isNamed)
              wrong.push(
                `${call.method} ${call.path} ${name} ${JSON.stringify(value).slice(0, 30)}: ${status} ${text.slice(0, 300)}`,
              );
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(300);
  });

  test('ids and queries with SQL, markup, U+0000 or bytes that are no text are refused or find nothing', async () => {
    const wrong: string[] = [];
    const hostile = [encodeURIComponent(SQL), encodeURIComponent(MARKUP), '%00', '%ff', '..%2f..%2fetc%2fpasswd'];
    for (const call of calls) {
      for (const value of hostile) {
        const answers = [
          ...(call.path.includes('{') ? [{ in: 'path', ...(await send(call, { id: value })) }] : []),
          ...(await Promise.all(
            call.parameters
              .filter((parameter) => parameter.in === 'query')
              .map(async ({ name }) => ({ in: name, ...(await send(call, { query: `?${name}=${value}` })) })),
          )),
        ];
        for (const { in: where, status, text, problem } of answers) {
          const isHarmless = status < 300 || (problem && [400, 404].includes(status));
          if (!isHarmless) wrong.push(`${call.method} ${call.path} ${where}=${value}: ${status} ${text.slice(0, 200)}`);
          if (status < 300 && where === 'path') wrong.push(`${call.method} ${call.path} found ${value}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('what is valid and looks like an attack is text: stored as it is, given back as JSON, never as a page', async () => {
    const email = stack.people.newAddress();
    const answer = await stack.api.post('/api/auth/register', {
      email,
      password: `${SQL} is a long password`,
      fullName: `Robert ${SQL} ${MARKUP}`,
      device: { ...deviceOf(MARKUP), timezone: 'UTC' },
    });
    expect(answer.status).toBe(201);
    const { full_name } = await oneRow<{ full_name: string }>(
      stack.db.fork(),
      'select full_name from app_user where email = $1',
      [email],
    );
    expect(full_name).toBe(`Robert ${SQL} ${MARKUP}`);
    const admin = await stack.people.signedIn('admin');
    const list = await fetch(`${stack.url}/api/admin/users?limit=100`, {
      headers: { Authorization: `Bearer ${admin.token}` },
    });
    expect(list.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(list.headers.get('x-content-type-options')).toBe('nosniff');
    expect(list.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  test('nothing of all that was an error of the program', async () => {
    const admin = await stack.people.signedIn('admin');
    const { body } = await stack.api.get('/api/performance/stats', { token: admin.token });
    expect(body.errors).toEqual([]);
    expect(body.allProcesses.requests).toBeGreaterThan(500);
  });
});

const deviceOf = (userAgent: string) => ({
  ...{ userAgent, screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 } },
  ...{ language: 'en', platform: 'Linux', plugins: [MARKUP.slice(0, 60)] },
});

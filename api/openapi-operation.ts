import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import {
  headerReferences,
  PARAMETERS,
  PROBLEM_CONTENT,
  type RESPONSES,
  SIGNATURE_PARAMETERS,
} from './openapi-components.ts';
import type { Content, JsonSchema, Operation, Parameter, Reference, ResponseObject } from './openapi-document.ts';
import type { SchemaCollector } from './openapi-schemas.ts';
import type { Access, Route, RouteResponse } from './route.ts';

/** One route as an operation of the document. */
export function operationOf(route: Route, schemas: SchemaCollector): Operation {
  const parameters = [
    ...parametersOf(route, 'path', schemas),
    ...parametersOf(route, 'query', schemas),
    ...headerParametersOf(route),
    ...signatureParametersOf(route),
  ];
  return {
    operationId: route.name,
    tags: [tagOf(route.path)],
    summary: route.summary,
    description: accessText(route.access),
    security: securityOf(route),
    parameters: parameters.map(sharedOr),
    ...(route.body === undefined ? {} : { requestBody: requestBodyOf(route.body, schemas) }),
    responses: responsesOf(route, schemas),
  };
}

/** Writes with a cookie need the CSRF token besides. */
function securityOf({ access, method }: Route): Operation['security'] {
  if (access.kind === 'public') return [];
  const cookie: Record<string, string[]> = method === 'get' ? { cookie: [] } : { cookie: [], csrf: [] };
  return [{ bearer: [] }, cookie, ...(access.machine === undefined ? [] : [{ [access.machine]: [] }])];
}

/** Without a body `{}` is taken, so one that has to say nothing may be left out. */
function requestBodyOf(body: z.ZodType, schemas: SchemaCollector): NonNullable<Operation['requestBody']> {
  const { examples } = body.meta() ?? {};
  const content = {
    'application/json': {
      schema: schemas.describe(body, 'input'),
      // What pages that try calls begin with: they look for it here, and not behind the reference to a schema.
      ...(Array.isArray(examples) ? { examples: namedExamples(examples) } : {}),
    },
  };
  return { required: !body.safeParse({}).success, content };
}

function namedExamples(examples: readonly unknown[]): Record<string, { value: unknown }> {
  return Object.fromEntries(examples.map((value, index) => [`example${index + 1}`, { value }]));
}

function headerParametersOf({ headers = {} }: Route): Parameter[] {
  // OpenAPI takes none of that name: the media types of the answer say the same.
  const own = Object.entries(headers).filter(([name]) => name !== 'accept');
  return own.map(([name, { description, required, pattern }]) => ({
    name: name.replaceAll(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase()),
    in: 'header',
    required,
    description,
    schema: { type: 'string', ...(pattern === undefined ? {} : { pattern }) },
  }));
}

function signatureParametersOf({ signed, signedIf }: Route): Parameter[] {
  if (signed === true) return Object.values(SIGNATURE_PARAMETERS);
  if (signedIf === undefined) return [];
  return Object.values(SIGNATURE_PARAMETERS).map((parameter) => ({ ...parameter, required: false }));
}

function parametersOf(route: Route, where: 'path' | 'query', schemas: SchemaCollector): Parameter[] {
  const { path } = route;
  const schema = where === 'path' ? route.params : route.query;
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemas.describe(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description: own, ...property }]) => {
    const description = typeof own === 'string' ? own : where === 'path' ? placeholderText(name, path) : undefined;
    return {
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: property,
    };
  });
}

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  backtestId: 'Id of the back-test',
  backupId: 'Id of the backup',
  bundleId: 'Id of the bundle of evidence',
  drillId: 'Id of the restore drill',
  incidentId: 'Id of the incident',
  keyId: 'Id of the signing key',
  loginId: 'Id of the sign-in, as POST /api/auth/login gave it',
  passkeyId: 'Id of the passkey',
  rotationId: 'Id of the rotation',
  seq: 'Place of the entry in the chain, from 0',
  transactionId: 'Id of the transaction',
  session_id: 'Id of the session',
  user_id: 'Id of the user',
  version: 'Name of the rule set version',
};

/** What a placeholder of a path stands for; of `id` the part before it says that. */
function placeholderText(name: string, path: string): string | undefined {
  const [, collection] = /([a-z-]+)\/\{id\}/.exec(path) ?? [];
  const singular = collection?.replace(/ies$/, 'y').replace(/s$/, '');
  return name === 'id' && singular !== undefined ? `Id of the ${singular}` : PLACEHOLDERS[name];
}

function sharedOr(parameter: Parameter): Parameter | Reference {
  const name = Object.keys(PARAMETERS).find((one) => isDeepStrictEqual(PARAMETERS[one], parameter));
  return name === undefined ? parameter : { $ref: `#/components/parameters/${name}` };
}

function responsesOf(route: Route, schemas: SchemaCollector): Operation['responses'] {
  const implied = impliedResponses(route).map(
    ([status, name]) => [String(status), { $ref: `#/components/responses/${name}` }] as const,
  );
  const described = Object.entries(route.responses).map(
    ([status, response]) => [status, responseOf(Number(status), response, schemas)] as const,
  );
  return Object.fromEntries([...implied, ...described]);
}

function responseOf(status: number, response: RouteResponse, schemas: SchemaCollector): ResponseObject {
  const { description, schema, mediaTypes = [], headers = [] } = response;
  const waits = status === 429 || status === 503 || status === 423;
  const content: Content = {
    ...(schema === undefined ? {} : { 'application/json': { schema: schemas.describe(schema, 'output') } }),
    ...Object.fromEntries(mediaTypes.map((type) => [type, { schema: bodyOf(type) }])),
    ...(status >= 400 && schema === undefined ? PROBLEM_CONTENT : {}),
  };
  return {
    description,
    headers: headerReferences('RequestId', ...(waits ? (['RetryAfter'] as const) : []), ...headers),
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}

/** Of a file nothing is said but its type; JSON is an object. */
const bodyOf = (type: string): JsonSchema =>
  type === 'application/json' ? { type: 'object' } : type.startsWith('text/') ? { type: 'string' } : {};

/** What the frame itself may answer, whatever the route says of its own. */
function impliedResponses({ access, params, method, limit }: Route): [status: number, name: keyof typeof RESPONSES][] {
  const all: [boolean, number, keyof typeof RESPONSES][] = [
    // Of every route: a body that cannot be read is refused before anybody asks whether it is wanted.
    [true, 400, 'BadRequest'],
    [access.kind === 'session', 401, 'Unauthorized'],
    [access.kind === 'session', 403, 'Forbidden'],
    [params !== undefined, 404, 'NotFound'],
    [method !== 'get', 426, 'UpgradeRequired'],
    [limit !== 'none', 429, 'TooManyRequests'],
    [true, 500, 'InternalServerError'],
    [true, 503, 'ServiceUnavailable'],
  ];
  return all.filter(([isPossible]) => isPossible).map(([, status, name]) => [status, name]);
}

/** `/api/admin/security/incidents/{id}` belongs to `incidents`, `/api/auth/login` to `auth`. */
function tagOf(path: string): string {
  if (path === '/api/openapi.json' || path === '/api/docs') return 'reference';
  return path.replace(/^\/(api\/)?(admin\/)?(security\/)?/, '').split('/')[0] ?? '';
}

function accessText(access: Access): string {
  if (access.kind === 'public') return 'Needs no session.';
  const objects = { own: ' Own objects only.', any: ' Objects of everybody.', none: '' }[access.ownership];
  const factor = access.freshFactor ? ' Needs a second factor within the last minutes (POST /api/auth/step-up).' : '';
  const proof = access.recentProof ? ' Needs a password or a second factor within the last minutes.' : '';
  const oneTime = access.passwordChange ? ' Also for who signed in with a one-time password.' : '';
  const machine = access.machine ? ' Or the bearer token METRICS_TOKEN.' : '';
  return `For: ${access.roles.join(', ')}.${objects}${factor}${proof}${oneTime}${machine}`;
}

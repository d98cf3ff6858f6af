import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Access, Route } from './route.ts';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: JsonSchema;
}
export type JsonSchema = Record<string, unknown>;

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonSchema }> }>;
}

export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, JsonSchema> };
}

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'RFC 9457 problem details. `code` is stable; branch on it.',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['in', 'pointer', 'detail'],
        properties: {
          in: { enum: ['body', 'query', 'path'] },
          pointer: { type: 'string', description: 'RFC 6901 JSON Pointer' },
          detail: { type: 'string' },
        },
      },
    },
  },
};

/** Describes the routes as OpenAPI 3.1, from the very schemas that validate their requests. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tradeguard',
      version,
      description: 'Amounts are decimal strings, times RFC 3339 in UTC, errors `application/problem+json`.',
    },
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The session token of POST /api/auth/login.' },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'tradeguard',
          description: '`__Host-tradeguard` in production. Writes also need `X-CSRF-Token` and a same-origin `Origin`.',
        },
      },
    },
  };
}

function operationOf(route: Route): Operation {
  const isPublic = route.access.kind === 'public';
  return {
    operationId: route.name,
    tags: [tagOf(route.path)],
    summary: route.summary,
    description: accessText(route.access),
    security: isPublic ? [] : [{ bearer: [] }, { cookie: [] }],
    parameters: [
      ...parametersOf(route.params, 'path'),
      ...parametersOf(route.query, 'query'),
      ...Object.entries(route.headers ?? {}).map(([name, { description, required, pattern }]) => ({
        name,
        in: 'header' as const,
        required,
        description,
        schema: { type: 'string', ...(pattern === undefined ? {} : { pattern }) },
      })),
      ...signatureParametersOf(route),
    ],
    ...(route.body === undefined ? {} : { requestBody: requestBodyOf(route.body) }),
    responses: responsesOf(route),
  };
}

/** Without a body `{}` is taken, so one that has to say nothing may be left out. */
function requestBodyOf(body: z.ZodType): NonNullable<Operation['requestBody']> {
  const content = { 'application/json': { schema: jsonSchema(body, 'input') } };
  return { required: !body.safeParse({}).success, content };
}

const SIGNATURE_HEADERS: readonly (Pick<Parameter, 'name' | 'schema'> & { description: string; optional?: true })[] = [
  {
    name: 'X-Signature',
    description: 'HMAC-SHA256 in hex of what docs/request-signing.md lists',
    schema: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  },
  { name: 'X-Timestamp', description: 'Unix seconds', schema: { type: 'string', pattern: '^\\d{10}$' } },
  { name: 'X-Nonce', description: 'Drawn anew for every request', schema: { type: 'string', format: 'uuid' } },
  { name: 'X-Algorithm', description: 'The one there is', schema: { enum: ['sha256'] } },
  {
    name: 'X-Key-Id',
    description: 'May be left out by who has exactly one active key',
    schema: { type: 'string', format: 'uuid' },
    optional: true,
  },
];

function signatureParametersOf(route: Route): Parameter[] {
  if (route.signed !== true && route.signedIf === undefined) return [];
  return SIGNATURE_HEADERS.map(({ optional, ...header }) => ({
    ...header,
    in: 'header' as const,
    required: route.signed === true && optional !== true,
  }));
}

function responsesOf(route: Route): Operation['responses'] {
  const problem = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  const described = Object.entries(route.responses).map(([status, { description, schema }]) => {
    const content = schema
      ? { 'application/json': { schema: jsonSchema(schema, 'output') } }
      : Number(status) >= 400
        ? problem
        : undefined;
    return [status, { description, ...(content ? { content } : {}) }] as const;
  });
  const implied = impliedStatuses(route).map(
    (status) => [String(status), { description: STATUS_CODES[status] ?? '', content: problem }] as const,
  );
  return Object.fromEntries([...implied, ...described]);
}

/** What the frame itself may answer, whatever the route says of its own. */
function impliedStatuses(route: Route): number[] {
  return [
    // Of every route: a body that cannot be read is refused before anybody asks whether it is wanted.
    400,
    ...(route.access.kind === 'session' ? [401, 403] : []),
    ...(route.params === undefined ? [] : [404]),
    ...(route.limit === 'none' ? [] : [429]),
    503,
  ];
}

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query'): Parameter[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(typeof description === 'string' ? { description } : {}),
    schema: property,
  }));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

/** `/api/admin/security/incidents/{id}` belongs to `incidents`, `/api/auth/login` to `auth`. */
function tagOf(path: string): string {
  return path.replace(/^\/api\/(admin\/)?(security\/)?/, '').split('/')[0] || 'general';
}

function accessText(access: Access): string {
  if (access.kind === 'public') return 'Needs no session.';
  const objects = { own: ' Own objects only.', any: ' Objects of everybody.', none: '' }[access.ownership];
  const factor = access.freshFactor ? ' Needs a second factor within the last minutes (POST /api/auth/step-up).' : '';
  const machine = access.machine ? ' Or the bearer token METRICS_TOKEN.' : '';
  return `For: ${access.roles.join(', ')}.${objects}${factor}${machine}`;
}

import { DESCRIPTION, HEADERS, PARAMETERS, RESPONSES, SECURITY_SCHEMES, TAGS } from './openapi-components.ts';
import { operationOf } from './openapi-operation.ts';
import { createSchemaCollector } from './openapi-schemas.ts';
import { problemSchema } from './problem-schema.ts';
import type { Route } from './route.ts';

export type JsonSchema = Record<string, unknown>;

/** In the place of something that is described once, under `components`. */
export interface Reference {
  $ref: string;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

export interface Header {
  description: string;
  schema: JsonSchema;
}

export type Content = Record<string, { schema: JsonSchema; examples?: Record<string, { value: unknown }> }>;

export interface ResponseObject {
  description: string;
  headers?: Record<string, Header | Reference>;
  content?: Content;
}

/** `Ref` is {@link Reference} as the document is served, and `never` once references to components are followed. */
export interface Operation<Ref = Reference> {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security: Record<string, string[]>[];
  parameters: (Parameter | Ref)[];
  requestBody?: { required: boolean; content: Content };
  responses: Record<string, ResponseObject | Ref>;
}

export interface OpenApiDocument<Ref = Reference> {
  openapi: '3.1.0';
  info: {
    title: string;
    version: string;
    description: string;
    contact: { name: string };
    license: { name: string; identifier: string };
  };
  servers: { url: string; description: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation<Ref>>>;
  components: {
    schemas: Record<string, JsonSchema>;
    parameters: Record<string, Parameter>;
    headers: Record<string, Header>;
    responses: Record<string, ResponseObject>;
    securitySchemes: Record<string, JsonSchema>;
  };
}

/** Describes the routes as OpenAPI 3.1, from the very schemas that validate their requests. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const schemas = createSchemaCollector();
  schemas.describe(problemSchema, 'output');
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route, schemas) };
  }
  const used = new Set(Object.values(paths).flatMap((methods) => Object.values(methods).flatMap(({ tags }) => tags)));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tradeguard',
      version,
      description: DESCRIPTION,
      contact: { name: 'Who runs this installation' },
      license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
    },
    servers: [{ url: '/', description: 'The installation that this document is from' }],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.components(),
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: RESPONSES,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

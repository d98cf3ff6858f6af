import type { JsonSchema, OpenApiDocument, Operation, Reference } from '../../api/openapi-document.ts';

/** An operation with the shared parameters and answers in their places; schemas keep their names. */
export type FollowedOperation = Operation<never>;
export type FollowedDocument = OpenApiDocument<never>;

/** The document with its parameters and answers, which may be shared, in their places. */
export function followed(document: OpenApiDocument): FollowedDocument {
  const { parameters, responses } = document.components;
  const paths = Object.entries(document.paths).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [
        method,
        {
          ...operation,
          parameters: operation.parameters.map((one) => follow(one, parameters)),
          responses: Object.fromEntries(
            Object.entries(operation.responses).map(([status, one]) => [status, follow(one, responses)]),
          ),
        },
      ]),
    ),
  ]);
  return { ...document, paths: Object.fromEntries(paths) };
}

/** A schema with the named one in its place, where it refers to one. */
export function namedSchema(schema: JsonSchema, document: Pick<FollowedDocument, 'components'>): JsonSchema {
  const { $ref, ...own } = schema;
  return typeof $ref === 'string' ? { ...follow<JsonSchema>({ $ref }, document.components.schemas), ...own } : schema;
}

function follow<T extends object>(one: T | Reference, known: Readonly<Record<string, T>>): T {
  if (!isReference(one)) return one;
  const found = known[one.$ref.split('/').at(-1) ?? ''];
  if (found === undefined) throw new Error(`the document has no ${one.$ref}`);
  return found;
}

const isReference = (one: object): one is Reference => '$ref' in one && typeof one.$ref === 'string';

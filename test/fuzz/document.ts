import type { Parameter } from '../../api/openapi-document.ts';
import type { FollowedDocument, FollowedOperation } from '../helpers/api-document.ts';
import type { Cast } from './cast.ts';
import { exampleBodies } from './examples.ts';
import { PLACEHOLDERS } from './ids.ts';

/**
 * The document as the fuzzers get it: the ids of a path stand for what exists as often as not, bodies that are carried out
 * are there as examples, and what the courier sends in the caller's place (session and signature) is not drawn.
 */
export function documentFor(document: FollowedDocument, cast: Cast): FollowedDocument {
  const examples = exampleBodies(cast);
  const paths = Object.entries(document.paths).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [
        method,
        prepared(operation, examples[operation.operationId] ?? []),
      ]),
    ),
  ]);
  const { securitySchemes: _unused, ...components } = document.components;
  return {
    ...document,
    paths: Object.fromEntries(paths),
    components: { ...components, securitySchemes: {} },
  };
}

const OF_THE_COURIER = /^x-(signature|timestamp|nonce|algorithm|key-id)$/i;
/** Nobody here plays that role, and from everybody else these are refused before anything happens. */
const OF_THE_IMPORTER = /^x-(virtual-time|on-behalf-of|outside-features)$/i;

function prepared(operation: FollowedOperation, examples: readonly object[]): FollowedOperation {
  const parameters = operation.parameters
    .filter(({ name }) => !OF_THE_COURIER.test(name) && !OF_THE_IMPORTER.test(name))
    .map((parameter) => (parameter.in === 'path' && isId(parameter) ? amongPlaceholders(parameter) : parameter));
  const { requestBody } = operation;
  if (requestBody === undefined || examples.length === 0) return { ...operation, security: [], parameters };
  const content = Object.entries(requestBody.content).map(([type, { schema }]) => [
    type,
    { schema: { ...schema, examples } },
  ]);
  return {
    ...operation,
    security: [],
    parameters,
    requestBody: { ...requestBody, content: Object.fromEntries(content) },
  };
}

const isId = ({ schema }: Parameter): boolean => schema.format === 'uuid';

function amongPlaceholders(parameter: Parameter): Parameter {
  return { ...parameter, schema: { anyOf: [{ enum: PLACEHOLDERS }, parameter.schema], examples: PLACEHOLDERS } };
}

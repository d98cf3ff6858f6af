import type { OpenApiDocument, Operation, Parameter } from '../../api/openapi-document.ts';
import type { Cast } from './cast.ts';

/**
 * The document as the fuzzer gets it: the ids of a path come from what exists as often as from nowhere, and what the proxy
 * sends in the caller's place (session and signature) is not drawn.
 */
export async function documentFor(document: OpenApiDocument, cast: Cast): Promise<OpenApiDocument> {
  const paths: OpenApiDocument['paths'] = {};
  for (const [path, methods] of Object.entries(document.paths)) {
    const ids = await cast.knownIds(path);
    paths[path] = Object.fromEntries(
      Object.entries(methods).map(([method, operation]) => [method, prepared(operation, ids)]),
    );
  }
  const { securitySchemes: _unused, ...components } = document.components;
  return { ...document, paths, components: { ...components, securitySchemes: {} } };
}

function prepared(operation: Operation, ids: readonly string[]): Operation {
  const parameters = operation.parameters
    .filter(({ name }) => !/^x-(signature|timestamp|nonce|algorithm|key-id)$/i.test(name))
    .map((parameter) => (parameter.in === 'path' && ids.length > 0 ? amongKnown(parameter, ids) : parameter));
  return { ...operation, security: [], parameters };
}

function amongKnown(parameter: Parameter, ids: readonly string[]): Parameter {
  return { ...parameter, schema: { anyOf: [{ enum: ids }, parameter.schema] } };
}

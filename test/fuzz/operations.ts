import type { FollowedDocument, FollowedOperation } from '../helpers/api-document.ts';

/** An operation of the document with where it lies. */
export interface PlacedOperation extends FollowedOperation {
  method: string;
  path: string;
}

export function operationsOf({ paths }: FollowedDocument): PlacedOperation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
}

/** Finds the operation that a request meets: literal paths before those with placeholders, as they are mounted. */
export function createOperationFinder(document: FollowedDocument) {
  const known = operationsOf(document)
    .map((operation) => ({
      operation,
      placeholders: operation.path.split('{').length,
      pattern: new RegExp(`^${operation.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    }))
    .sort((one, other) => one.placeholders - other.placeholders);
  return (method: string, target: string): PlacedOperation | undefined => {
    const path = target.split('?')[0] ?? '';
    return known.find((one) => one.operation.method === method && one.pattern.test(path))?.operation;
  };
}

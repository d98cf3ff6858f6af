import { z } from 'zod';
import type { JsonSchema, OpenApiDocument } from '../../api/openapi-document.ts';
import type { Answer } from './courier.ts';
import { type PlacedOperation, resolved } from './operations.ts';

/** Holds answers against what the document says of the operation that was called. */
export function createConformance(document: OpenApiDocument) {
  const parsers = new Map<JsonSchema, z.ZodType>();

  function parserOf(schema: JsonSchema): z.ZodType {
    const known = parsers.get(schema) ?? z.fromJSONSchema(resolved(schema, document));
    parsers.set(schema, known);
    return known;
  }

  /** @returns what is wrong with the answer; undefined where it is as documented */
  return (operation: PlacedOperation, { status, contentType, body }: Answer): string | undefined => {
    if (status >= 500) return `a server error: ${status} ${body}`;
    const documented = operation.responses[status];
    if (documented === undefined) return `${status} is not documented: ${body}`;
    const mediaType = contentType.split(';')[0] ?? '';
    if (status >= 400 && mediaType !== 'application/problem+json') return `${status} as ${contentType}: ${body}`;
    if (documented.content === undefined) return undefined;
    const content = documented.content[mediaType];
    if (content === undefined) return `${status} as ${mediaType || 'nothing'}, which is not documented`;
    if (!mediaType.endsWith('json')) return undefined;
    const parsed = JSON.parse(body.toString()) as unknown;
    const issues = parserOf(content.schema).safeParse(parsed).error?.issues;
    if (issues !== undefined) return `${status} is not as its schema: ${JSON.stringify(issues.slice(0, 3))}: ${body}`;
    const isHonest = status < 400 || (parsed as { status: number }).status === status;
    return isHonest ? undefined : `a problem that says another status than ${status}: ${body}`;
  };
}

export type Conformance = ReturnType<typeof createConformance>;

import { createAnswerCheck } from '../helpers/answer-check.ts';
import type { FollowedDocument } from '../helpers/api-document.ts';
import type { Answer } from './courier.ts';
import type { PlacedOperation } from './operations.ts';

/** Holds answers against what the document says of the operation that was called. */
export function createConformance(document: FollowedDocument) {
  const { check } = createAnswerCheck(document);
  /** @returns what is wrong with the answer; undefined where it is as documented */
  return (operation: PlacedOperation, { status, contentType, headers, body }: Answer): string | undefined =>
    status >= 500
      ? `a server error: ${status} ${body}`
      : check(operation, {
          ...{ status, contentType, body: body.toString() },
          headers: headers.filter((_, at) => at % 2 === 0),
        });
}

export type Conformance = ReturnType<typeof createConformance>;

import type { Operations } from './operations.ts';

export type OperationName = keyof Operations;

/** What a call of this operation is given: `path`, `query` and `body`, as far as it has them. */
export type Input<Name extends OperationName> = Operations[Name]['input'];

/** What an operation answers where it succeeds: one member for each status, so that `status` tells them apart. */
export type Answer<Name extends OperationName> = {
  [Status in keyof Operations[Name]['answers']]: {
    status: Status;
    body: Operations[Name]['answers'][Status];
    headers: Headers;
  };
}[keyof Operations[Name]['answers']];

/** How an operation is called. */
export interface Operation {
  readonly method: string;
  /** With placeholders: `/api/devices/{id}`. */
  readonly path: string;
  /** `always`: it is signed. `maybe`: what its body says decides; who has a key signs. */
  readonly signed?: 'always' | 'maybe';
  /** It takes an `Idempotency-Key`: however often it is sent, it happens once. */
  readonly idempotencyKey?: true;
}

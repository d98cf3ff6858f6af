/** The client of Tradeguard's API for Node and browsers: client/README.md. */
export { type CallOptions, type Client, type ClientOptions, createClient } from './client.ts';
export { type EventStreamOptions, followEvents, type LiveEvent } from './event-stream.ts';
export { everyItem } from './flows.ts';
export type { Answer, Input, OperationName } from './operation.ts';
export type { Operations } from './operations.ts';
export {
  BadInputError,
  ConflictError,
  ConnectionError,
  ExpiredError,
  ForbiddenError,
  isProblem,
  LockedError,
  NotFoundError,
  ProblemError,
  RateLimitedError,
  UnauthenticatedError,
  UnavailableError,
  UnprocessableError,
} from './problem-error.ts';
export {
  createRequestSigner,
  type HmacKey,
  importSigningKey,
  type RequestSigner,
  type SigningCredential,
} from './request-signer.ts';
export type { RetryPolicy } from './retry.ts';
export type * from './schemas/index.ts';
export type { ClientSession } from './session.ts';
export type { StepUpChallenge, StepUpHandler } from './step-up.ts';

import type { ErrorCode } from '../domain/errors.ts';

/** A refusal as the API words it (RFC 9457): the members that every one has. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable: branch on it. A newer server may have codes that this client does not know. */
  readonly code: ErrorCode | 'internal_error' | (string & {});
  readonly requestId: string;
  /** With `validation_failed`: what is wrong where, as RFC 6901 pointers. */
  readonly errors?: readonly { in: 'body' | 'query' | 'path'; pointer: string; detail: string }[];
  /** What a code says beside, for instance `triesLeft`. */
  readonly [member: string]: unknown;
}

/** The API refused a call. Its subclasses are the meanings of statuses; `code` says exactly what it was. */
export class ProblemError extends Error {
  override readonly name: string = 'ProblemError';
  readonly problem: Problem;
  readonly status: number;
  readonly code: Problem['code'];
  /** Quote it when you ask for help. */
  readonly requestId: string;
  /** How long the server asks to wait; undefined where it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs?: number) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
    this.status = problem.status;
    this.code = problem.code;
    this.requestId = problem.requestId;
    this.retryAfterMs = retryAfterMs;
  }
}

/** 400, 413, 415: the call is not what the API takes; `problem.errors` says where. */
export class BadInputError extends ProblemError {
  override readonly name = 'BadInputError';
}
/** 401: no session, a wrong password, code or signature. */
export class UnauthenticatedError extends ProblemError {
  override readonly name = 'UnauthenticatedError';
}
/** 403: not for this caller, or not before a step-up. */
export class ForbiddenError extends ProblemError {
  override readonly name = 'ForbiddenError';
}
/** 404 */
export class NotFoundError extends ProblemError {
  override readonly name = 'NotFoundError';
}
/** 409: it contradicts the present state. */
export class ConflictError extends ProblemError {
  override readonly name = 'ConflictError';
}
/** 410: it was there, and its time is over. */
export class ExpiredError extends ProblemError {
  override readonly name = 'ExpiredError';
}
/** 422: well-formed, and refused by a rule of the business. */
export class UnprocessableError extends ProblemError {
  override readonly name = 'UnprocessableError';
}
/** 423: the account is locked until `retryAfterMs` have passed. */
export class LockedError extends ProblemError {
  override readonly name = 'LockedError';
}
/** 429 */
export class RateLimitedError extends ProblemError {
  override readonly name = 'RateLimitedError';
}
/** 5xx: the same call may work later. */
export class UnavailableError extends ProblemError {
  override readonly name = 'UnavailableError';
}

/** No answer came: the server could not be reached, or took longer than `timeoutMs`. What became of the call is unknown. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Whether an error is a refusal, and one with this code where one is given. */
export function isProblem(error: unknown, code?: ErrorCode): error is ProblemError {
  return error instanceof ProblemError && (code === undefined || error.code === code);
}

const OF_STATUS: Readonly<Record<number, typeof ProblemError>> = {
  400: BadInputError,
  401: UnauthenticatedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  410: ExpiredError,
  413: BadInputError,
  415: BadInputError,
  422: UnprocessableError,
  423: LockedError,
  429: RateLimitedError,
};

/**
 * The error of a refusal.
 *
 * @param body what was answered; something else than a problem document comes from whatever stands before the server
 */
export function problemError(status: number, body: unknown, retryAfterMs: number | undefined): ProblemError {
  const given = typeof body === 'object' && body !== null && 'code' in body ? (body as Problem) : undefined;
  const problem = given ?? {
    ...{ type: 'about:blank', title: 'Error', status, code: 'internal_error', requestId: '' },
    detail: `Something before the server answered ${status}.`,
  };
  const { [status]: Meaning = status >= 500 ? UnavailableError : ProblemError } = OF_STATUS;
  return new Meaning(problem, retryAfterMs);
}

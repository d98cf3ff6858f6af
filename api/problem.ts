import { STATUS_CODES } from 'node:http';
import { ConnectionException, DriverException, LockWaitTimeoutException } from '@mikro-orm/core';
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { z } from 'zod';
import { DomainError, type ErrorCode, type ErrorMeaning, isDomainError } from '../domain/errors.ts';
import { FieldDecryptionError } from '../security/field-encryption.ts';
import { PasswordHasherBusyError } from '../security/passwords.ts';
import type { Reply } from './route.ts';

const STATUS: Readonly<Record<ErrorMeaning, number>> = {
  bad_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  expired: 410,
  unprocessable: 422,
  locked: 423,
  rate_limited: 429,
  upgrade_required: 426,
  unavailable: 503,
};

/** Seconds a client should wait where nothing better is known. */
const RETRY_AFTER_SECONDS = 5;

/** The one place that turns an error into an HTTP answer (RFC 9457). Nothing of a library's words gets through. */
export function problemReply(error: unknown, requestId: string): Reply & { unexpected: boolean } {
  const refusal = refusalOf(error);
  if (refusal === undefined) {
    return {
      ...render(
        500,
        'internal_error',
        'Something went wrong on our side. Quote the requestId when you ask us.',
        requestId,
        {},
      ),
      unexpected: true,
    };
  }
  const status = STATUS[refusal.meaning];
  const { retryAfter, ...extra } = refusal.extra as { retryAfter?: number };
  const reply = render(status, refusal.code, refusal.detail, requestId, extra);
  const seconds = retryAfter ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined);
  if (seconds !== undefined)
    reply.headers = { ...reply.headers, 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
  return { ...reply, unexpected: false };
}

/** A refusal with field errors, as RFC 6901 pointers into the body, query or path. */
export function validationError(issues: readonly z.core.$ZodIssue[], where: 'body' | 'query' | 'path'): DomainError {
  const errors = issues.slice(0, 50).map((issue) => ({
    in: where,
    pointer: `/${issue.path.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`,
    detail: issue.message,
  }));
  const first = errors[0];
  const detail = first ? `${where}${first.pointer}: ${first.detail}` : `The ${where} is not valid.`;
  return new DomainError('validation_failed', detail, { errors });
}

function refusalOf(error: unknown): DomainError | undefined {
  if (isDomainError(error)) return error;
  if (isBodyParserError(error)) {
    return error.type === 'entity.too.large'
      ? new DomainError('malformed_body', 'The body is larger than what is read here.')
      : new DomainError('malformed_body', 'The body is not well-formed JSON in UTF-8.');
  }
  // The router's own, about a path whose escapes are no UTF-8.
  if (error instanceof URIError && 'status' in error && error.status === 400) {
    return new DomainError('not_found', 'There is nothing at this address.');
  }
  if (error instanceof FieldDecryptionError && error.code === 'unknown_key') {
    return new DomainError('keys_unavailable', 'A key was made a moment ago and is being loaded; try again.', {
      retryAfter: 1,
    });
  }
  if (error instanceof PasswordHasherBusyError) {
    return new DomainError(
      'rate_limited',
      'Too many passwords and answers are checked just now. Try again in a moment.',
      {
        retryAfter: 2,
      },
    );
  }
  if (isDatabaseOutage(error)) {
    return new DomainError('database_unavailable', 'The database does not answer. Nothing was changed; try again.');
  }
  if (isTemporalOutage(error)) {
    return new DomainError('temporal_unavailable', 'The workflow service does not answer. Nothing is lost; try again.');
  }
  return undefined;
}

/** Errors of the body parser carry a 4xx `status` and a `type`; what zlib says of a body that is not compressed, a `code` of its own. */
function isBodyParserError(error: unknown): error is { type?: unknown } {
  if (typeof error !== 'object' || error === null || !('status' in error)) return false;
  const isOfParser = 'type' in error && typeof error.type === 'string';
  const isOfZlib = 'code' in error && String(error.code).startsWith('Z_');
  return (isOfParser || isOfZlib) && typeof error.status === 'number' && error.status < 500;
}

const OUTAGE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '55P03',
  '57014',
]);

/** Connection refused or lost, server shutting down, lock or statement timeout: the same call may work later. */
function isDatabaseOutage(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectionException || cause instanceof LockWaitTimeoutException) return true;
    const code = 'code' in cause ? String(cause.code) : '';
    if (OUTAGE_CODES.has(code) || code.startsWith('08')) return true;
    if (
      !(cause instanceof DriverException) &&
      /terminat|timeout exceeded when trying to connect/i.test(cause.message)
    ) {
      return true;
    }
  }
  return false;
}

function isTemporalOutage(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ServiceError || isGrpcServiceError(cause)) return true;
  }
  return false;
}

function render(
  status: number,
  code: ErrorCode | 'internal_error',
  detail: string,
  requestId: string,
  extra: Record<string, unknown>,
): Reply {
  return {
    status,
    contentType: 'application/problem+json',
    body: {
      type: `urn:tradeguard:problem:${code}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail,
      code,
      requestId,
      ...extra,
    },
  };
}

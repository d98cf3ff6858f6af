import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import type { Logger } from 'pino';
import { isDomainError } from '../domain/errors.ts';
import type { ErrorReports } from './error-reports.ts';

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** A unique violation may be a race that the next attempt sees settled, but not for ever. */
const UNIQUE_VIOLATION = '23505';
const MAX_RACES = 5;

/**
 * Decides for every activity which errors are worth a retry: outages are, bad data is not (it would be retried for as
 * long as the workflow lives). What PostgreSQL says may quote a row, so of its errors only the code reaches the history.
 */
export function createActivityErrors({
  log,
  reports,
}: {
  log: Logger;
  reports?: Pick<ErrorReports, 'record'> | undefined;
}) {
  return (context: Context): ActivityInterceptors => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          const { activityType, workflowExecution, attempt } = context.info;
          const failure = failureOf(error, attempt);
          if (isUnexpected(error)) reports?.record(error, activityType);
          log.warn(
            {
              activity: activityType,
              workflowId: workflowExecution?.workflowId,
              attempt,
              failure: failure instanceof ApplicationFailure ? failure.type : undefined,
              ...(databaseFacts(error) ?? { err: error }),
            },
            'activity failed',
          );
          throw failure;
        }
      },
    },
  });
}

function failureOf(error: unknown, attempt: number): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (isDomainError(error)) return ApplicationFailure.nonRetryable(error.detail, error.code);
  const sqlState = databaseFacts(error)?.sqlState;
  if (sqlState === undefined) return error;
  const isData = sqlState.startsWith('22') || sqlState.startsWith('23');
  return ApplicationFailure.create({
    message: `database error ${sqlState}`,
    type: 'DatabaseError',
    nonRetryable: isData && (sqlState !== UNIQUE_VIOLATION || attempt >= MAX_RACES),
  });
}

/** Classes of SQLSTATE that no outage, lock or shutdown has: bad data, bad statements, faults of PostgreSQL itself. */
const FAULTS = /^(22|23|42|XX)/;

/** Whether the program is to blame: no refusal, no failure on purpose, no outage. */
function isUnexpected(error: unknown): boolean {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || isDomainError(error)) return false;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    // Whatever has a code was told by a system that knows why: the database, the network, gRPC.
    if (code !== undefined) return typeof code === 'string' && SQLSTATE.test(code) && FAULTS.test(code);
    if (/terminat|timeout exceeded/i.test(cause.message)) return false;
  }
  return true;
}

/**
 * What may be told of a database error, or undefined when it is none: never its message or detail, which quote values.
 */
function databaseFacts(error: unknown): { sqlState: string; constraint?: unknown; table?: unknown } | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, constraint, table } = cause as { code?: unknown; constraint?: unknown; table?: unknown };
    if (typeof code === 'string' && SQLSTATE.test(code)) return { sqlState: code, constraint, table };
  }
  return undefined;
}

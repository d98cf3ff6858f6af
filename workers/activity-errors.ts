import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptors } from '@temporalio/worker';
import type { Logger } from 'pino';
import { isDomainError } from '../domain/errors.ts';

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** A unique violation may be a race that the next attempt sees settled, but not for ever. */
const UNIQUE_VIOLATION = '23505';
const MAX_RACES = 5;

/**
 * Decides for every activity which errors are worth a retry: outages are, bad data is not (it would be retried for as
 * long as the workflow lives). What PostgreSQL says may quote a row, so of its errors only the code reaches the history.
 */
export function createActivityErrors({ log }: { log: Logger }) {
  return (context: Context): ActivityInterceptors => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          const { activityType, workflowExecution, attempt } = context.info;
          const failure = failureOf(error, attempt);
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

import { ApplicationFailure } from '@temporalio/common';

/** SQLSTATE classes of errors that come from the data itself: 22 data exception, 23 integrity constraint violation. */
const DATA_ERROR = /^2[23]/;

/**
 * Runs an activity's work and marks errors that no repetition can mend as final: a workflow that retries them would never
 * end. Outages, lock timeouts and everything unknown stay retryable.
 */
export async function finalOnDataErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const state = sqlState(error);
    if (state === undefined || !DATA_ERROR.test(state)) throw error;
    // The driver's words may hold values of the row: they stay in the log of the worker, not in the history.
    throw ApplicationFailure.nonRetryable(`the database refused the data (SQLSTATE ${state})`, 'DataError');
  }
}

function sqlState(error: unknown): string | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && /^[0-9A-Z]{5}$/.test(cause.code)) return cause.code;
  }
  return undefined;
}

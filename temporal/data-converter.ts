import type { DataConverter } from '@temporalio/common';

/**
 * Failure texts and stack traces are attributes of Temporal's own messages and would lie in the history as plain text;
 * the failure converter moves them into a payload, where the payload codec covers them.
 */
export const dataConverter: DataConverter = {
  failureConverterPath: new URL('./failure-converter.ts', import.meta.url).pathname,
};

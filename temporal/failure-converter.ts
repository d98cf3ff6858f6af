import { DefaultFailureConverter } from '@temporalio/common';

/** Loaded by path into the client, the worker and the workflow bundle. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

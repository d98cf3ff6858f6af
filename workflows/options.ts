import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

/**
 * Decisions somebody waits for: one database transaction each, run inside the workflow task (no second round trip). Bad
 * data never gets better by repeating: those errors are marked non-retryable where they are thrown.
 */
export const decide = proxyLocalActivities<Activities>({
  startToCloseTimeout: '10 seconds',
  scheduleToCloseTimeout: '10 minutes',
  localRetryThreshold: '5 seconds',
  retry: { initialInterval: '50 milliseconds', backoffCoefficient: 2, maximumInterval: '2 seconds' },
});

/** Work that nobody waits for, or that talks to the outside world: retried for as long as the workflow lives. */
export const background = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

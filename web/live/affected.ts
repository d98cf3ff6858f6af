import type { OperationName } from '../../client/index.ts';

/** Which reads an event makes out of date. An event that is not here changes nothing that a page shows. */
export const AFFECTED: Readonly<Record<string, readonly OperationName[]>> = {
  hold: ['listReviews', 'getTransactionsDashboard', 'listIncidents'],
  decision: ['listReviews', 'getReview', 'getDecision', 'getTransactionsDashboard'],
  incident: ['listIncidents', 'getIncident'],
};

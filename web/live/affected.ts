import type { OperationName } from '../../client/index.ts';

/** Which reads an event makes out of date. An event that is not here changes nothing that a page shows. */
export const AFFECTED: Readonly<Record<string, readonly OperationName[]>> = {
  hold: ['listReviews', 'getTransactionsDashboard', 'listIncidents', 'getOverviewDashboard'],
  decision: ['listReviews', 'getReview', 'getDecision', 'getTransactionsDashboard', 'getOverviewDashboard'],
  incident: ['listIncidents', 'getIncident', 'getOverviewDashboard', 'getAccount'],
  activity: ['getOverviewDashboard', 'getAuthDashboard', 'listAccountLogins', 'listAccountSessions'],
  login: ['getAuthDashboard', 'getOverviewDashboard', 'listAccountLogins'],
  lockout: ['getAuthDashboard', 'getOverviewDashboard', 'listAccounts', 'getAccount'],
  restriction: ['getRestriction', 'getAccount', 'listAccounts', 'listAccountSessions', 'getOverviewDashboard'],
  account: ['getAccount', 'listAccounts', 'listAccountSessions'],
  refusal: ['getApiSecurityDashboard'],
  checkpoint: ['getOverviewDashboard'],
  sealer: ['getOverviewDashboard'],
  run: ['getOverviewDashboard'],
};

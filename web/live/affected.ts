import type { LiveEvent, OperationName } from '../../client/index.ts';

/** Which reads an event makes out of date. An event that is not here changes nothing that a page shows. */
export const AFFECTED: Readonly<Record<string, readonly OperationName[]>> = {
  hold: [
    'listReviews',
    'getReview',
    'getDecision',
    'getTransactionsDashboard',
    'listIncidents',
    'getOverviewDashboard',
  ],
  decision: ['listReviews', 'getReview', 'getDecision', 'getTransactionsDashboard', 'getOverviewDashboard'],
  review: ['listReviews', 'getReview'],
  incident: ['listIncidents', 'getIncident', 'getReview', 'getOverviewDashboard', 'getAccount'],
  activity: [
    'getOverviewDashboard',
    'getAuthDashboard',
    'getTransactionsDashboard',
    'listAccountLogins',
    'listAccountSessions',
  ],
  login: ['getAuthDashboard', 'getOverviewDashboard', 'listAccountLogins'],
  lockout: ['getAuthDashboard', 'getOverviewDashboard', 'listAccounts', 'getAccount'],
  restriction: ['getRestriction', 'getAccount', 'listAccounts', 'listAccountSessions', 'getOverviewDashboard'],
  account: ['getAccount', 'listAccounts', 'listAccountSessions'],
  rule_set: ['listRuleSets', 'getRuleSet'],
  refusal: ['getApiSecurityDashboard'],
  checkpoint: ['getOverviewDashboard', 'getAuditCheckpoint', 'listAuditCheckpoints'],
  sealer: ['getOverviewDashboard'],
};

/** A long piece of work went on or ended: which, is in the event. */
const RUNS: Readonly<Record<string, readonly OperationName[]>> = {
  audit_verification: ['getAuditVerification', 'getOverviewDashboard'],
  backtest: ['listBacktests', 'getBacktest'],
  backup: ['listBackups', 'getBackup', 'getOverviewDashboard'],
  restore_drill: ['listRestoreDrills', 'getOverviewDashboard'],
  key_rotation: ['listKeyRotations', 'listKeys', 'getOverviewDashboard'],
  evidence: ['listIncidentEvidence'],
};

/** The reads that an event makes out of date. */
export function affectedBy({ event, data }: LiveEvent): readonly OperationName[] {
  return (event === 'run' ? RUNS[String(data.run)] : AFFECTED[event]) ?? [];
}

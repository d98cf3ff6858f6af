import type { OperationName } from '../../../client/index.ts';

/** What a change of an account makes out of date. */
export const ACCOUNT_READS: readonly OperationName[] = [
  'getAccount',
  'listAccounts',
  'listAccountSessions',
  'listAccountDevices',
  'getRestriction',
  'getAuthDashboard',
  'getOverviewDashboard',
];

import type { RouteObject } from 'react-router';

/** A page that is loaded when it is opened. Its module's default export is the component. */
const page = (path: string, load: () => Promise<{ default: React.ComponentType }>): RouteObject => ({
  path,
  lazy: async () => ({ Component: (await load()).default }),
});

export const consoleRoutes: RouteObject[] = [
  page('reviews', () => import('./staff/reviews.tsx')),
  page('reviews/:transactionId', () => import('./staff/review.tsx')),
  page('transactions', () => import('./staff/transactions.tsx')),
  page('transactions/:transactionId', () => import('./staff/transaction.tsx')),
  page('incidents', () => import('./staff/incidents.tsx')),
  page('incidents/:incidentId', () => import('./staff/incident.tsx')),
  page('backups', () => import('./staff/backups.tsx')),
  page('backups/:id', () => import('./staff/backup.tsx')),
  page('keys', () => import('./staff/keys.tsx')),
  page('overview', () => import('./staff/overview.tsx')),
  page('authentication', () => import('./staff/authentication.tsx')),
  page('api-security', () => import('./staff/api-security.tsx')),
  page('accounts', () => import('./staff/accounts.tsx')),
  page('accounts/:id', () => import('./staff/account.tsx')),
  page('audit', () => import('./staff/audit.tsx')),
  page('rule-sets', () => import('./staff/rule-sets.tsx')),
  page('rule-sets/:version', () => import('./staff/rule-set.tsx')),
];

export const accountRoutes: RouteObject[] = [
  page('portfolio', () => import('./account/portfolio.tsx')),
  page('trade', () => import('./account/trade.tsx')),
  page('transactions', () => import('./account/transactions.tsx')),
  page('transactions/:id', () => import('./account/transaction.tsx')),
  page('security', () => import('./account/security.tsx')),
];

import type { Role } from '../../domain/roles.ts';

export interface Place {
  readonly path: string;
  readonly label: string;
  /** What people look for when they mean this page. */
  readonly keywords: readonly string[];
  /** Pressed after `g`. */
  readonly key: string;
  readonly roles: readonly Role[];
}

const STAFF: readonly Role[] = ['reviewer', 'admin', 'auditor'];
const AUDITORS: readonly Role[] = ['admin', 'auditor'];

export const isStaff = (role: Role): boolean => STAFF.includes(role);

/** The pages of staff, in the order of the menu. */
export const CONSOLE: readonly Place[] = [
  { path: '/console/overview', label: 'Overview', key: 'o', roles: STAFF, keywords: ['home', 'status', 'schedules'] },
  {
    path: '/console/reviews',
    label: 'Review queue',
    key: 'r',
    roles: STAFF,
    keywords: ['held', 'quarantine', 'approve'],
  },
  { path: '/console/transactions', label: 'Transactions', key: 't', roles: STAFF, keywords: ['high risk', 'flagged'] },
  { path: '/console/authentication', label: 'Authentication', key: 'l', roles: STAFF, keywords: ['logins', 'locked'] },
  {
    path: '/console/api-security',
    label: 'API security',
    key: 's',
    roles: STAFF,
    keywords: ['rate limit', 'signature'],
  },
  { path: '/console/incidents', label: 'Incidents', key: 'i', roles: STAFF, keywords: ['alerts', 'evidence'] },
  { path: '/console/accounts', label: 'Accounts', key: 'a', roles: STAFF, keywords: ['users', 'devices', 'sessions'] },
  {
    path: '/console/audit',
    label: 'Audit log',
    key: 'u',
    roles: AUDITORS,
    keywords: ['proof', 'verify', 'checkpoint'],
  },
  {
    path: '/console/rule-sets',
    label: 'Rule sets',
    key: 'x',
    roles: STAFF,
    keywords: ['shadow', 'back-test', 'score'],
  },
  { path: '/console/backups', label: 'Backups', key: 'b', roles: AUDITORS, keywords: ['restore', 'drill'] },
  { path: '/console/keys', label: 'Keys', key: 'k', roles: AUDITORS, keywords: ['rotation', 'encryption'] },
];

/** The pages of a customer. */
export const ACCOUNT: readonly Place[] = [
  {
    path: '/account/portfolio',
    label: 'Portfolio',
    key: 'p',
    roles: ['customer', 'admin'],
    keywords: ['cash', 'positions'],
  },
  {
    path: '/account/trade',
    label: 'New transaction',
    key: 'n',
    roles: ['customer', 'admin'],
    keywords: ['buy', 'sell', 'transfer'],
  },
  {
    path: '/account/transactions',
    label: 'Transactions',
    key: 't',
    roles: ['customer', 'admin'],
    keywords: ['held', 'status'],
  },
  {
    path: '/account/security',
    label: 'Security',
    key: 's',
    roles: ['customer', 'reviewer', 'admin', 'auditor', 'importer'],
    keywords: ['passkey', 'authenticator', 'password', 'sessions', 'devices'],
  },
];

/** The places that somebody of this role may open. */
export const placesFor = (places: readonly Place[], role: Role): readonly Place[] =>
  places.filter(({ roles }) => roles.includes(role));

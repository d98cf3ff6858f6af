import type { Access } from './route.ts';

/** Where the routes of the audit log lie, and who may use them. */
export const AUDIT_LOGS = '/api/admin/security/audit-logs';
export const auditors: Access = { kind: 'session', roles: ['auditor', 'admin'], ownership: 'none' };

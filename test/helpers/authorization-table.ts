import type { Role } from '../../domain/roles.ts';

/**
 * `fresh factor`: a second factor within the last minutes; `recent
 * proof`: that, or a sign-in; `signed`: with one of the caller's signing keys, `signed payout
 * account`: where it changes that; `one-time password`: also a session that may do nothing but choose a password; `scraper`: also the bearer of METRICS_TOKEN.
 */
export const CONDITIONS = [
  'fresh factor',
  'recent proof',
  'signed',
  'signed payout account',
  'one-time password',
  'scraper',
] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Rule {
  /** Empty for everybody, with or without a session. */
  roles: readonly Role[];
  public: boolean;
  /** `own`: the caller's objects alone; `any`: everybody's; `none`: no person's. */
  objects: 'own' | 'any' | 'none';
  conditions: readonly Condition[];
}

const rule =
  (objects: Rule['objects']) =>
  (roles: readonly Role[], ...conditions: Condition[]): Rule => ({ roles, public: false, objects, conditions });
const own = rule('own');
const any = rule('any');
const none = rule('none');
const PUBLIC: Rule = { roles: [], public: true, objects: 'none', conditions: [] };

const EVERYBODY = ['customer', 'reviewer', 'admin', 'auditor', 'importer'] as const;
const STAFF = ['reviewer', 'admin', 'auditor'] as const;
const REVIEWERS = ['reviewer', 'admin'] as const;
const AUDITORS = ['admin', 'auditor'] as const;
const ADMIN = ['admin'] as const;
const TRADERS = ['customer', 'admin'] as const;

/**
 * Who may do what, written down apart from the routes: changing a route's access takes a change here, too. The
 * addresses of pages are public: they answer with the same page, which knows nothing until its reader is signed in.
 */
export const AUTHORIZATION: Readonly<Record<string, Rule>> = {
  'GET /': PUBLIC,
  'GET /confirm': PUBLIC,
  'GET /reset-password': PUBLIC,
  'GET /recover': PUBLIC,
  'GET /style.css': PUBLIC,
  'GET /console/{page}': PUBLIC,
  'GET /console/{page}/{id}': PUBLIC,
  'GET /account/{page}': PUBLIC,
  'GET /account/{page}/{id}': PUBLIC,
  'GET /web/{file}': PUBLIC,
  'GET /readme': PUBLIC,
  'GET /api/docs': PUBLIC,
  'GET /api/docs/{file}': PUBLIC,
  'GET /api/openapi.json': PUBLIC,
  'GET /api/health': PUBLIC,
  'GET /api/health/live': PUBLIC,
  'GET /api/health/ready': PUBLIC,

  'POST /api/auth/register': PUBLIC,
  'POST /api/auth/confirm': PUBLIC,
  'POST /api/auth/login': PUBLIC,
  'POST /api/auth/login/{loginId}/factors': PUBLIC,
  'POST /api/auth/login/{loginId}/factors/options': PUBLIC,
  'POST /api/auth/login/{loginId}/factors/resend': PUBLIC,
  'POST /api/auth/password/forgot': PUBLIC,
  'POST /api/auth/password/reset': PUBLIC,
  'POST /api/auth/recovery/totp': PUBLIC,
  'POST /api/auth/recovery/totp/confirm': PUBLIC,

  'POST /api/auth/password': none(EVERYBODY, 'one-time password'),
  'POST /api/auth/logout': own(EVERYBODY, 'one-time password'),
  'GET /api/auth/csrf': own(EVERYBODY, 'one-time password'),
  'GET /api/auth/me': own(EVERYBODY, 'one-time password'),
  'GET /api/auth/sessions': own(EVERYBODY),
  'GET /api/auth/sessions/{id}': own(EVERYBODY),
  'DELETE /api/auth/sessions/{id}': own(EVERYBODY),
  'DELETE /api/auth/sessions': own(EVERYBODY),
  'POST /api/auth/step-up': own(EVERYBODY),
  'POST /api/auth/step-up/code': own(EVERYBODY),
  'POST /api/auth/step-up/options': own(EVERYBODY),
  'GET /api/auth/mfa': own(EVERYBODY),
  'POST /api/auth/mfa/totp': own(EVERYBODY, 'recent proof'),
  'POST /api/auth/mfa/totp/confirm': own(EVERYBODY, 'recent proof'),
  // Staff always keep one: an administrator can reset it.
  'DELETE /api/auth/mfa/totp': own(['customer', 'importer'], 'fresh factor'),
  'GET /api/auth/mfa/webauthn': own(EVERYBODY),
  'POST /api/auth/mfa/webauthn/options': own(EVERYBODY, 'fresh factor'),
  'POST /api/auth/mfa/webauthn/confirm': own(EVERYBODY, 'fresh factor'),
  'DELETE /api/auth/mfa/webauthn/{passkeyId}': own(EVERYBODY, 'fresh factor'),
  'POST /api/auth/mfa/recovery-codes': own(EVERYBODY, 'fresh factor'),
  'PUT /api/auth/mfa/security-questions': own(EVERYBODY, 'fresh factor'),
  'DELETE /api/auth/mfa/security-questions': own(EVERYBODY, 'fresh factor'),
  'GET /api/devices': own(EVERYBODY),
  'POST /api/devices/{id}/trust': own(EVERYBODY),
  'DELETE /api/devices/{id}': own(EVERYBODY),
  'GET /api/signing-keys': own(EVERYBODY),
  'GET /api/signing-keys/{keyId}': own(EVERYBODY),
  'POST /api/signing-keys': own(EVERYBODY, 'fresh factor'),
  'POST /api/signing-keys/{keyId}/rotate': own(EVERYBODY, 'fresh factor', 'signed'),
  'DELETE /api/signing-keys/{keyId}': own(EVERYBODY, 'signed'),
  'GET /api/profile': own(EVERYBODY),
  'PUT /api/profile': own(EVERYBODY, 'fresh factor', 'signed payout account'),
  'POST /api/profile/reveal': own(EVERYBODY, 'fresh factor'),

  'GET /api/profile/limits': own(TRADERS),
  'GET /api/instruments': none(EVERYBODY),
  'GET /api/exchange-rates': none(EVERYBODY),
  'GET /api/portfolio': own(TRADERS),
  'GET /api/transactions': own(TRADERS),
  'POST /api/transactions': own([...TRADERS, 'importer'], 'signed'),
  'GET /api/transactions/{transactionId}': own(TRADERS),
  'POST /api/transactions/{transactionId}/factors': own(TRADERS, 'signed'),
  'POST /api/transactions/{transactionId}/factors/options': own(TRADERS),
  'POST /api/transactions/{transactionId}/factors/resend': own(TRADERS),
  'GET /api/transactions/{transactionId}/payment': own(TRADERS),
  'POST /api/payments/stripe/webhook': PUBLIC,
  'POST /api/transactions/{transactionId}/cancel': own(TRADERS, 'signed'),
  'POST /api/transactions/{transactionId}/appeal': own(TRADERS, 'signed'),

  'GET /api/admin/security/reviews': any(STAFF),
  'GET /api/admin/security/reviews/{transactionId}': any(STAFF),
  'POST /api/admin/security/reviews/{transactionId}/notes': any(REVIEWERS),
  'POST /api/admin/security/reviews/{transactionId}/claim': any(REVIEWERS),
  'POST /api/admin/security/reviews/{transactionId}/release': any(REVIEWERS),
  'POST /api/admin/security/reviews/{transactionId}/assign': any(ADMIN),
  'POST /api/admin/security/transactions/{transactionId}/approve': any(REVIEWERS),
  'POST /api/admin/security/transactions/{transactionId}/reject': any(REVIEWERS),
  'POST /api/admin/security/transactions/{transactionId}/label': any(REVIEWERS),
  'GET /api/admin/security/rules/precision': none(STAFF),
  'GET /api/admin/security/incidents': any(STAFF),
  'GET /api/admin/security/incidents/{incidentId}': any(STAFF),
  'POST /api/admin/security/incidents/{incidentId}/evidence': any(AUDITORS),
  'GET /api/admin/security/incidents/{incidentId}/evidence': any(AUDITORS),
  'GET /api/admin/security/incidents/{incidentId}/evidence/{bundleId}': any(AUDITORS),
  'POST /api/admin/security/incidents/{incidentId}/evidence/{bundleId}/cancel': any(AUDITORS),
  'GET /api/admin/security/incidents/{incidentId}/evidence/{bundleId}/download': any(AUDITORS),
  'POST /api/admin/security/incidents/{incidentId}/investigate': any(REVIEWERS),
  'POST /api/admin/security/incidents/{incidentId}/resolve': any(REVIEWERS),
  'GET /api/admin/security/transactions/{transactionId}/decision': any(STAFF),
  'GET /api/admin/security/rule-sets': none(STAFF),
  'GET /api/admin/security/rule-sets/vocabulary': none(STAFF),
  'POST /api/admin/security/rule-sets/check': none(ADMIN),
  'POST /api/admin/security/rule-sets': none(ADMIN, 'fresh factor'),
  'GET /api/admin/security/rule-sets/{version}': none(STAFF),
  'GET /api/admin/security/rule-sets/{version}/diff': none(STAFF),
  'GET /api/admin/security/rule-sets/{version}/shadow': none(STAFF),
  'POST /api/admin/security/rule-sets/{version}/shadow': none(ADMIN, 'fresh factor'),
  'POST /api/admin/security/rule-sets/{version}/retire': none(ADMIN, 'fresh factor'),
  'POST /api/admin/security/rule-sets/{version}/propose': none(ADMIN, 'fresh factor'),
  'POST /api/admin/security/rule-sets/{version}/approve': none(ADMIN, 'fresh factor'),
  'POST /api/admin/security/rule-sets/{version}/backtests': none(ADMIN, 'fresh factor'),
  'GET /api/admin/security/rule-sets/{version}/backtests': none(STAFF),
  'GET /api/admin/security/rule-sets/{version}/backtests/{backtestId}': none(STAFF),
  'POST /api/admin/security/rule-sets/{version}/backtests/{backtestId}/cancel': none(ADMIN, 'fresh factor'),
  'GET /api/admin/security/events': any(STAFF),
  'GET /api/admin/security/console': none(STAFF),
  'GET /api/admin/security/dashboard/overview': any(STAFF),
  'GET /api/admin/security/dashboard/auth': any(STAFF),
  'GET /api/admin/security/dashboard/transactions': any(STAFF),
  'GET /api/admin/security/dashboard/api-security': any(STAFF),
  'GET /api/performance/stats': none(STAFF),
  'GET /api/task-queue/stats': none(STAFF),
  'GET /metrics': none(STAFF, 'scraper'),
  'GET /api/admin/security/accounts': any(STAFF),
  'GET /api/admin/security/accounts/{user_id}': any(STAFF),
  'GET /api/admin/security/accounts/{user_id}/sessions': any(STAFF),
  'POST /api/admin/security/accounts/{user_id}/sessions/end': any(ADMIN),
  'POST /api/admin/security/accounts/{user_id}/sessions/{session_id}/end': any(ADMIN),
  'GET /api/admin/security/accounts/{user_id}/devices': any(STAFF),
  'GET /api/admin/security/accounts/{user_id}/logins': any(STAFF),
  'GET /api/admin/security/lockouts': any(STAFF),
  'GET /api/admin/security/accounts/{user_id}/restriction': any(STAFF),
  'POST /api/admin/security/accounts/{user_id}/restrict': any(ADMIN),
  'POST /api/admin/security/accounts/{user_id}/restore': any(ADMIN, 'fresh factor'),
  'POST /api/admin/security/accounts/{user_id}/unlock': any(ADMIN),

  'GET /api/admin/security/audit-logs': none(AUDITORS),
  'GET /api/admin/security/audit-logs/checkpoint': none(AUDITORS),
  'GET /api/admin/security/audit-logs/checkpoints': none(AUDITORS),
  'POST /api/admin/security/audit-logs/checkpoints': none(AUDITORS),
  'GET /api/admin/security/audit-logs/consistency': none(AUDITORS),
  'GET /api/admin/security/audit-logs/{seq}/proof': none(AUDITORS),
  'POST /api/admin/security/audit-logs/entries/{id}/reveal': any(AUDITORS, 'fresh factor'),
  'POST /api/admin/security/audit-logs/verify-chain': none(AUDITORS),
  'GET /api/admin/security/audit-logs/verifications/{id}': none(AUDITORS),
  'POST /api/admin/security/audit-logs/verifications/{id}/cancel': none(AUDITORS),
  'GET /api/admin/users': any(AUDITORS),
  'GET /api/admin/users/{id}': any(AUDITORS),
  'POST /api/admin/users': any(ADMIN, 'fresh factor'),
  'PATCH /api/admin/users/{id}': any(ADMIN, 'fresh factor'),
  'POST /api/admin/users/{id}/reset-password': any(ADMIN, 'fresh factor'),
  'POST /api/admin/users/{id}/reset-mfa': any(ADMIN, 'fresh factor'),
  'POST /api/admin/users/{id}/reveal': any(ADMIN, 'fresh factor'),
  'POST /api/admin/users/{id}/erase-audit-identity': any(ADMIN, 'fresh factor'),
  'POST /api/admin/users/search': any(ADMIN, 'fresh factor'),
  'POST /api/admin/prices': none(ADMIN, 'fresh factor'),
  'POST /api/admin/exchange-rates': none(ADMIN, 'fresh factor'),
  'GET /api/admin/keys': any(AUDITORS),
  'POST /api/admin/keys/rotations': any(ADMIN, 'fresh factor'),
  'GET /api/admin/keys/rotations': any(AUDITORS),
  'GET /api/admin/keys/rotations/{rotationId}': any(AUDITORS),
  'POST /api/admin/keys/rotations/{rotationId}/cancel': any(ADMIN, 'fresh factor'),
  'GET /api/admin/backups': none(AUDITORS),
  'POST /api/admin/backups': none(ADMIN, 'fresh factor'),
  'GET /api/admin/backups/{backupId}': none(AUDITORS),
  'POST /api/admin/backups/{backupId}/cancel': none(ADMIN, 'fresh factor'),
  'POST /api/admin/backups/{backupId}/restore-drill': none(ADMIN, 'fresh factor'),
  'GET /api/admin/backups/restore-drills': none(AUDITORS),
  'GET /api/admin/backups/restore-drills/{drillId}': none(AUDITORS),
  'POST /api/admin/backups/restore-drills/{drillId}/cancel': none(ADMIN, 'fresh factor'),
};

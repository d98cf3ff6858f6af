import { SEVERITIES, type Severity } from './incident.ts';

/** How much an audit entry asks to be looked at. `info`: what is expected to happen every day. */
export const AUDIT_SEVERITIES = ['info', ...SEVERITIES] as const;
export type AuditSeverity = (typeof AUDIT_SEVERITIES)[number];

/** Actions that are no everyday matter when they succeed. What is not named is `info`. */
const OF_SUCCESS: Readonly<Record<string, Severity>> = {
  'account.restored': 'medium',
  'account.restricted': 'high',
  'audit.checkpoint_refused': 'critical',
  'audit.exported': 'medium',
  'audit.month_archived': 'high',
  'audit.month_restored': 'medium',
  'audit.restore_accepted': 'critical',
  'audit.revealed': 'medium',
  'backup.deleted': 'low',
  'backup.restored': 'high',
  'device.impossible_change': 'medium',
  'device.revoked': 'low',
  'field.tampered': 'critical',
  'fernet.imported': 'medium',
  'incident.evidence_created': 'medium',
  'incident.evidence_read': 'medium',
  'indicator.recorded': 'medium',
  'key.dropped': 'low',
  'lockout.started': 'low',
  'mfa.passkey_counter_regressed': 'high',
  'mfa.removed': 'medium',
  'payload.decoded': 'medium',
  'profile.revealed': 'low',
  'rule_set.demoted': 'critical',
  'rule_set.live': 'high',
  'signature.refused': 'medium',
  'subject.shredded': 'high',
  'transaction.held': 'medium',
  'transaction.terms_altered': 'critical',
  'user.created': 'low',
  'user.disabled': 'medium',
  'user.mfa_reset': 'medium',
  'user.password_reset': 'low',
  'user.role_changed': 'high',
  'user.tier_changed': 'medium',
  'workflow.lost': 'medium',
};

/** The same where it did not succeed. What is not named is `low`. */
const OF_FAILURE: Readonly<Record<string, Severity>> = {
  'audit.verified': 'critical',
  'login.denied': 'high',
  'signature.refused': 'medium',
  'transaction.terms_altered': 'critical',
};

/**
 * The severity of an audit entry, for those who search. An incident's entry has the incident's own.
 *
 * @param event action, outcome and details as they are recorded
 */
export function auditSeverity(event: {
  action: string;
  outcome: 'success' | 'failure' | 'denied';
  details?: Readonly<Record<string, unknown>> | undefined;
}): AuditSeverity {
  const own = event.action.startsWith('incident.') ? event.details?.severity : undefined;
  if (SEVERITIES.includes(own as Severity)) return own as Severity;
  if (event.outcome === 'success') return OF_SUCCESS[event.action] ?? 'info';
  return OF_FAILURE[event.action] ?? OF_SUCCESS[event.action] ?? 'low';
}

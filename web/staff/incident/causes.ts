import type { IncidentCause, Severity } from '../../../domain/incident.ts';

/** The gravest first. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const satisfies readonly Severity[];

/** Each cause once: what is missing here, or too much, does not compile. */
const EACH: Readonly<Record<IncidentCause, true>> = {
  alert: true,
  audit_failure: true,
  backup_failed: true,
  factor_shortage: true,
  field_tampered: true,
  lockout: true,
  login_escalated: true,
  maintenance_late: true,
  passkey_cloned: true,
  payment_mismatch: true,
  quarantine: true,
  restore_drill_failed: true,
  restriction: true,
  rule_set_breaker: true,
  secret_age: true,
  step_up_failed: true,
  transaction_altered: true,
  transaction_escalated: true,
  workflow_lost: true,
};
export const CAUSES = Object.keys(EACH) as IncidentCause[];

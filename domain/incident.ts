import { DomainError } from './errors.ts';

/** Mildest first. */
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const INCIDENT_STATUSES = ['open', 'investigating', 'resolved'] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

/** What opens an incident, and how grave that is at first sight. */
export const CAUSE_SEVERITY = {
  lockout: 'low',
  secret_age: 'low',
  quarantine: 'medium',
  factor_shortage: 'medium',
  step_up_failed: 'medium',
  workflow_lost: 'medium',
  maintenance_late: 'medium',
  alert: 'high',
  passkey_cloned: 'high',
  payment_mismatch: 'high',
  login_escalated: 'high',
  transaction_escalated: 'high',
  restriction: 'high',
  backup_failed: 'high',
  restore_drill_failed: 'high',
  rule_set_breaker: 'critical',
  audit_failure: 'critical',
  transaction_altered: 'critical',
  field_tampered: 'critical',
} as const satisfies Record<string, Severity>;
export type IncidentCause = keyof typeof CAUSE_SEVERITY;

const NEXT: Readonly<Record<IncidentStatus, readonly IncidentStatus[]>> = {
  open: ['investigating', 'resolved'],
  investigating: ['resolved'],
  resolved: [],
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds an incident may stay in `open` before it is escalated and staff are told again. */
export const ESCALATION_DELAY_MS: Readonly<Record<Severity, number>> = {
  low: 24 * HOUR,
  medium: 4 * HOUR,
  high: HOUR,
  critical: 15 * MINUTE,
};

/** The longest pause between two reminders of a critical incident. */
const LAST_REMINDER_MS = 24 * HOUR;

/**
 * Milliseconds from the opening, or from the last of `escalations` so far, to the next one. A critical incident cannot
 * become graver: staff are reminded of it, each time after twice as long, at last once a day.
 */
export function nextEscalationMs(severity: Severity, escalations: number): number {
  const delay = ESCALATION_DELAY_MS[severity];
  return severity === 'critical' ? Math.min(delay * 2 ** Math.min(escalations, 10), LAST_REMINDER_MS) : delay;
}

/** Severity a fresh incident of this cause starts with. */
export function severityOf(cause: IncidentCause): Severity {
  return CAUSE_SEVERITY[cause];
}

/** The next graver severity; `critical` stays critical. */
export function escalated(severity: Severity): Severity {
  return SEVERITIES[Math.min(SEVERITIES.indexOf(severity) + 1, SEVERITIES.length - 1)] ?? 'critical';
}

/** The graver of two; later evidence raises an incident and never lowers it. */
export function graver(a: Severity, b: Severity): Severity {
  return SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b;
}

/** True when an incident in `from` may become `to`. */
export function canIncidentBecome(from: IncidentStatus, to: IncidentStatus): boolean {
  return NEXT[from].includes(to);
}

/** Throws `illegal_transition` unless an incident in `from` may become `to`. */
export function assertIncidentCanBecome(from: IncidentStatus, to: IncidentStatus): void {
  if (!canIncidentBecome(from, to)) {
    throw new DomainError('illegal_transition', `An incident that is ${from} cannot become ${to}.`);
  }
}

/** What is measured each minute to tell whether the system itself is well. */
export interface Measurements {
  /** Age of the oldest audit entry without a seal, seconds. */
  readonly sealLagSeconds: number;
  /** How long the oldest sealed entry waits that no published checkpoint covers, seconds. */
  readonly checkpointWaitingSeconds: number;
  /** Places that the last checkpoint was not published to, and a witness that did not cosign it. */
  readonly checkpointFailures: number;
  /** Age of the oldest letter that was not sent, seconds. */
  readonly mailWaitingSeconds: number;
  /** Over the last five minutes, of all API processes. */
  readonly requests: number;
  readonly serverErrors: number;
  /** Workflows that `reconcile` found lost within the last ten minutes. */
  readonly lostWorkflows: number;
  /** Audit entries of the last ten minutes that found no table of their month. */
  readonly strayEntries: number;
}

export const ALERTS = [
  'seal_lag',
  'checkpoint_late',
  'checkpoint_incomplete',
  'outbox_backlog',
  'server_errors',
  'lost_workflows',
  'audit_months',
] as const;
export type AlertName = (typeof ALERTS)[number];

export interface Alert {
  readonly name: AlertName;
  readonly firing: boolean;
  /** One line for staff. */
  readonly title: string;
  readonly value: number;
  readonly threshold: number;
}

export const ALERT_THRESHOLDS = {
  sealLagSeconds: 30,
  /** Published every hour. */
  checkpointWaitingSeconds: 7_200,
  checkpointFailures: 0,
  mailWaitingSeconds: 60,
  /** Percent of the answered requests, strictly above. */
  serverErrorPercent: 5,
  /** Fewer errors than this are no rate. */
  minServerErrors: 5,
  lostWorkflows: 10,
  strayEntries: 0,
} as const;

/** Holds the measurements against the thresholds: every alert, firing or not. All comparisons are strict. */
export function evaluateAlerts(measured: Measurements): Alert[] {
  const limits = ALERT_THRESHOLDS;
  const percent = measured.requests === 0 ? 0 : (measured.serverErrors * 100) / measured.requests;
  return [
    above(
      'seal_lag',
      'The audit log is not sealed: no worker seals it',
      measured.sealLagSeconds,
      limits.sealLagSeconds,
    ),
    above(
      'checkpoint_late',
      'No checkpoint of the audit log is published outside the database',
      measured.checkpointWaitingSeconds,
      limits.checkpointWaitingSeconds,
    ),
    above(
      'checkpoint_incomplete',
      'The last checkpoint of the audit log is missing in one of its places, or its witness did not sign it',
      measured.checkpointFailures,
      limits.checkpointFailures,
    ),
    above(
      'outbox_backlog',
      'Letters are not sent: the mail server or every worker is away',
      measured.mailWaitingSeconds,
      limits.mailWaitingSeconds,
    ),
    {
      ...above('server_errors', 'Many requests end in a server error', percent, limits.serverErrorPercent),
      firing: percent > limits.serverErrorPercent && measured.serverErrors >= limits.minServerErrors,
    },
    above(
      'lost_workflows',
      'Workflows are lost again and again: somebody terminates them, or Temporal lost its data',
      measured.lostWorkflows,
      limits.lostWorkflows,
    ),
    above(
      'audit_months',
      'Audit entries find no table of their month: nothing makes them ahead',
      measured.strayEntries,
      limits.strayEntries,
    ),
  ];
}

function above(name: AlertName, title: string, value: number, threshold: number): Alert {
  return { name, title, value: Math.round(value * 100) / 100, threshold, firing: value > threshold };
}

import { Context } from '@temporalio/activity';
import { strayAuditEntries } from '../db/audit-months.ts';
import { lockIncident, openIncident, resolveLockedIncident } from '../db/incidents.ts';
import { readBacklog, recentlyLostWorkflows, recentRequests } from '../db/operations.ts';
import { row, type Tx } from '../db/sql.ts';
import { ALERTS, type Alert, type AlertName, evaluateAlerts } from '../domain/alert.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

/** How far back errors and losses are counted, minutes. */
const ERRORS_MINUTES = 5;
const LOSSES_MINUTES = 10;

export interface AlertReport {
  firing: AlertName[];
  incidents: FollowUps['incidents'];
}

/** Watches the system itself, and opens an incident for what is not well. */
export function createAlertActivities({ db, audit, log }: ActivityDeps) {
  async function measure(tx: Tx): Promise<Alert[]> {
    const backlog = await readBacklog(tx);
    const { requests, serverErrors } = await recentRequests(tx, ERRORS_MINUTES);
    return evaluateAlerts({
      sealLagSeconds: backlog.unsealedSeconds,
      checkpointWaitingSeconds: backlog.checkpointWaitingSeconds,
      checkpointFailures: backlog.checkpointFailures,
      mailWaitingSeconds: backlog.mailWaitingSeconds,
      requests,
      serverErrors,
      lostWorkflows: await recentlyLostWorkflows(tx, LOSSES_MINUTES),
      strayEntries: await strayAuditEntries(tx),
    });
  }

  async function unresolved(tx: Tx, name: AlertName): Promise<string | undefined> {
    const found = await row<{ id: string }>(
      tx,
      `select id from incident
        where cause = 'alert' and subject_kind = 'system' and subject_id = $1 and status <> 'resolved'`,
      [name],
    );
    return found?.id;
  }

  async function open(tx: Tx, alert: Alert, occasion: string): Promise<FollowUps['incidents']> {
    // While one is unresolved it says all there is to say: a line for every minute would bury what people note.
    if ((await unresolved(tx, alert.name)) !== undefined) return [];
    const { incidentId, opened, severity } = await openIncident(
      tx,
      { audit },
      {
        cause: 'alert',
        subjectKind: 'system',
        subjectId: alert.name,
        userId: null,
        title: alert.title,
        details: { alert: alert.name, value: alert.value, threshold: alert.threshold },
        key: `${occasion}:${alert.name}`,
      },
    );
    return opened ? [{ incidentId, severity }] : [];
  }

  /** Ends the incident of an alert that nobody took up and that is over. */
  async function close(tx: Tx, alert: Alert): Promise<FollowUps['incidents']> {
    const id = await unresolved(tx, alert.name);
    const incident = id === undefined ? undefined : await lockIncident(tx, id);
    if (incident?.status !== 'open') return [];
    await resolveLockedIncident(
      tx,
      { audit },
      {
        incidentId: incident.id,
        resolvedBy: null,
        resolution: `It is over: ${alert.value}, and the threshold is ${alert.threshold}.`,
      },
    );
    return [{ incidentId: incident.id, severity: incident.severity }];
  }

  return {
    /** One round. Repeating it does no harm. */
    evaluateAlerts(): Promise<AlertReport> {
      const occasion = Context.current().info.workflowExecution?.workflowId ?? 'alerts';
      return recordedRun({ db, log }, 'alerts', () =>
        db.transaction(async (tx) => {
          const alerts = await measure(tx);
          const incidents: FollowUps['incidents'] = [];
          for (const alert of alerts.toSorted((a, b) => ALERTS.indexOf(a.name) - ALERTS.indexOf(b.name))) {
            incidents.push(...(alert.firing ? await open(tx, alert, occasion) : await close(tx, alert)));
          }
          return { firing: alerts.filter(({ firing }) => firing).map(({ name }) => name), incidents };
        }),
      );
    },
  };
}

import { ApplicationFailure } from '@temporalio/common';
import { addIncidentEvent, type LockedIncident, lockIncident } from '../db/incidents.ts';
import { once } from '../db/once.ts';
import { oneRow, rows, run, type Tx } from '../db/sql.ts';
import { escalated, type IncidentStatus, nextEscalationMs, type Severity } from '../domain/incident.ts';
import type { ActivityDeps } from './deps.ts';

export { type OpenedIncident, type OpenIncident, openIncident, resolveIncidentFor } from '../db/incidents.ts';

/** What the workflow of an incident goes by. */
export interface IncidentState {
  status: IncidentStatus;
  severity: Severity;
  escalations: number;
  /** Milliseconds until it is escalated unless somebody takes it up; null when somebody has. */
  escalateInMs: number | null;
}

interface IncidentRow extends LockedIncident {
  cause: string;
  title: string;
  subject_kind: string;
  subject_id: string;
  escalations: number;
}

/** Tells staff of an incident and again, more loudly, for as long as nobody takes it up. */
export function createIncidentActivities(deps: ActivityDeps) {
  const { db, audit, outbox, publicOrigin } = deps;

  async function stateOf(tx: Tx, incidentId: string): Promise<IncidentState> {
    const found = await oneRow<{ status: IncidentStatus; severity: Severity; escalations: number; waited: string }>(
      tx,
      `select status, severity, escalations,
              extract(epoch from clock_timestamp() - greatest(opened_at, (
                select max(at) from incident_event e where e.incident_id = i.id and e.kind = 'escalated'))) * 1000 as waited
         from incident i where id = $1`,
      [incidentId],
    );
    const { status, severity, escalations } = found;
    const delay = nextEscalationMs(severity, escalations);
    const escalateInMs = status === 'open' ? Math.max(0, Math.ceil(delay - Number(found.waited))) : null;
    return { status, severity, escalations, escalateInMs };
  }

  async function readLocked(tx: Tx, incidentId: string): Promise<IncidentRow> {
    if ((await lockIncident(tx, incidentId)) === undefined) {
      throw ApplicationFailure.nonRetryable('there is no such incident', 'IncidentUnknown');
    }
    return oneRow<IncidentRow>(
      tx,
      'select id, status, severity, cause, title, subject_kind, subject_id, escalations from incident where id = $1',
      [incidentId],
    );
  }

  async function writeToStaff(tx: Tx, incident: IncidentRow, occasion: string, intro: string): Promise<void> {
    const staff = await rows<{ id: string; email: string }>(
      tx,
      `select id, email from app_user where role in ('reviewer', 'admin') and disabled_at is null order by id`,
    );
    for (const { id, email } of staff) {
      await outbox.enqueue(tx, {
        key: `incident:${incident.id}:${occasion}:${id}`,
        userId: id,
        to: email,
        template: 'incident',
        subject: `[${incident.severity}] ${incident.title}`,
        text: [
          intro,
          '',
          `Incident: ${incident.title}`,
          `Severity: ${incident.severity}`,
          `Cause:    ${incident.cause}`,
          `About:    ${incident.subject_kind} ${incident.subject_id}`,
          '',
          `${publicOrigin}/api/admin/security/incidents/${incident.id}`,
        ].join('\n'),
      });
    }
    await addIncidentEvent(tx, {
      incidentId: incident.id,
      key: `incident:${incident.id}:${occasion}:notified`,
      kind: 'notified',
      actor: 'system',
      details: { recipients: staff.length },
    });
  }

  return {
    /**
     * Tells staff of a new incident. A low one is only listed: it earns a letter when nobody takes it up in time.
     * @returns the state the workflow starts from
     */
    announceIncident: (incidentId: string): Promise<IncidentState> =>
      db.transaction((tx) =>
        once(tx, `incident:${incidentId}:announce`, async () => {
          const incident = await readLocked(tx, incidentId);
          if (incident.status !== 'resolved' && incident.severity !== 'low') {
            await writeToStaff(tx, incident, 'announce', 'Somebody has to look at this.');
          }
          return stateOf(tx, incidentId);
        }),
      ),

    readIncident: (incidentId: string): Promise<IncidentState> =>
      db.transaction(async (tx) => {
        await readLocked(tx, incidentId);
        return stateOf(tx, incidentId);
      }),

    /**
     * Makes an incident graver that nobody took up in time, and tells staff again. Does nothing when somebody did, or
     * when evidence moved the time.
     * @param escalation how many escalations there were before this one
     */
    escalateIncident: (incidentId: string, escalation: number): Promise<IncidentState> =>
      db.transaction(async (tx) => {
        const incident = await readLocked(tx, incidentId);
        const state = await stateOf(tx, incidentId);
        // A repeat finds the count moved on; one second of slack covers the two clocks.
        const isDue = state.escalateInMs !== null && state.escalateInMs <= 1_000;
        if (!isDue || incident.escalations !== escalation) return state;
        const severity = escalated(incident.severity);
        await run(tx, 'update incident set escalations = escalations + 1, severity = $2 where id = $1', [
          incidentId,
          severity,
        ]);
        await addIncidentEvent(tx, {
          incidentId,
          key: `incident:${incidentId}:escalated:${escalation + 1}`,
          kind: 'escalated',
          actor: 'system',
          details: { from: incident.severity, to: severity },
        });
        await audit.append(tx, {
          action: 'incident.escalated',
          actor: { kind: 'system' },
          subject: { kind: 'incident', id: incidentId },
          outcome: 'success',
          workflowId: `incident:${incidentId}`,
          details: { from: incident.severity, to: severity, escalation: escalation + 1 },
        });
        await writeToStaff(
          tx,
          { ...incident, severity },
          `escalated-${escalation + 1}`,
          'Nobody has taken this up yet.',
        );
        return stateOf(tx, incidentId);
      }),
  };
}

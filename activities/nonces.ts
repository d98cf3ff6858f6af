import { Context } from '@temporalio/activity';
import { openIncident } from '../db/incidents.ts';
import { maintainNoncePartitions, type NonceMaintenance } from '../db/nonces.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

export interface NonceMaintenanceReport extends NonceMaintenance {
  incidents: FollowUps['incidents'];
}

/** Partitions of the nonces of signed requests: made ahead, dropped when nothing in them can be replayed any more. */
export function createNonceActivities({ db, audit, log }: ActivityDeps) {
  return {
    /** One round; repeating it does no harm. Nonces that found no partition open an incident. */
    maintainNonces(): Promise<NonceMaintenanceReport> {
      return recordedRun({ db, log }, 'nonces', () =>
        db.transaction(async (tx) => {
          const done = await maintainNoncePartitions(tx);
          if (done.strays === 0) return { ...done, incidents: [] };
          const { incidentId, opened, raised, severity } = await openIncident(
            tx,
            { audit },
            {
              cause: 'maintenance_late',
              subjectKind: 'system',
              subjectId: 'request-nonces',
              userId: null,
              title: 'Nonces of signed requests found no partition: its maintenance did not run',
              details: { ...done },
              key: `${Context.current().info.workflowExecution?.workflowId ?? 'maintenance'}:strays`,
            },
          );
          return { ...done, incidents: opened || raised ? [{ incidentId, severity }] : [] };
        }),
      );
    },
  };
}

import { openIncident } from '../db/incidents.ts';
import { restrictionIncident } from '../db/indicators.ts';
import { once } from '../db/once.ts';
import { carryOut, waitingRequest } from '../db/recovery.ts';
import { restrictionById } from '../db/restrictions.ts';
import { rows } from '../db/sql.ts';
import type { RecoveryStep } from '../domain/restriction.ts';
import type { FollowUps } from '../workflows/contract.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';

export interface RecoveryStepTaken extends Pick<FollowUps, 'incidents'> {
  step: RecoveryStep;
  lifted: boolean;
}

/** What a freeze makes happen after the transaction that froze. */
export function createRestrictionActivities(deps: ActivityDeps) {
  const { db } = deps;
  return {
    /** Opens the incident, with what was found as its evidence. The owner's letter was queued by the freeze itself. */
    announceRestriction: (restrictionId: string): Promise<Pick<FollowUps, 'incidents'>> =>
      finalOnDataErrors(() =>
        db.transaction((tx) =>
          once(tx, `restriction:${restrictionId}:announced`, async () => {
            const { userId, origin, reason } = await restrictionById(tx, restrictionId);
            const indicators = await rows<{ kind: string; at: string; details: unknown }>(
              tx,
              'select kind, at, details from compromise_indicator where restriction_id = $1 order by at, id',
              [restrictionId],
            );
            const { incidentId, severity, opened, raised } = await openIncident(tx, deps, {
              ...restrictionIncident(userId),
              details: { restrictionId, origin, reason, indicators },
              key: `restriction:${restrictionId}`,
            });
            return { incidents: opened || raised ? [{ incidentId, severity }] : [] };
          }),
        ),
      ),

    /** The request for a step that waits to be carried out, if one does. */
    async nextRecoveryStep(restrictionId: string): Promise<{ requestId: string | null; lifted: boolean }> {
      const em = db.fork();
      const { liftedAt } = await restrictionById(em, restrictionId);
      const waiting = await waitingRequest(em, restrictionId);
      return { requestId: waiting?.id ?? null, lifted: liftedAt !== null };
    },

    /** Carries one request out; a repeat finds it done. */
    takeRecoveryStep: (restrictionId: string, requestId: string, linkTtlMs: number): Promise<RecoveryStepTaken> =>
      finalOnDataErrors(() =>
        db.transaction((tx) =>
          once(tx, `restriction:${restrictionId}:step:${requestId}`, async () =>
            carryOut(tx, deps, await restrictionById(tx, restrictionId), requestId, linkTtlMs),
          ),
        ),
      ),
  };
}

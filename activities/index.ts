import { createAlertActivities } from './alerts.ts';
import { createAuditActivities } from './audit.ts';
import { createCheckpointActivities } from './audit-checkpoint.ts';
import { createBacktestActivities } from './backtest.ts';
import { createBackupActivities } from './backup.ts';
import { createBreakerActivities } from './breaker.ts';
import type { ActivityDeps } from './deps.ts';
import { createDeviceActivities } from './device.ts';
import { createEvidenceActivities } from './evidence.ts';
import { createIncidentActivities } from './incident.ts';
import { createKeyRotationActivities } from './key-rotation.ts';
import { createLockoutActivities } from './lockout.ts';
import { createLoginActivities } from './login.ts';
import { createMailActivities } from './mail.ts';
import { createNonceActivities } from './nonces.ts';
import { createPopulationActivities } from './population.ts';
import { createReconcileActivities } from './reconcile.ts';
import { createRestrictionActivities } from './restriction.ts';
import { createTransactionActivities } from './transaction.ts';

/** All activities, by the names under which histories know them. */
export function createActivities(deps: ActivityDeps) {
  return {
    ...createAlertActivities(deps),
    ...createAuditActivities(deps),
    ...createCheckpointActivities(deps),
    ...createBacktestActivities(deps),
    ...createBackupActivities(deps),
    ...createBreakerActivities(deps),
    ...createDeviceActivities(deps),
    ...createEvidenceActivities(deps),
    ...createIncidentActivities(deps),
    ...createKeyRotationActivities(deps),
    ...createLockoutActivities(deps),
    ...createLoginActivities(deps),
    ...createMailActivities(deps),
    ...createNonceActivities(deps),
    ...createPopulationActivities(deps),
    ...createReconcileActivities(deps),
    ...createRestrictionActivities(deps),
    ...createTransactionActivities(deps),
  };
}

/** What workflows see of the activities: types only. */
export type Activities = ReturnType<typeof createActivities>;

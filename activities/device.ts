import { forgetUnseenDevices } from '../db/devices.ts';
import type { DeviceCleanUpInput } from '../workflows/contract.ts';
import { finalOnDataErrors } from './data-errors.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

/** Devices of one transaction; a round that was full has more to do. */
const BATCH = 500;

export interface DeviceCleanUpReport {
  forgotten: number;
  /** There may be more. */
  more: boolean;
}

/** What happens to devices by the clock. */
export function createDeviceActivities({ db, audit, log }: Pick<ActivityDeps, 'db' | 'audit' | 'log'>) {
  return {
    /** Forgets one batch of devices that were not seen for long, each with its audit entry. A repeat finds the next ones. */
    forgetDevices: ({ unseenForDays }: DeviceCleanUpInput): Promise<DeviceCleanUpReport> =>
      recordedRun({ db, log }, 'device-clean-up', () =>
        finalOnDataErrors(() =>
          db.transaction(async (tx) => {
            const forgotten = await forgetUnseenDevices(tx, unseenForDays, BATCH);
            if (forgotten.length > 0) {
              await audit.append(
                tx,
                ...forgotten.map(({ deviceId, userId, lastSeenAt, wasTrusted }) => ({
                  action: 'device.expired',
                  actor: { kind: 'system' } as const,
                  subject: { kind: 'user', id: userId },
                  outcome: 'success' as const,
                  details: { deviceId, lastSeenAt, wasTrusted, unseenForDays },
                })),
              );
            }
            return { forgotten: forgotten.length, more: forgotten.length === BATCH };
          }),
        ),
      ),
  };
}

import type { Logger } from 'pino';
import { storeErrors } from '../db/operations.ts';
import type { Database } from '../db/orm.ts';
import { createErrorTracker } from '../platform/error-tracker.ts';

const STORE_EVERY_MS = 5_000;

/** Unexpected errors of this worker's activities: counted in memory, added to the database every few seconds. */
export function createErrorReports({ db, log }: { db: Database; log: Logger }) {
  const errors = createErrorTracker();
  let storing: Promise<void> | undefined;

  async function store(): Promise<void> {
    const tracked = errors.drain();
    if (tracked.length === 0) return;
    try {
      await db.transaction((tx) => storeErrors(tx, 'worker', tracked));
    } catch (error) {
      errors.restore(tracked);
      log.warn({ err: error }, 'counts of errors could not be stored yet');
    }
  }

  const timer = setInterval(() => {
    storing ??= store().finally(() => {
      storing = undefined;
    });
  }, STORE_EVERY_MS);
  timer.unref();

  return {
    record: (error: unknown, activity: string): void => errors.record(error, { place: activity }),
    /** Stores the rest. The database must still be open. */
    async close(): Promise<void> {
      clearInterval(timer);
      await storing;
      await store();
    },
  };
}

export type ErrorReports = ReturnType<typeof createErrorReports>;

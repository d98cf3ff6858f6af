import type { Logger } from 'pino';
import { readBacklog, storeErrors, storeRequestCounts } from '../db/operations.ts';
import type { Database } from '../db/orm.ts';
import { createErrorTracker } from '../platform/error-tracker.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createRouteTimings, type ObservedRequest } from '../platform/route-timings.ts';
import { uuidV7 } from '../security/uuid.ts';

const MINUTE_MS = 60_000;
/** How late the other processes' alerts may hear of an error. */
const STORE_EVERY_MS = 5_000;

export interface TelemetryDeps {
  db: Database;
  log: Logger;
  /** How many pages follow the live events. */
  streams: () => number;
}

/**
 * What this process notices of itself: how long it takes to answer, which unexpected errors come up. Counts are kept in
 * memory and added to the database a few times a minute, so that neither a flood of errors nor an outage of the database
 * costs more than that; what could not be stored is stored later.
 */
export function createTelemetry({ db, log, streams }: TelemetryDeps) {
  const processId = uuidV7();
  const timings = createRouteTimings();
  const errors = createErrorTracker();
  const metrics = createMetrics({ backlog: () => readBacklog(db.fork()), pool: db.pool, streams });
  let minutes = new Map<number, { requests: number; serverErrors: number }>();
  let storing: Promise<void> | undefined;

  async function store(): Promise<void> {
    const counted = minutes;
    const tracked = errors.drain();
    minutes = new Map();
    if (counted.size === 0 && tracked.length === 0) return;
    try {
      await db.transaction(async (tx) => {
        await storeErrors(tx, 'api', tracked);
        await storeRequestCounts(
          tx,
          processId,
          [...counted].map(([minute, counts]) => ({ minute, ...counts })),
        );
      });
    } catch (error) {
      errors.restore(tracked);
      for (const [minute, { requests, serverErrors }] of counted) count(minute, requests, serverErrors);
      log.warn({ err: error }, 'counts of requests and errors could not be stored yet');
    }
  }

  function count(minute: number, requests: number, serverErrors: number): void {
    const known = minutes.get(minute) ?? { requests: 0, serverErrors: 0 };
    minutes.set(minute, { requests: known.requests + requests, serverErrors: known.serverErrors + serverErrors });
  }

  const timer = setInterval(() => {
    storing ??= store().finally(() => {
      storing = undefined;
    });
  }, STORE_EVERY_MS);
  timer.unref();

  return {
    /** To be called for every answered request. */
    observe(request: ObservedRequest): void {
      timings.record(request);
      metrics.observe(request);
      count(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS, 1, request.status >= 500 ? 1 : 0);
    },

    /** An error that was neither a refusal nor an outage. */
    unexpectedError(error: unknown, at: { place: string; requestId: string }): void {
      errors.record(error, at);
      metrics.unexpectedError();
    },

    /** A verdict that was handed on. */
    decision: (kind: string, outcome: string): void => metrics.decision(kind, outcome),

    routes: () => timings.snapshot(),
    render: () => metrics.render(),
    contentType: metrics.contentType,

    /** Stores what was counted up to now. */
    store,

    /** Stores the rest. The database must still be open. */
    async close(): Promise<void> {
      clearInterval(timer);
      await storing;
      await store();
    },
  };
}

export type Telemetry = ReturnType<typeof createTelemetry>;

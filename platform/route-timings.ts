import {
  createLatencyHistogram,
  type LatencyHistogram,
  type LatencySummary,
  summariseLatency,
} from './latency-histogram.ts';

const MINUTE_MS = 60_000;
/** How far "lately" reaches back, the running minute included. */
export const RECENT_MINUTES = 5;

interface Counted {
  readonly latency: LatencyHistogram;
  clientErrors: number;
  serverErrors: number;
}

interface Timings {
  readonly total: Counted;
  /** By minute since the epoch, only the latest ones. */
  readonly minutes: Map<number, Counted>;
}

export interface RouteTimings {
  method: string;
  route: string;
  sinceStart: LatencySummary & { clientErrors: number; serverErrors: number };
  lately: LatencySummary & { clientErrors: number; serverErrors: number };
}

/** One answered request. `route` is the pattern of its path: never the path itself, which holds ids. */
export interface ObservedRequest {
  method: string;
  route: string;
  status: number;
  ms: number;
}

/** How long this process took to answer, by route, since it started and in the last minutes. */
export function createRouteTimings({ now = Date.now }: { now?: () => number } = {}) {
  const routes = new Map<string, Timings>();

  function recent(timings: Timings): Counted[] {
    const oldest = Math.floor(now() / MINUTE_MS) - RECENT_MINUTES + 1;
    for (const minute of timings.minutes.keys()) if (minute < oldest) timings.minutes.delete(minute);
    return [...timings.minutes.values()];
  }

  function minuteOf(timings: Timings): Counted {
    const minute = Math.floor(now() / MINUTE_MS);
    const known = timings.minutes.get(minute);
    if (known !== undefined) return known;
    recent(timings);
    const fresh = nothing();
    timings.minutes.set(minute, fresh);
    return fresh;
  }

  return {
    record({ method, route, status, ms }: ObservedRequest): void {
      const key = `${method} ${route}`;
      const timings = routes.get(key) ?? { total: nothing(), minutes: new Map() };
      routes.set(key, timings);
      for (const counted of [timings.total, minuteOf(timings)]) {
        counted.latency.record(ms);
        if (status >= 500) counted.serverErrors += 1;
        else if (status >= 400) counted.clientErrors += 1;
      }
    },

    /** Every route that was called, the most called first. */
    snapshot(): RouteTimings[] {
      return [...routes]
        .map(([key, timings]) => {
          const [method = '', route = ''] = key.split(' ');
          return { method, route, sinceStart: summary([timings.total]), lately: summary(recent(timings)) };
        })
        .sort((a, b) => b.sinceStart.count - a.sinceStart.count);
    },
  };
}

export type RouteTimer = ReturnType<typeof createRouteTimings>;

function nothing(): Counted {
  return { latency: createLatencyHistogram(), clientErrors: 0, serverErrors: 0 };
}

function summary(counted: readonly Counted[]): RouteTimings['sinceStart'] {
  return {
    ...summariseLatency(counted.map(({ latency }) => latency)),
    clientErrors: counted.reduce((sum, one) => sum + one.clientErrors, 0),
    serverErrors: counted.reduce((sum, one) => sum + one.serverErrors, 0),
  };
}

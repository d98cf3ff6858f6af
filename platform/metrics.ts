import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ObservedRequest } from './route-timings.ts';

/** What the database and this process tell when somebody scrapes. */
export interface MetricSources {
  /** Read at most once a scrape. @throws when the database does not answer */
  backlog: () => Promise<BacklogNumbers>;
  pool: () => { total: number; idle: number; waiting: number };
  streams: () => number;
}

export interface BacklogNumbers {
  unsealed: number;
  /** Age of the oldest entry that no seal covers yet. */
  unsealedSeconds: number;
  mailsWaiting: number;
  mailWaitingSeconds: number;
  held: number;
  steppingUp: number;
  unresolvedIncidents: number;
  /** Age of the last published checkpoint of the audit log; NaN before the first. */
  checkpointSeconds: number;
  /** How long the oldest sealed entry waits that none covers. */
  checkpointWaitingSeconds: number;
  /** Places that the last one is missing in, and a witness that did not sign it. */
  checkpointFailures: number;
}

/** From 5 ms to 10 s; a verdict is to come within 500 ms. */
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Everything that `GET /metrics` tells, in a registry of its own. Labels hold patterns and kinds, never ids or people. */
export function createMetrics({ backlog, pool, streams }: MetricSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'tradeguard_http_request_duration_seconds',
    help: 'Time to answer, by method, pattern of the route, and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const decisions = new Counter({
    name: 'tradeguard_decisions_total',
    help: 'Verdicts that this process handed on, by kind and outcome',
    labelNames: ['kind', 'outcome'] as const,
    registers,
  });
  const unexpected = new Counter({
    name: 'tradeguard_unexpected_errors_total',
    help: 'Errors that were no refusal and no outage',
    registers,
  });

  const gauge = (name: string, help: string) => new Gauge({ name: `tradeguard_${name}`, help, registers });
  const byNumber: Record<keyof BacklogNumbers, Gauge> = {
    unsealed: gauge('audit_unsealed_entries', 'Audit entries that no seal covers yet'),
    unsealedSeconds: gauge('audit_seal_lag_seconds', 'Age of the oldest audit entry without a seal'),
    mailsWaiting: gauge('outbox_waiting', 'Letters that were not sent yet'),
    mailWaitingSeconds: gauge('outbox_oldest_seconds', 'Age of the oldest letter that was not sent yet'),
    held: gauge('transactions_held', 'Transactions that wait for a reviewer'),
    steppingUp: gauge('transactions_stepping_up', 'Transactions that wait for a factor of their owner'),
    checkpointSeconds: gauge('audit_checkpoint_age_seconds', 'Age of the last published checkpoint of the audit log'),
    checkpointWaitingSeconds: gauge(
      'audit_checkpoint_lag_seconds',
      'Age of the oldest sealed audit entry that no published checkpoint covers',
    ),
    checkpointFailures: gauge(
      'audit_checkpoint_failures',
      'Places that the last checkpoint is missing in, and a witness that did not sign it',
    ),
    unresolvedIncidents: gauge('incidents_unresolved', 'Incidents that are open or investigated'),
  };
  const databaseUp = gauge('database_up', '1 when the database told the numbers of this scrape');
  const connections = new Gauge({
    name: 'tradeguard_db_pool_connections',
    help: 'Connections of the pool of this process, and callers that wait for one',
    labelNames: ['state'] as const,
    registers,
  });
  const liveStreams = gauge('event_streams', 'Pages that follow the live events in this process');

  async function readSources(): Promise<void> {
    const { total, idle, waiting } = pool();
    connections.set({ state: 'busy' }, total - idle);
    connections.set({ state: 'idle' }, idle);
    connections.set({ state: 'waiting' }, waiting);
    liveStreams.set(streams());
    const numbers = await backlog().catch(() => undefined);
    databaseUp.set(numbers === undefined ? 0 : 1);
    for (const [name, one] of Object.entries(byNumber)) {
      // A number that nobody could read must not look like a good one.
      one.set(numbers?.[name as keyof BacklogNumbers] ?? Number.NaN);
    }
  }

  return {
    contentType: registry.contentType,
    observe: ({ method, route, status, ms }: ObservedRequest): void =>
      requests.observe({ method, route, status: String(status) }, ms / 1000),
    decision: (kind: string, outcome: string): void => decisions.inc({ kind, outcome }),
    unexpectedError: (): void => unexpected.inc(),
    /** Prometheus text format 0.0.4. */
    async render(): Promise<string> {
      await readSources();
      return registry.metrics();
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

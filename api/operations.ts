import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { z } from 'zod';
import { latestErrors, readBacklog, recentRequests } from '../db/operations.ts';
import { RECENT_MINUTES } from '../platform/route-timings.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { type Access, type Reply, type Route, route } from './route.ts';

const STAFF = {
  kind: 'session',
  roles: ['reviewer', 'admin', 'auditor'],
  ownership: 'none',
} as const satisfies Access;
const ERRORS_LISTED = 50;
const LOOP_RESOLUTION_MS = 20;

const count = z.number().int();
const latency = z.object({
  count,
  p50: z.number().nullable().describe('Milliseconds, to 4 %'),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
  clientErrors: count,
  serverErrors: count,
});
const performanceStats = z.object({
  process: z.object({
    pid: count,
    host: z.string(),
    startedAt: z.iso.datetime(),
    uptimeSeconds: count,
  }),
  recentMinutes: count,
  routes: z
    .array(z.object({ method: z.string(), route: z.string(), sinceStart: latency, lately: latency }))
    .describe('Of the process that answers; `lately` is the last minutes'),
  allProcesses: z.object({ requests: count, serverErrors: count }).describe('In the last minutes, to a few seconds'),
  eventLoopDelay: z.object({ mean: z.number(), p99: z.number(), max: z.number() }).describe('Milliseconds'),
  memory: z.object({ rss: count, heapUsed: count, heapTotal: count, external: count }).describe('Bytes'),
  databasePool: z.object({ max: count, total: count, idle: count, waiting: count }),
  eventStreams: count,
  backlog: z.object({
    unsealed: count,
    unsealedSeconds: z.number(),
    mailsWaiting: count,
    mailWaitingSeconds: z.number(),
    held: count,
    steppingUp: count,
    unresolvedIncidents: count,
    checkpointSeconds: z
      .number()
      .nullable()
      .describe('Age of the last checkpoint of the audit log; null before the first'),
    checkpointWaitingSeconds: z.number(),
    checkpointFailures: count,
  }),
  errors: z
    .array(
      z.object({
        fingerprint: z.string(),
        process: z.enum(['api', 'worker']),
        type: z.string(),
        message: z.string(),
        place: z.string(),
        occurrences: count,
        firstAt: z.iso.datetime(),
        lastAt: z.iso.datetime(),
        lastRequestId: z.string().nullable(),
      }),
    )
    .describe('Unexpected errors of every process by kind, the freshest first'),
});
const taskQueueStats = z.object({
  queues: z.array(
    z.object({
      queue: z.enum(['decisions', 'background']),
      name: z.string(),
      kind: z.enum(['workflow', 'activity']),
      backlog: count,
      oldestSeconds: z.number(),
      addedPerSecond: z.number(),
      dispatchedPerSecond: z.number(),
      pollers: z.array(z.object({ identity: z.string(), lastSeenAt: z.iso.datetime() })),
    }),
  ),
  workflows: z.array(z.object({ type: z.string(), byStatus: z.record(z.string(), count) })),
});
nameSchemas({ Latency: latency, PerformanceStats: performanceStats, TaskQueueStats: taskQueueStats });

/** How the system itself is doing: for staff, and as Prometheus text for a scraper. */
export function createOperationsRoutes({ config, db, gateway, telemetry, feed }: ApiDeps): Route[] {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();

  async function performanceReply(): Promise<Reply> {
    await telemetry.store();
    const tx = db.fork();
    const [backlog, errors, allProcesses] = await Promise.all([
      readBacklog(tx),
      latestErrors(tx, ERRORS_LISTED),
      recentRequests(tx, RECENT_MINUTES),
    ]);
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const uptime = process.uptime();
    const body: z.output<typeof performanceStats> = {
      process: {
        pid: process.pid,
        host: hostname(),
        startedAt: new Date(Date.now() - uptime * 1000).toISOString(),
        uptimeSeconds: Math.floor(uptime),
      },
      recentMinutes: RECENT_MINUTES,
      routes: telemetry.routes(),
      allProcesses,
      eventLoopDelay: { mean: millis(loop.mean), p99: millis(loop.percentile(99)), max: millis(loop.max) },
      memory: { rss, heapUsed, heapTotal, external },
      databasePool: db.pool(),
      eventStreams: feed.streams(),
      backlog,
      errors,
    };
    return { status: 200, body };
  }

  return [
    route({
      method: 'get',
      path: '/api/performance/stats',
      name: 'getPerformanceStats',
      summary: 'Latencies by route, event loop, memory, database pool, unexpected errors',
      access: STAFF,
      responses: { 200: { description: 'As of now', schema: performanceStats } },
      handler: performanceReply,
    }),
    route({
      method: 'get',
      path: '/api/task-queue/stats',
      name: 'getTaskQueueStats',
      summary: 'Backlog and pollers of the task queues, workflows by status',
      access: STAFF,
      responses: { 200: { description: 'As of now', schema: taskQueueStats } },
      handler: async () => ({ status: 200, body: await gateway.taskQueueStats(config.verdictTimeout) }),
    }),
    route({
      method: 'get',
      path: '/metrics',
      name: 'getMetrics',
      summary: 'Everything that is counted, as Prometheus text',
      access: { ...STAFF, machine: 'metrics' },
      responses: { 200: { description: 'Prometheus text format 0.0.4', mediaTypes: ['text/plain'] } },
      handler: async () => ({ status: 200, contentType: telemetry.contentType, body: await telemetry.render() }),
    }),
  ];
}

/** Of nanoseconds; 0 before the first measurement. */
function millis(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.round(nanoseconds / 1e4) / 100 : 0;
}

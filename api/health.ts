import { z } from 'zod';
import { sealingBacklog } from '../db/audit-seal.ts';
import { lastGoodBackupAt } from '../db/backups.ts';
import { reportedFeatures } from '../db/feature-reports.ts';
import { oneRow } from '../db/sql.ts';
import { isBackupOverdue } from '../domain/backup.ts';
import { FEATURE_STATES } from '../domain/feature.ts';
import type { RedisConnection } from '../platform/redis.ts';
import type { Keyring } from '../security/keyring.ts';
import type { ApiDeps } from './deps.ts';
import { allFeatures, apiFeatures, logMissingFeatures } from './features.ts';
import { nameSchemas } from './named-schemas.ts';
import { type Route, route } from './route.ts';

const CHECK_TIMEOUT_MS = 2_000;
/** Health is public: however often it is asked, the servers are asked once in this time. */
const CACHE_MS = 1_000;
/** Entries are sealed within a fraction of a second; older ones say that no sealer works. */
const SEALER_LATE_SECONDS = 30;
/** Letters leave within a second; older ones say that no worker or no mail server takes them. */
const MAIL_LATE_SECONDS = 60;

const component = z.object({ status: z.enum(['up', 'late', 'down']), detail: z.string().optional() });
const healthSchema = z.object({
  status: z.enum(['up', 'degraded', 'down']),
  components: z.object({
    database: component,
    temporal: component,
    workers: component.extend({ decisions: z.number().int(), background: z.number().int() }),
    sealer: component.extend({ unsealed: z.number().int(), oldestSeconds: z.number() }),
    backups: component.extend({ status: z.enum(['up', 'late', 'off', 'down']) }),
    geo: component.extend({ status: z.enum(['up', 'off', 'down']) }),
    rateLimit: component.extend({ store: z.enum(['postgresql', 'redis']).describe('Where calls are counted now') }),
    mail: component.extend({ mode: z.enum(['smtp', 'file']), waiting: z.number().int(), oldestSeconds: z.number() }),
  }),
  features: z
    .array(z.object({ name: z.string(), state: z.enum(FEATURE_STATES), why: z.string().nullable() }))
    .describe('What an installation can do without, and why this one does'),
  checkedAt: z.iso.datetime(),
});
nameSchemas({ HealthComponent: component, Health: healthSchema });
type Health = z.output<typeof healthSchema>;

/** Says which part is up or down. Without database or Temporal nothing works: 503. Anything else is `degraded`: 200. */
export function createHealthRoutes(deps: ApiDeps): Route[] {
  logMissingFeatures(apiFeatures(deps), deps.log);
  const check = cached(() => checkHealth(deps), CACHE_MS);
  const answer = (health: Health, isHealthy: boolean) => ({
    status: isHealthy ? 200 : 503,
    body: health,
    ...(isHealthy ? {} : { headers: { 'Retry-After': '5' } }),
  });
  return [
    route({
      method: 'get',
      path: '/api/health',
      name: 'getHealth',
      summary: 'Which part is up or down',
      access: { kind: 'public' },
      limit: 'local',
      responses: {
        200: { description: 'Everything that is needed answers', schema: healthSchema },
        503: { description: 'The database or Temporal does not answer', schema: healthSchema },
      },
      handler: async () => {
        const health = await check();
        return answer(health, health.status !== 'down');
      },
    }),
    route({
      method: 'get',
      path: '/api/health/live',
      name: 'getLiveness',
      summary: 'Whether this process answers at all: restart it when it does not',
      access: { kind: 'public' },
      limit: 'none',
      responses: { 200: { description: 'It does', schema: z.object({ status: z.literal('up') }) } },
      handler: async () => ({ status: 200, body: { status: 'up' } }),
    }),
    route({
      method: 'get',
      path: '/api/health/ready',
      name: 'getReadiness',
      summary: 'Whether requests should be sent to this process',
      access: { kind: 'public' },
      limit: 'none',
      responses: {
        200: { description: 'They should', schema: healthSchema },
        503: { description: 'The database, Temporal or every worker is away', schema: healthSchema },
      },
      handler: async () => {
        const health = await check();
        return answer(health, health.status !== 'down' && health.components.workers.status === 'up');
      },
    }),
  ];
}

async function checkHealth(deps: ApiDeps): Promise<Health> {
  const { db, keyring, gateway, config, geo, redis, log } = deps;
  const failed = (part: string) => (error: unknown) => {
    log.warn({ err: error, part }, 'health check failed');
    return undefined;
  };
  const [backlog, pollers, lastBackup, reports] = await Promise.all([
    within(CHECK_TIMEOUT_MS, readBacklog({ db })).catch(failed('database')),
    gateway.pollers(CHECK_TIMEOUT_MS).catch(failed('temporal')),
    within(CHECK_TIMEOUT_MS, lastGoodBackupAt(db.fork())).catch(failed('backups')),
    within(CHECK_TIMEOUT_MS, reportedFeatures(db.fork())).catch(failed('features')),
  ]);
  const components: Health['components'] = {
    database: databaseOf(backlog, keyring),
    temporal: pollers ? { status: 'up' } : { status: 'down', detail: 'does not answer' },
    workers: workersOf(pollers),
    sealer: sealerOf(backlog),
    backups: backupsOf(lastBackup),
    geo: geo.status(),
    rateLimit: rateLimitOf(redis),
    mail: { ...mailOf(backlog), mode: config.smtpUrl === undefined ? 'file' : 'smtp' },
  };
  const isDown = components.database.status === 'down' || components.temporal.status === 'down';
  const features = allFeatures(apiFeatures(deps), reports);
  const isWhole =
    Object.values(components).every(({ status }) => status === 'up' || status === 'off') &&
    features.every(({ state }) => state !== 'unavailable');
  return {
    status: isDown ? 'down' : isWhole ? 'up' : 'degraded',
    components,
    features,
    checkedAt: new Date().toISOString(),
  };
}

/** Until the keys that lie in it are open, no request can be answered, though the database is there. */
function databaseOf(backlog: Backlog | undefined, keyring: Keyring) {
  if (backlog === undefined) return { status: 'down' as const, detail: 'does not answer' };
  try {
    keyring.generations('session');
    return { status: 'up' as const };
  } catch {
    return { status: 'down' as const, detail: 'answers, and its keys are being opened' };
  }
}

/** Without Redis the limits hold as before, at the cost of a statement a call. */
function rateLimitOf(redis: RedisConnection | undefined) {
  if (redis === undefined) return { status: 'up' as const, store: 'postgresql' as const };
  if (redis.isUp()) return { status: 'up' as const, store: 'redis' as const };
  return { status: 'down' as const, store: 'postgresql' as const, detail: 'Redis does not answer' };
}

function workersOf(pollers: { decisions: number; background: number } | undefined) {
  const { decisions, background } = pollers ?? { decisions: 0, background: 0 };
  const isUp = decisions > 0 && background > 0;
  return { status: isUp ? ('up' as const) : ('down' as const), decisions, background };
}

function sealerOf(backlog: Backlog | undefined) {
  const { unsealed, unsealedSeconds: oldestSeconds } = backlog ?? { unsealed: 0, unsealedSeconds: 0 };
  return { status: lateness(backlog, oldestSeconds, SEALER_LATE_SECONDS), unsealed, oldestSeconds };
}

/** Where none was ever made they are off: a developer's machine is whole without. Why is told by the worker's log. */
function backupsOf(lastGoodAt: string | null | undefined) {
  if (lastGoodAt === undefined) return { status: 'down' as const };
  if (lastGoodAt === null) return { status: 'off' as const, detail: 'no backup was made yet' };
  const isLate = isBackupOverdue(lastGoodAt, Date.now());
  return isLate ? { status: 'late' as const, detail: 'the last good backup is too old' } : { status: 'up' as const };
}

function mailOf(backlog: Backlog | undefined) {
  const { waiting, waitingSeconds: oldestSeconds } = backlog ?? { waiting: 0, waitingSeconds: 0 };
  return { status: lateness(backlog, oldestSeconds, MAIL_LATE_SECONDS), waiting, oldestSeconds };
}

function lateness(backlog: Backlog | undefined, seconds: number, limit: number): 'up' | 'late' | 'down' {
  if (backlog === undefined) return 'down';
  return seconds > limit ? 'late' : 'up';
}

interface Backlog {
  unsealed: number;
  unsealedSeconds: number;
  waiting: number;
  waitingSeconds: number;
}

/** Its cost does not grow with the log. */
async function readBacklog({ db }: Pick<ApiDeps, 'db'>): Promise<Backlog> {
  const { unsealed, oldestSeconds } = await sealingBacklog(db.fork(), '1 hour');
  const mail = await oneRow<{ waiting: number; waitingSeconds: number }>(
    db.fork(),
    `select count(*)::int as waiting,
            coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as "waitingSeconds"
       from outbox_mail where sent_at is null and failed_at is null`,
  );
  return { unsealed, unsealedSeconds: oldestSeconds, ...mail };
}

/** @throws when the work takes longer */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

function cached<T>(work: () => Promise<T>, ms: number): () => Promise<T> {
  let current: { at: number; result: Promise<T> } | undefined;
  return () => {
    if (current === undefined || Date.now() - current.at > ms) current = { at: Date.now(), result: work() };
    return current.result;
  };
}

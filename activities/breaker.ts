import { openIncident } from '../db/incidents.ts';
import {
  expectedHolds,
  type ForecastSource,
  type LiveVersion,
  readLive,
  recentHolds,
  versionBefore,
} from '../db/rule-set-breaker.ts';
import { lockRuleSets } from '../db/rule-set-events.ts';
import { replaceLive } from '../db/rule-set-life.ts';
import { row, type Tx } from '../db/sql.ts';
import { breakerLimit } from '../domain/risk/breaker.ts';
import type { FollowUps } from '../workflows/contract.ts';
import type { ActivityDeps } from './deps.ts';
import { recordedRun } from './schedule-runs.ts';

export interface BreakerReport {
  version: string;
  /** Within the last hour, counted no further than just above the limit; null where there is no forecast to hold them against. */
  holds: number | null;
  limit: number | null;
  /** The version that decides since this look; null where nothing was changed. */
  restored: string | null;
  incidents: FollowUps['incidents'];
}

/** How long a process goes by the limit that it worked out; another version is another limit at once. */
const LIMIT_TTL_MS = 60_000;

interface Limit {
  readonly limit: number;
  readonly source: ForecastSource;
}

/**
 * Takes a rule set that holds far more than was expected of it out of the decisions: it goes on in the shadow, the version
 * before decides again, and a critical incident tells staff. Any number of processes may look at once; one trips it.
 */
export function createBreaker({ db, audit, breaker, log }: Pick<ActivityDeps, 'db' | 'audit' | 'breaker' | 'log'>) {
  let known: { key: string; until: number; limit: Limit | null } | undefined;

  async function limitOf(tx: Tx, live: LiveVersion): Promise<Limit | null> {
    const key = `${live.version} ${live.since}`;
    if (known?.key === key && performance.now() < known.until) return known.limit;
    const source = await expectedHolds(tx, live);
    const limit = source === null ? null : { limit: breakerLimit(source.perHour, breaker), source };
    known = { key, until: performance.now() + LIMIT_TTL_MS, limit };
    return limit;
  }

  /** The change itself, asked again under the lock that all changes take: whoever comes second finds another version live. */
  async function trip(tx: Tx, seen: LiveVersion, { limit, source }: Limit): Promise<BreakerReport> {
    await lockRuleSets(tx);
    const live = await readLive(tx);
    const holds = await recentHolds(tx, live, limit);
    const unchanged = { version: live.version, holds, limit, restored: null, incidents: [] };
    if (live.version !== seen.version || live.since !== seen.since || holds <= limit) return unchanged;
    const restored = await versionBefore(tx, live.version);
    const details = {
      version: live.version,
      holds,
      limit,
      expected: source.perHour.p99,
      forecast: source.from,
      restored,
    };
    if (restored !== null) {
      await replaceLive(tx, { from: live.version, becomes: 'shadow', to: restored, actor: null, details });
      await audit.append(tx, {
        action: 'rule_set.demoted',
        actor: { kind: 'system' },
        subject: { kind: 'rule_set', id: live.version },
        outcome: 'success',
        details: { ...details, reportId: source.reportId },
      });
      log.error(details, 'the breaker took a rule set out of the decisions');
    } else if (await isUnderWay(tx, live.version)) return unchanged;
    const title =
      restored === null
        ? `Rule set ${live.version} holds far more than expected, and there is none to return to`
        : `Rule set ${live.version} held far more than expected: ${restored} decides again`;
    const incident = await openIncident(
      tx,
      { audit },
      {
        cause: 'rule_set_breaker',
        subjectKind: 'system',
        subjectId: `rule-set:${live.version}`,
        userId: null,
        title,
        details,
        key: `rule-set:${live.version}:${live.since}:breaker`,
      },
    );
    const incidents =
      incident.opened || incident.raised ? [{ incidentId: incident.incidentId, severity: incident.severity }] : [];
    return { version: live.version, holds, limit, restored, incidents };
  }

  return {
    /** One look, two statements where nothing is wrong. */
    async look(): Promise<BreakerReport> {
      const tx = db.fork();
      const live = await readLive(tx);
      const limit = await limitOf(tx, live);
      if (limit === null) return { version: live.version, holds: null, limit: null, restored: null, incidents: [] };
      const holds = await recentHolds(tx, live, limit.limit);
      if (holds <= limit.limit) {
        return { version: live.version, holds, limit: limit.limit, restored: null, incidents: [] };
      }
      return db.transaction((inside) => trip(inside, live, limit));
    },
  };
}

/** The breaker by the clock. */
export function createBreakerActivities(deps: ActivityDeps) {
  const breaker = createBreaker(deps);
  return {
    /** Repeating it does no harm. */
    evaluateBreaker: (): Promise<BreakerReport> => recordedRun(deps, 'breaker', () => breaker.look()),
  };
}

async function isUnderWay(tx: Tx, version: string): Promise<boolean> {
  const found = await row(
    tx,
    `select from incident where cause = 'rule_set_breaker' and subject_id = $1 and status <> 'resolved'`,
    [`rule-set:${version}`],
  );
  return found !== undefined;
}

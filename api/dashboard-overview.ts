import type { z } from 'zod';
import { listCheckpoints, type StoredCheckpoint } from '../db/audit-checkpoints.ts';
import { sealerLag } from '../db/audit-seal.ts';
import {
  type LastVerification,
  lastSealedAt,
  lastVerification,
  liveCounts,
  type Outcomes,
  type RiskBucket,
  recentOutcomes,
  riskOverTime,
  SESSIONS_COUNTED,
  unresolvedIncidents,
} from '../db/dashboard-overview.ts';
import { type LastRun, lastScheduleRuns } from '../db/schedule-runs.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { currencyExponent, formatAmount } from '../domain/money.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { isRunLate, nextRun, recurrences, SCHEDULE_NAMES, type ScheduleName } from '../domain/schedule.ts';
import { TRANSACTION_STATUSES } from '../domain/transaction.ts';
import { checkpointName } from '../security/checkpoint.ts';
import { LOGIN_ENDINGS, overviewDashboard, overviewQuery, RISK_WINDOWS } from './dashboard-overview-schema.ts';
import type { ApiDeps } from './deps.ts';
import { type Route, route } from './route.ts';

type Overview = z.output<typeof overviewDashboard>;

/** Hundredths; what the tallies count as high risk (db/migrations/0027-console.ts). */
const HIGH_RISK_ABOVE = 60;

/** The page that staff open first: how much of everything there is now, and what runs by itself. */
export function createOverviewRoutes({ config, db }: ApiDeps): Route[] {
  const plan = recurrences(config.backupTimeZone);

  async function overview(window: keyof typeof RISK_WINDOWS): Promise<Overview> {
    const tx = db.fork();
    const now = Date.now();
    const { windowMs, bucketMs } = RISK_WINDOWS[window];
    const span = { windowMs, bucketMs, now };
    const [counts, logins, transactions, loginRisk, transactionRisk, incidents, audit, runs] = await Promise.all([
      liveCounts(tx, config.baseCurrency),
      recentOutcomes(tx, 'login'),
      recentOutcomes(tx, 'transaction'),
      riskOverTime(tx, 'login', span),
      riskOverTime(tx, 'transaction', span),
      unresolvedIncidents(tx),
      auditState(),
      lastScheduleRuns(tx),
    ]);
    return {
      generatedAt: new Date(now).toISOString(),
      live: {
        sessions: { open: Math.min(counts.sessions, SESSIONS_COUNTED), more: counts.sessions > SESSIONS_COUNTED },
        accounts: { locked: counts.locked, restricted: counts.restricted },
        logins: bothViews(logins, LOGIN_ENDINGS),
        transactions: bothViews(transactions, TRANSACTION_STATUSES),
      },
      risk: {
        window,
        bucketSeconds: bucketMs / 1000,
        highRiskAbove: scoreAsFraction(HIGH_RISK_ABOVE),
        transactions: transactionRisk.map(bucketView),
        logins: loginRisk.map(bucketView),
      },
      incidents: {
        unresolved: Object.values(incidents).reduce((sum, { open, investigating }) => sum + open + investigating, 0),
        bySeverity: incidents,
      },
      held: {
        count: counts.held,
        value: formatAmount(BigInt(counts.held_amount), currencyExponent(config.baseCurrency)),
        currency: config.baseCurrency,
        withoutValue: counts.held_unvalued,
        nextDeadline: isoOrNull(counts.next_deadline),
      },
      audit,
      schedules: SCHEDULE_NAMES.map((schedule) => scheduleView(schedule, runs.get(schedule), now)),
    };
  }

  async function auditState(): Promise<Overview['audit']> {
    const tx = db.fork();
    const { unsealed, oldestUnsealedMs, lastSeq } = await sealerLag(tx);
    const { last, isRunning } = await lastVerification(tx);
    const [checkpoint] = await listCheckpoints(tx, { limit: 1, before: null });
    return {
      sealer: { unsealed, oldestUnsealedMs, lastSeq, lastSealedAt: await lastSealedAt(tx) },
      verification: last === undefined ? null : verificationView(last),
      verificationRunning: isRunning,
      checkpoint: checkpoint === undefined ? null : checkpointView(checkpoint),
    };
  }

  function scheduleView(
    schedule: ScheduleName,
    lastRun: LastRun | undefined,
    now: number,
  ): Overview['schedules'][number] {
    const recurrence = plan[schedule];
    const { succeededAt, ...run } = lastRun ?? { succeededAt: null };
    return {
      schedule,
      lastRun: lastRun === undefined ? null : (run as Omit<LastRun, 'succeededAt'>),
      lastSucceededAt: succeededAt,
      nextRunAt: new Date(nextRun(recurrence, now)).toISOString(),
      late: lastRun !== undefined && isRunLate(recurrence, Date.parse(lastRun.startedAt), now),
    };
  }

  return [
    route({
      method: 'get',
      path: '/api/admin/security/dashboard/overview',
      name: 'getOverviewDashboard',
      summary: 'Live counts, risk over time, incidents, held value, the audit log, and what runs by the clock',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' },
      query: overviewQuery,
      responses: { 200: { description: 'As of now', schema: overviewDashboard } },
      handler: async ({ query: { window } }) => ({ status: 200, body: await overview(window) }),
    }),
  ];
}

function bothViews(both: { lastHour: Outcomes; last24Hours: Outcomes }, names: readonly string[]) {
  return { lastHour: outcomesView(both.lastHour, names), last24Hours: outcomesView(both.last24Hours, names) };
}

/** Every outcome has its number: none is left out for being zero. */
function outcomesView({ from, byOutcome }: Outcomes, names: readonly string[]) {
  const all = Object.fromEntries(names.map((name) => [name, byOutcome[name] ?? 0]));
  return { from, total: Object.values(all).reduce((sum, n) => sum + n, 0), byOutcome: all };
}

function bucketView({ at, scored, scoreSum, scoreMax, highRisk }: RiskBucket) {
  const isEmpty = scored === 0;
  return {
    at,
    count: scored,
    average: isEmpty ? null : Math.round((scoreSum / scored) * 100) / 10_000,
    maximum: isEmpty ? null : scoreAsFraction(scoreMax),
    highRisk,
  };
}

function verificationView(one: LastVerification): Overview['audit']['verification'] {
  return {
    verificationId: one.id,
    valid: one.status === 'valid',
    mode: one.mode,
    checked: Number(one.checked),
    firstInvalidSeq: one.first_invalid_seq === null ? null : Number(one.first_invalid_seq),
    reason: one.reason,
    requestedBy: one.requested_by,
    finishedAt: iso(one.finished_at),
  };
}

function checkpointView(one: StoredCheckpoint): Overview['audit']['checkpoint'] {
  const { fork, size, witness, places } = one;
  return {
    name: checkpointName({ fork, size }),
    fork,
    size,
    time: iso(one.at),
    recordedAt: iso(one.recordedAt),
    witness,
    failedPlaces: Object.entries(places).flatMap(([place, failure]) => (failure === null ? [] : [place])),
  };
}

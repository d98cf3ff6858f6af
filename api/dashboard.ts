import type { z } from 'zod';
import { failedFactors, latestRefusals, refusalsOf } from '../db/dashboard-api-security.ts';
import {
  FAILURES_COUNTED,
  failedLoginsByNetwork,
  failedLoginsByUser,
  lockedAccounts,
  loginPlaces,
  PLACES_COUNTED,
  recentAttempts,
} from '../db/dashboard-auth.ts';
import { openTransactions, riskyTransactions, transactionTally } from '../db/dashboard-transactions.ts';
import { activeVersions, readDocument } from '../db/rule-sets.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { workflowIds } from '../workflows/contract.ts';
import { apiSecurityDashboard, authDashboard, dashboardQuery, transactionsDashboard } from './dashboard-schema.ts';
import { attemptView, networkView, riskyView, statistics, withoutCauses } from './dashboard-views.ts';
import type { ApiDeps } from './deps.ts';
import { type Access, type Reply, type Route, type RouteContext, route } from './route.ts';
import { loginThresholdsOf, transactionThresholdsOf } from './thresholds.ts';

const BASE = '/api/admin/security/dashboard';
const STAFF: Access = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' };
type Context = RouteContext<unknown, z.output<typeof dashboardQuery>>;

/** Locked accounts that are listed: a list of all would grow with an attack. */
const LOCKED_LISTED = 100;

/**
 * What staff look at: logins, transactions, and what the API refused. Every number comes from an index range or a tally
 * that does not grow with the history.
 *
 * @param allRoutes asked when a request comes, since this list is a part of it
 */
export function createDashboardRoutes(deps: ApiDeps, allRoutes: () => readonly Route[]): Route[] {
  const { config, db, telemetry } = deps;

  async function auth({ query: { limit } }: Context): Promise<Reply> {
    const tx = db.fork();
    const [attempts, byUser, byNetwork, locked, places] = await Promise.all([
      recentAttempts(tx, limit),
      failedLoginsByUser(tx, limit),
      failedLoginsByNetwork(tx, limit),
      lockedAccounts(tx, LOCKED_LISTED),
      loginPlaces(tx, limit),
    ]);
    const body: z.output<typeof authDashboard> = {
      generatedAt: new Date().toISOString(),
      recentAttempts: attempts.map(attemptView),
      failedLogins: {
        countedAtMost: FAILURES_COUNTED,
        byUser: byUser.map(({ user_id, subject, failures, while_locked, networks, last_at }) => ({
          ...{ userId: user_id, subject, failures, whileLocked: while_locked, networks },
          lastAt: iso(last_at),
        })),
        byNetwork: byNetwork.map(networkView),
      },
      lockedAccounts: locked.map((one) => ({
        lockoutId: one.id,
        workflowId: workflowIds.lockout(one.id),
        ...{ userId: one.user_id, subject: one.subject },
        startedAt: iso(one.started_at),
        lockedUntil: iso(one.locked_until),
        secondsLeft: one.seconds_left,
        unlockRequestedBy: one.unlock_requested_by,
      })),
      places: {
        countedAtMost: PLACES_COUNTED,
        items: places.map(({ last_at, ...place }) => ({ ...place, lastAt: iso(last_at) })),
      },
      thresholds: loginThresholdsOf(config),
    };
    return { status: 200, body };
  }

  async function transactions({ query: { limit } }: Context): Promise<Reply> {
    const tx = db.fork();
    const { live } = await activeVersions(tx);
    const [rules, highRisk, flagged, tally, open] = await Promise.all([
      readDocument(tx, live),
      riskyTransactions(tx, 'high_risk', limit),
      riskyTransactions(tx, 'flagged', limit),
      transactionTally(tx),
      openTransactions(tx),
    ]);
    const body: z.output<typeof transactionsDashboard> = {
      generatedAt: new Date().toISOString(),
      highRisk: highRisk.map(riskyView),
      flagged: flagged.map(riskyView),
      open: { held: open.held, nextDeadline: isoOrNull(open.next_deadline), steppingUp: open.stepping_up },
      ...statistics(tally),
      thresholds: transactionThresholdsOf(config, live, rules),
    };
    return { status: 200, body };
  }

  async function apiSecurity({ query: { limit } }: Context): Promise<Reply> {
    const tx = db.fork();
    const [limited, latest, sessions, signatures, passwords, factors] = await Promise.all([
      refusalsOf(tx, 'rate_limited'),
      latestRefusals(tx, 'rate_limited', limit),
      refusalsOf(tx, 'session_invalid'),
      refusalsOf(tx, 'signature_invalid'),
      failedLoginsByNetwork(tx, limit),
      failedFactors(tx),
    ]);
    const body: z.output<typeof apiSecurityDashboard> = {
      generatedAt: new Date().toISOString(),
      windowHours: 24,
      rateLimitViolations: {
        ...withoutCauses(limited),
        limitPerMinute: config.rateLimitPerMinute,
        latest: latest.map(({ route: path, network, user_id, refusals, first_at, last_at }) => ({
          ...{ route: path, network, userId: user_id, refusals },
          firstAt: iso(first_at),
          lastAt: iso(last_at),
        })),
      },
      failedAuthentications: { passwords: passwords.map(networkView), factors, sessions: sessions.total },
      failedSignatures: signatures,
      invalidTokens: sessions,
      monitoredEndpoints: endpoints(),
    };
    return { status: 200, body };
  }

  function endpoints(): z.output<typeof apiSecurityDashboard>['monitoredEndpoints'] {
    const called = new Map(telemetry.routes().map((one) => [`${one.method} ${one.route}`, one.sinceStart]));
    return allRoutes().map((one) => {
      const method = one.method.toUpperCase();
      const { count = 0, clientErrors = 0, serverErrors = 0 } = called.get(`${method} ${one.path}`) ?? {};
      return {
        method,
        path: one.path,
        access: one.access.kind === 'public' ? null : [...one.access.roles],
        signed: one.signed === true,
        limit: one.limit ?? 'shared',
        ...{ calls: count, clientErrors, serverErrors },
      };
    });
  }

  const get = (
    path: string,
    name: string,
    summary: string,
    schema: z.ZodType,
    handler: (c: Context) => Promise<Reply>,
  ) =>
    route({
      method: 'get',
      path: `${BASE}/${path}`,
      name,
      summary,
      access: STAFF,
      query: dashboardQuery,
      responses: { 200: { description: 'As of now', schema } },
      handler,
    });
  return [
    get('auth', 'getAuthDashboard', 'Logins: attempts with scores, failures, locked accounts', authDashboard, auth),
    get(
      'transactions',
      'getTransactionsDashboard',
      'Transactions: high risk, flagged, 24 hours, anomalies by rule',
      transactionsDashboard,
      transactions,
    ),
    get(
      'api-security',
      'getApiSecurityDashboard',
      'What the API refused: rate limits, authentications, signatures, tokens; and what is watched',
      apiSecurityDashboard,
      apiSecurity,
    ),
  ];
}

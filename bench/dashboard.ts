import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { table } from '../cli/replay-report.ts';
import { percentile } from '../cli/replay-tally.ts';
import { accountLogins, accountSessions, listAccounts, readAccount, runningLockouts } from '../db/account-directory.ts';
import { sealerLag } from '../db/audit-seal.ts';
import { failedFactors, latestRefusals, refusalsOf } from '../db/dashboard-api-security.ts';
import {
  failedLoginsByNetwork,
  failedLoginsByUser,
  lockedAccounts,
  loginPlaces,
  recentAttempts,
} from '../db/dashboard-auth.ts';
import {
  lastVerification,
  liveCounts,
  recentOutcomes,
  riskOverTime,
  unresolvedIncidents,
} from '../db/dashboard-overview.ts';
import { openTransactions, riskyTransactions, transactionTally } from '../db/dashboard-transactions.ts';
import { liveEventsSince, nowMicros } from '../db/live-events.ts';
import { migrate } from '../db/migrate.ts';
import { createOrm } from '../db/orm.ts';
import { lastScheduleRuns } from '../db/schedule-runs.ts';
import type { Tx } from '../db/sql.ts';
import { startLocalPostgres } from '../platform/local-postgres.ts';
import { fillDashboard } from './dashboard-rows.ts';

const TRANSACTIONS = 1_000_000;
const CALLS = 100;
const LIMIT_MS = 50;

const PAGE = { limit: 51, after: null };
const SOMEBODY = '00000000-0000-7000-8000-000000000099';
const MONTH = () => ({ windowMs: 30 * 86_400_000, bucketMs: 43_200_000, now: Date.now() });

const STATEMENTS: Record<string, (tx: Tx) => Promise<unknown>> = {
  'nothing, the baseline': (tx) => nowMicros(tx),
  'auth: recent attempts': (tx) => recentAttempts(tx, 50),
  'auth: failed logins by user': (tx) => failedLoginsByUser(tx, 20),
  'auth: failed logins by network': (tx) => failedLoginsByNetwork(tx, 20),
  'auth: places': (tx) => loginPlaces(tx, 20),
  'auth: locked accounts': (tx) => lockedAccounts(tx, 100),
  'transactions: high risk': (tx) => riskyTransactions(tx, 'high_risk', 50),
  'transactions: flagged': (tx) => riskyTransactions(tx, 'flagged', 50),
  'transactions: 24 hours and breakdown': (tx) => transactionTally(tx),
  'transactions: open': (tx) => openTransactions(tx),
  'api-security: rate limits': (tx) => refusalsOf(tx, 'rate_limited'),
  'api-security: invalid tokens': (tx) => refusalsOf(tx, 'session_invalid'),
  'api-security: signatures': (tx) => refusalsOf(tx, 'signature_invalid'),
  'api-security: latest': (tx) => latestRefusals(tx, 'rate_limited', 20),
  'api-security: failed factors': (tx) => failedFactors(tx),
  'overview: live counts': (tx) => liveCounts(tx, 'USD'),
  'overview: logins by outcome': (tx) => recentOutcomes(tx, 'login'),
  'overview: transactions by outcome': (tx) => recentOutcomes(tx, 'transaction'),
  'overview: risk of logins, 30 days': (tx) => riskOverTime(tx, 'login', MONTH()),
  'overview: risk of transactions, 30 days': (tx) => riskOverTime(tx, 'transaction', MONTH()),
  'overview: incidents': (tx) => unresolvedIncidents(tx),
  'overview: sealer': (tx) => sealerLag(tx),
  'overview: last verification': (tx) => lastVerification(tx),
  'overview: schedules': (tx) => lastScheduleRuns(tx),
  'accounts: newest': (tx) => listAccounts(tx, {}, PAGE),
  'accounts: by address': (tx) => listAccounts(tx, { email: { startsWith: '99' } }, PAGE),
  'accounts: locked': (tx) => listAccounts(tx, { state: 'locked' }, PAGE),
  'accounts: restricted': (tx) => listAccounts(tx, { state: 'restricted' }, PAGE),
  'accounts: one': (tx) => readAccount(tx, SOMEBODY),
  'accounts: sessions': (tx) => accountSessions(tx, SOMEBODY, PAGE),
  'accounts: logins': (tx) => accountLogins(tx, SOMEBODY, PAGE),
  'accounts: lockouts': (tx) => runningLockouts(tx, PAGE),
  'live events': async (tx) => liveEventsSince(tx, (await nowMicros(tx)) - 60_000_000, 1_000),
};

/**
 * Every statement of the pages of staff on a million transactions and half a million logins of the last 24 hours, on a PostgreSQL
 * of its own with its usual settings.
 */
export async function dashboardTable(say: (line: string) => void, transactions = TRANSACTIONS): Promise<string> {
  const logins = Math.ceil(transactions / 2);
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-bench-'));
  const postgres = await startLocalPostgres({ dataDir: join(folder, 'data') });
  try {
    const name = `dashboard_${randomBytes(4).toString('hex')}`;
    const ownerUrl = new URL(postgres.ownerUrl);
    const owner = new pg.Client({ connectionString: ownerUrl.href });
    await owner.connect();
    await owner.query(`create database ${name}`);
    await owner.end();
    ownerUrl.pathname = `/${name}`;
    await migrate({ ownerUrl: ownerUrl.href, appRole: new URL(postgres.url).username });
    const filler = new pg.Client({ connectionString: ownerUrl.href });
    await filler.connect();
    say(`Writing ${transactions} transactions and ${logins} logins of the last 24 hours ...`);
    const startedAt = performance.now();
    await fillDashboard(filler, { transactions, logins });
    await filler.end();
    say(`... in ${Math.round((performance.now() - startedAt) / 1000)} s`);

    const appUrl = new URL(postgres.url);
    appUrl.pathname = `/${name}`;
    const db = await createOrm({ databaseUrl: appUrl.href, poolMax: 4, applicationName: 'bench' });
    try {
      const lines: string[][] = [];
      for (const [label, statement] of Object.entries(STATEMENTS)) {
        await statement(db.fork());
        const times: number[] = [];
        for (let call = 0; call < CALLS; call += 1) {
          const began = performance.now();
          await statement(db.fork());
          times.push(performance.now() - began);
        }
        times.sort((a, b) => a - b);
        const [p50, p95, max] = [percentile(times, 50) ?? 0, percentile(times, 95) ?? 0, times.at(-1) ?? 0];
        lines.push([
          label,
          p50.toFixed(1),
          p95.toFixed(1),
          max.toFixed(1),
          p95 < LIMIT_MS ? '' : `above ${LIMIT_MS} ms`,
        ]);
      }
      return table(['statement', 'p50 ms', 'p95 ms', 'max ms', ''], lines);
    } finally {
      await db.close();
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

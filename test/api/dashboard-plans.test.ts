import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fillDashboard } from '../../bench/dashboard-rows.ts';
import {
  type AccountFilter,
  accountDevices,
  accountLogins,
  accountSessions,
  listAccounts,
  readAccount,
  runningLockouts,
} from '../../db/account-directory.ts';
import { failedFactors, latestRefusals, refusalsOf } from '../../db/dashboard-api-security.ts';
import {
  failedLoginsByNetwork,
  failedLoginsByUser,
  lockedAccounts,
  loginPlaces,
  recentAttempts,
} from '../../db/dashboard-auth.ts';
import {
  lastVerification,
  liveCounts,
  recentOutcomes,
  riskOverTime,
  unresolvedIncidents,
} from '../../db/dashboard-overview.ts';
import { openTransactions, riskyTransactions, transactionTally } from '../../db/dashboard-transactions.ts';
import { liveEventsSince, nowMicros } from '../../db/live-events.ts';
import { accountHistory, caseTimeline } from '../../db/review-case.ts';
import { type ReviewFilter, type ReviewSort, reviewQueue } from '../../db/review-queue.ts';
import { rulePrecision } from '../../db/rule-precision.ts';
import { oneRow, rows, type Tx } from '../../db/sql.ts';
import { createDatabase, type TestDatabase } from '../helpers/database.ts';

/** Enough that reading a whole table is never the cheaper plan. */
const ROWS = { transactions: 20_000, logins: 10_000 };
let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  const client = new pg.Client({ connectionString: database.ownerUrl });
  await client.connect();
  await fillDashboard(client, ROWS);
  await client.end();
});
afterAll(() => database?.close());

const NOBODY = '00000000-0000-7000-8000-000000000001';
const PAGE = { limit: 51, after: null };
const MONTH = () => ({ windowMs: 30 * 86_400_000, bucketMs: 43_200_000, now: Date.now() });
const NEXT = {
  time: { at: '2026-01-01T00:00:00Z', id: NOBODY },
  deadline: { value: '2026-01-01T00:00:00Z', id: NOBODY },
  score: { value: '90', id: NOBODY },
  amount: { value: '1000', id: NOBODY },
} as const;
const lastHour = () => ({
  from: new Date(Date.now() - 3_600_000).toISOString(),
  to: new Date().toISOString(),
});

const accounts = (tx: Tx, filter: AccountFilter = {}, after: { at: string; id: string } | null = null) =>
  listAccounts(tx, filter, { limit: 51, after });

function queue(
  tx: Tx,
  status: ReviewFilter['status'],
  sort: ReviewSort,
  after: { value: string; id: string } | null = null,
  filter: Partial<ReviewFilter> = {},
) {
  return reviewQueue(tx, { filter: { status, ...filter }, sort, after, limit: 51 });
}

const STATEMENTS: [string, (tx: Tx) => Promise<unknown>][] = [
  ['recent attempts', (tx) => recentAttempts(tx, 20)],
  ['failed logins by user', (tx) => failedLoginsByUser(tx, 20)],
  ['failed logins by network', (tx) => failedLoginsByNetwork(tx, 20)],
  ['places of logins', (tx) => loginPlaces(tx, 20)],
  ['locked accounts', (tx) => lockedAccounts(tx, 20)],
  ['high risk', (tx) => riskyTransactions(tx, 'high_risk', 20)],
  ['flagged', (tx) => riskyTransactions(tx, 'flagged', 20)],
  ['open', (tx) => openTransactions(tx)],
  ['rate limits', (tx) => refusalsOf(tx, 'rate_limited')],
  ['latest refusals', (tx) => latestRefusals(tx, 'signature_invalid', 20)],
  ['failed factors', (tx) => failedFactors(tx)],
  ...(['deadline', 'score', 'amount'] as const).flatMap((sort): [string, (tx: Tx) => Promise<unknown>][] => [
    [`held, by ${sort}`, (tx) => queue(tx, 'held', sort)],
    [`decided, by ${sort}`, (tx) => queue(tx, 'decided', sort)],
    [`held, by ${sort}, the next page`, (tx) => queue(tx, 'held', sort, NEXT[sort])],
  ]),
  ['held, of an account', (tx) => queue(tx, 'held', 'deadline', null, { accountId: NOBODY })],
  ['held, of a reviewer', (tx) => queue(tx, 'held', 'deadline', null, { assignee: { reviewerId: NOBODY } })],
  ['decided, by a rule', (tx) => queue(tx, 'decided', 'deadline', null, { ruleId: 'velocity' })],
  ['the past of an account', (tx) => accountHistory(tx, { accountId: NOBODY, transactionId: NOBODY })],
  ['the timeline of a transaction', (tx) => caseTimeline(tx, NOBODY)],
  ['precision of rules in an hour', (tx) => rulePrecision(tx, lastHour())],
  ['live counts', (tx) => liveCounts(tx, 'USD')],
  ['logins by outcome', (tx) => recentOutcomes(tx, 'login')],
  ['risk of logins', (tx) => riskOverTime(tx, 'login', MONTH())],
  ['risk of transactions', (tx) => riskOverTime(tx, 'transaction', MONTH())],
  ['unresolved incidents', (tx) => unresolvedIncidents(tx)],
  ['last verification', (tx) => lastVerification(tx)],
  ['accounts', (tx) => accounts(tx)],
  ['accounts, the next page', (tx) => accounts(tx, {}, NEXT.time)],
  ['accounts by address', (tx) => accounts(tx, { email: { startsWith: '999' } })],
  ['locked accounts of the list', (tx) => accounts(tx, { state: 'locked' })],
  ['restricted accounts', (tx) => accounts(tx, { state: 'restricted' })],
  ['disabled accounts', (tx) => accounts(tx, { state: 'disabled' })],
  ['reviewers', (tx) => accounts(tx, { role: 'reviewer' })],
  ['one account', (tx) => readAccount(tx, NOBODY)],
  ['sessions of an account', (tx) => accountSessions(tx, NOBODY, PAGE)],
  ['devices of an account', (tx) => accountDevices(tx, NOBODY, PAGE)],
  ['logins of an account', (tx) => accountLogins(tx, NOBODY, PAGE)],
  ['lockouts', (tx) => runningLockouts(tx, PAGE)],
  ['live events', async (tx) => liveEventsSince(tx, (await nowMicros(tx)) - 60_000_000, 500)],
];

/** Scans from end to end, by table, that this session did and did not report yet. */
async function tableScans(tx: Tx): Promise<Record<string, number>> {
  const found = await rows<{ name: string; scans: string }>(
    tx,
    `select relname as name, seq_scan as scans from pg_stat_xact_user_tables
      where relname in ('transaction', 'transaction_label', 'review_verdict', 'review_note', 'incident', 'login', 'lockout', 'front_door_event', 'factor_attempt',
                       'app_user', 'session', 'device', 'audit_verification')`,
  );
  return Object.fromEntries(found.map(({ name, scans }) => [name, Number(scans)]));
}

test.each(STATEMENTS)('%s: reads no table from end to end', async (_, statement) => {
  await database.db.transaction(async (tx) => {
    const before = await tableScans(tx);
    await statement(tx);
    const after = await tableScans(tx);
    expect(Object.keys(after).filter((name) => (after[name] ?? 0) > (before[name] ?? 0))).toEqual([]);
  });
});

test('scores over time say what reading the rows would', async () => {
  const now = Date.now();
  for (const [story, table, at] of [
    ['transaction', 'transaction', 'created_at'],
    ['login', 'login', 'started_at'],
  ] as const) {
    const buckets = await riskOverTime(database.db.fork(), story, {
      windowMs: 25 * 3_600_000,
      bucketMs: 1_800_000,
      now,
    });
    const counted = await oneRow<Record<string, string>>(
      database.db.fork(),
      `select count(score) as scored, sum(score) as sum, max(score) as max, count(*) filter (where score > 60) as high
         from ${table} where ${at} >= $1::timestamptz`,
      [buckets[0]?.at],
    );
    const total = (of: (one: (typeof buckets)[number]) => number) => buckets.reduce((sum, one) => sum + of(one), 0);
    expect(String(total(({ scored }) => scored)), story).toBe(counted.scored);
    expect(String(total(({ scoreSum }) => scoreSum)), story).toBe(counted.sum);
    expect(String(total(({ highRisk }) => highRisk)), story).toBe(counted.high);
    expect(Math.max(...buckets.map(({ scoreMax }) => scoreMax)), story).toBe(Number(counted.max));
    expect(buckets.filter(({ scored }) => scored > 0).length).toBeGreaterThan(40);
  }
});

test('the tally of a day is small, and says what counting the rows would', async () => {
  const { counts, from } = await transactionTally(database.db.fork());
  const counted = await oneRow<Record<string, string>>(
    database.db.fork(),
    `select count(*) as total, count(*) filter (where score > 60) as high, count(*) filter (where score > 70) as flagged,
            count(*) filter (where status = 'rejected') as rejected, sum(amount) filter (where status = 'settled') as volume
       from transaction where t >= $1::timestamptz`,
    [from],
  );
  expect(Number(counted.total)).toBeGreaterThan(ROWS.transactions * 0.98);
  expect(String(counts.get('risk:high'))).toBe(counted.high);
  expect(String(counts.get('risk:flagged'))).toBe(counted.flagged);
  expect(String(counts.get('decided:rejected'))).toBe(counted.rejected);
  expect(String(counts.get('settled:USD'))).toBe(counted.volume);
  const { rows: stored } = await oneRow<{ rows: string }>(
    database.db.fork(),
    'select count(*) as rows from transaction_tally',
  );
  expect(Number(stored)).toBeLessThan(200);
});

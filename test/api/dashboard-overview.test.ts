import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { overviewDashboard } from '../../api/dashboard-overview-schema.ts';
import { openIncident } from '../../db/incidents.ts';
import { recordScheduleRun } from '../../db/schedule-runs.ts';
import { run } from '../../db/sql.ts';
import { SCHEDULE_NAMES } from '../../domain/schedule.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const PATH = '/api/admin/security/dashboard/overview';
let stack: Stack;
let trading: Trading;
let reviewer: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  reviewer = await stack.people.signedIn('reviewer');
});
afterAll(() => stack?.close());

async function overview(query = '') {
  const { status, body } = await stack.api.get(`${PATH}${query}`, { token: reviewer.token });
  expect(status).toBe(200);
  return overviewDashboard.parse(body);
}

test('counts logins as they end, whatever becomes of them, and their scores', async () => {
  const before = await overview();
  const person = await stack.people.register();
  await stack.people.login(person);
  for (let n = 0; n < 5; n += 1) await stack.people.login({ ...person, password: 'not the password of anybody' });
  await stack.people.login(person);
  const after = await overview();
  const more = (outcome: string) =>
    (after.live.logins.lastHour.byOutcome[outcome] ?? Number.NaN) -
    (before.live.logins.lastHour.byOutcome[outcome] ?? Number.NaN);
  expect(more('authenticated')).toBe(1);
  // The fifth wrong password locks, and the right one meets the lock.
  expect([more('invalid_credentials'), more('locked')]).toEqual([4, 2]);
  expect(after.live.logins.lastHour.total - before.live.logins.lastHour.total).toBe(7);
  expect(after.live.logins.last24Hours.byOutcome).toEqual(after.live.logins.lastHour.byOutcome);
  expect(after.live.accounts.locked - before.live.accounts.locked).toBe(1);
  expect(after.live.sessions.open - before.live.sessions.open).toBe(1);
  const [scoredBefore, scored] = [before, after].map(({ risk }) =>
    risk.logins.reduce((sum, { count }) => sum + count, 0),
  );
  expect(scored).toBe((scoredBefore ?? 0) + 1);
});

test('a login that nobody waited for moves from authenticated to abandoned', async () => {
  const person = await stack.people.register();
  await stack.people.login(person);
  const before = (await overview()).live.logins.lastHour;
  await run(
    stack.ownerDb.fork(),
    `update login set status = 'abandoned', finished_at = clock_timestamp()
      where id = (select id from login where status = 'authenticated' order by started_at desc limit 1)`,
  );
  const after = (await overview()).live.logins.lastHour;
  expect(after.total).toBe(before.total);
  expect(after.byOutcome.authenticated).toBe((before.byOutcome.authenticated ?? 0) - 1);
  expect(after.byOutcome.abandoned).toBe((before.byOutcome.abandoned ?? 0) + 1);
});

test('shows risk over time, held value in the base currency, and incidents by severity', async () => {
  const before = await overview();
  const transactionId = await trading.held(await trading.trader());
  const after = await overview();
  expect(after.held.count - before.held.count).toBe(1);
  expect(Number(after.held.value) - Number(before.held.value)).toBe(500);
  expect(after.held).toMatchObject({ currency: 'USD', withoutValue: 0 });
  expect(Date.parse(after.held.nextDeadline ?? '')).toBeGreaterThan(Date.now());
  expect(after.live.transactions.lastHour.byOutcome.quarantined).toBe(
    (before.live.transactions.lastHour.byOutcome.quarantined ?? 0) + 1,
  );

  const highRisk = (one: typeof after) => one.risk.transactions.reduce((sum, bucket) => sum + bucket.highRisk, 0);
  expect(highRisk(after) - highRisk(before)).toBe(1);
  const filled = after.risk.transactions.filter(({ count }) => count > 0);
  expect(filled.map(({ maximum }) => maximum)).toContain(0.9);
  for (const { average, maximum } of filled) expect(average).toBeLessThanOrEqual(maximum ?? 0);
  const empty = after.risk.transactions.filter(({ count }) => count === 0);
  expect(empty.every(({ average, maximum }) => average === null && maximum === null)).toBe(true);

  await eventually(async () => {
    const { bySeverity, unresolved } = (await overview()).incidents;
    const medium = bySeverity.medium.open + bySeverity.medium.investigating;
    const was = before.incidents.bySeverity.medium;
    return medium - was.open - was.investigating === 1 && unresolved >= medium;
  });
  const reject = `/api/admin/security/transactions/${transactionId}/reject`;
  await stack.api.post(reject, { reason: 'no' }, { token: reviewer.token });
  expect((await overview()).held.value).toBe(before.held.value);
});

test('a hold whose amount in the base currency is not known is counted beside the value', async () => {
  const before = (await overview()).held;
  const transactionId = await trading.held(await trading.trader());
  await run(stack.ownerDb.fork(), 'update transaction set base_amount = null where id = $1', [transactionId]);
  const after = (await overview()).held;
  expect(after).toMatchObject({ value: before.value, count: before.count + 1, withoutValue: before.withoutValue + 1 });
});

test.each([
  ['24h', 1_800, 49],
  ['7d', 10_800, 57],
  ['30d', 43_200, 61],
] as const)('risk over %s comes in buckets of %i seconds, none missing', async (window, bucketSeconds, buckets) => {
  const { risk } = await overview(`?window=${window}`);
  expect(risk).toMatchObject({ window, bucketSeconds, highRiskAbove: 0.6 });
  for (const series of [risk.transactions, risk.logins]) {
    expect(series).toHaveLength(buckets);
    const starts = series.map(({ at }) => Date.parse(at));
    for (const [n, at] of starts.entries()) {
      expect(at % (bucketSeconds * 1000)).toBe(0);
      if (n > 0) expect(at - (starts[n - 1] ?? 0)).toBe(bucketSeconds * 1000);
    }
  }
});

test('shows what waits for its seal, the last verification and the newest checkpoint', async () => {
  await eventually(async () => (await overview()).audit.sealer.unsealed === 0, { what: 'a sealed log' });
  const auditor = await stack.people.signedIn('auditor');
  const verified = await stack.api.post('/api/admin/security/audit-logs/verify-chain', {}, { token: auditor.token });
  expect(verified.body.valid).toBe(true);
  await stack.api.post('/api/admin/security/audit-logs/checkpoints', {}, { token: auditor.token });
  const { audit } = await overview();
  expect(audit.sealer.lastSeq).toBeGreaterThan(0);
  expect(Date.now() - Date.parse(audit.sealer.lastSealedAt ?? '')).toBeLessThan(60_000);
  expect(audit.verification).toMatchObject({ valid: true, mode: 'full', reason: null, requestedBy: auditor.userId });
  expect(audit.verification?.checked).toBe(verified.body.checked);
  expect(audit.verificationRunning).toBe(false);
  expect(audit.checkpoint).toMatchObject({ fork: 0, witness: 'none', failedPlaces: [] });
  expect(audit.checkpoint?.size).toBeGreaterThan(0);
});

test('a verification that found something wrong is the last one, whatever was cancelled since', async () => {
  await run(
    stack.db.fork(),
    `insert into audit_verification (id, status, requested_at, finished_at, checked, first_invalid_seq, reason)
     values ($1, 'invalid', clock_timestamp(), clock_timestamp(), 7, 7, 'hash'),
            ($2, 'cancelled', clock_timestamp() + interval '1 ms', clock_timestamp(), 0, null, null)`,
    [uuidV7(), uuidV7()],
  );
  expect((await overview()).audit.verification).toMatchObject({
    ...{ valid: false, checked: 7, firstInvalidSeq: 7, reason: 'hash', requestedBy: null },
  });
});

describe('schedules', () => {
  const scheduleOf = async (name: (typeof SCHEDULE_NAMES)[number]) =>
    (await overview()).schedules.find(({ schedule }) => schedule === name);

  test('are all there, each with its next run', async () => {
    const { schedules } = await overview();
    expect(schedules.map(({ schedule }) => schedule)).toEqual([...SCHEDULE_NAMES]);
    for (const { schedule, nextRunAt } of schedules) {
      expect(Date.parse(nextRunAt), schedule).toBeGreaterThan(Date.now() - 1_000);
    }
    expect(await scheduleOf('key-rotation')).toMatchObject({ lastRun: null, lastSucceededAt: null, late: false });
  });

  test('tell of a run that failed and of when one succeeded last; an older word changes nothing', async () => {
    const tx = stack.db.fork();
    const at = Date.now();
    const one = { schedule: 'nonces', workflowId: 'run-1', startedAt: at - 2_000, finishedAt: at - 1_000 } as const;
    await recordScheduleRun(tx, { ...one, reason: null });
    await recordScheduleRun(tx, { ...one, workflowId: 'run-2', startedAt: at, finishedAt: at, reason: 'DataError' });
    await recordScheduleRun(tx, { ...one, workflowId: 'run-0', finishedAt: at - 5_000, reason: null });
    expect(await scheduleOf('nonces')).toMatchObject({
      lastRun: { outcome: 'failed', reason: 'DataError', workflowId: 'run-2' },
      lastSucceededAt: new Date(at - 1_000).toISOString(),
      late: false,
    });
  });

  test('the parts of one run are one run', async () => {
    const at = Date.now() + 1_000;
    const part = { schedule: 'device-clean-up', workflowId: 'parts', reason: null } as const;
    await recordScheduleRun(stack.db.fork(), { ...part, startedAt: at, finishedAt: at + 10 });
    await recordScheduleRun(stack.db.fork(), { ...part, startedAt: at + 20, finishedAt: at + 30 });
    expect((await scheduleOf('device-clean-up'))?.lastRun).toMatchObject({
      startedAt: new Date(at).toISOString(),
      finishedAt: new Date(at + 30).toISOString(),
    });
  });

  test('one whose next run has not begun is late', async () => {
    const at = Date.now() - 600_000;
    const run1 = { schedule: 'breaker', workflowId: 'long-ago', startedAt: at, finishedAt: at, reason: null } as const;
    await recordScheduleRun(stack.db.fork(), run1);
    expect(await scheduleOf('breaker')).toMatchObject({ late: true });
  });

  test('those with rows of their own are told from these', async () => {
    await run(
      stack.ownerDb.fork(),
      `insert into backup_run (id, trigger, status, phase, started_at, finished_at, workflow_id, reason, snapshot_at, file_sha256)
       values ($1, 'schedule', 'succeeded', 'copy', now() - interval '2 hours', now() - interval '1 hour', 'backup-1', null, now(), 'x'),
              ($2, 'manual', 'failed', 'dump', now() - interval '30 minutes', now() - interval '29 minutes', 'backup-2', 'dump_failed', null, null)`,
      [uuidV7(), uuidV7()],
    );
    const backup = await scheduleOf('backup');
    expect(backup?.lastRun).toMatchObject({ outcome: 'failed', reason: 'dump_failed', workflowId: 'backup-2' });
    expect(Date.now() - Date.parse(backup?.lastSucceededAt ?? '')).toBeGreaterThan(3_500_000);
    expect((await scheduleOf('audit-verification'))?.lastRun).not.toBeNull();
  });
});

test('every severity and both states of incidents are counted', async () => {
  const before = (await overview()).incidents;
  const incidentId = await stack.db.transaction(async (tx) => {
    const opened = await openIncident(
      tx,
      { audit: stack.audit },
      {
        cause: 'audit_failure',
        subjectKind: 'system',
        subjectId: 'audit-log',
        userId: null,
        title: 'A test incident',
        details: {},
        key: `test:${uuidV7()}`,
      },
    );
    return opened.incidentId;
  });
  expect((await overview()).incidents.bySeverity.critical.open).toBe(before.bySeverity.critical.open + 1);
  const investigate = `/api/admin/security/incidents/${incidentId}/investigate`;
  await stack.api.post(investigate, {}, { token: reviewer.token });
  expect((await overview()).incidents.bySeverity.critical).toEqual({
    open: before.bySeverity.critical.open,
    investigating: before.bySeverity.critical.investigating + 1,
  });
});

test('who may: staff only, and a window that exists', async () => {
  for (const role of ['admin', 'auditor'] as const) {
    const { token } = await stack.people.signedIn(role);
    expect((await stack.api.get(PATH, { token })).status).toBe(200);
  }
  const customer = await stack.people.signedIn('customer');
  expect(await stack.api.get(PATH, { token: customer.token })).toMatchObject({ status: 403 });
  expect(await stack.api.get(PATH)).toMatchObject({ status: 401 });
  for (const query of ['?window=1y', '?limit=5', '?window=']) {
    expect(await stack.api.get(`${PATH}${query}`, { token: reviewer.token })).toMatchObject({ status: 400 });
  }
});

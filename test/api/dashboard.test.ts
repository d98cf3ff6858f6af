import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiSecurityDashboard, authDashboard, transactionsDashboard } from '../../api/dashboard-schema.ts';
import { run } from '../../db/sql.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const BASE = '/api/admin/security/dashboard';
let stack: Stack;
let trading: Trading;
let reviewer: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  reviewer = await stack.people.signedIn('reviewer');
});
afterAll(() => stack?.close());

const get = (path: string, token = reviewer.token) => stack.api.get(`${BASE}/${path}`, { token });

describe('[S1] auth', () => {
  test('shows attempts with scores and reasons, failures by user, locked accounts, and the thresholds in force', async () => {
    const person = await stack.people.register();
    await stack.people.login(person);
    const wrong = { ...person, password: 'not the password of anybody' };
    for (let n = 0; n < 5; n += 1) await stack.people.login(wrong);
    await stack.people.login(person);
    const { status, body } = await get('auth');
    expect(status).toBe(200);
    const dashboard = authDashboard.parse(body);
    const { userId } = dashboard.lockedAccounts[0] ?? {};
    expect(dashboard.lockedAccounts).toHaveLength(1);
    expect(dashboard.lockedAccounts[0]?.secondsLeft).toBeGreaterThan(850);
    expect(userId).toMatch(/^[0-9a-f-]{36}$/);
    expect(dashboard.failedLogins.byUser).toMatchObject([{ userId, failures: 5, whileLocked: 1, networks: 1 }]);
    expect(dashboard.failedLogins.byNetwork).toMatchObject([{ failures: 5, whileLocked: 1, accounts: 1 }]);
    expect(dashboard.recentAttempts[0]).toMatchObject({ userId, status: 'locked', score: null });
    const passed = dashboard.recentAttempts.find((one) => one.status === 'authenticated');
    expect(passed?.reasons.length).toBeGreaterThan(3);
    expect(passed?.score).toBeGreaterThanOrEqual(0);
    expect(dashboard.thresholds).toEqual({
      ruleSetVersion: 'v1',
      factorAbove: 0.5,
      additionalVerificationAbove: 0.7,
      deniedAbove: 0.8,
      lockout: { failures: 5, windowSeconds: 900, durationSeconds: 900 },
    });
  });

  test('shows where attempts came from, with how many failed, and the place of each attempt', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.9' };
    const person = await stack.people.register();
    await stack.people.login({ ...person, password: 'not the password of anybody' }, { headers });
    await stack.people.login({ ...person, password: 'not the password of anybody' }, { headers });
    await stack.people.login({ email: stack.people.newAddress() }, { headers: { 'X-Forwarded-For': '192.0.2.9' } });
    const dashboard = authDashboard.parse((await get('auth')).body);
    const tokyo = { latitude: 35.6762, longitude: 139.6503, country: 'JP', region: 'JP-13' };
    expect(dashboard.places.items).toMatchObject([
      { ...tokyo, attempts: 2, failures: 2, denied: 0, accounts: 1 },
      { country: 'DE', attempts: 1, failures: 1, accounts: 1 },
    ]);
    expect(dashboard.recentAttempts[1]).toMatchObject({
      place: { ...tokyo, accuracyKm: 20, flags: [] },
      channel: 'bearer',
      finishedAt: expect.any(String),
      workflowId: `login:${dashboard.recentAttempts[1]?.loginId}`,
    });
    expect(dashboard.recentAttempts.at(-1)?.place).toBeNull();
  });

  test('tells repeats at an address without an account apart by a keyed hash, not by the address', async () => {
    const nobody = { email: stack.people.newAddress(), password: 'whatever it is here' };
    await stack.people.login(nobody);
    await stack.people.login(nobody);
    const { body } = await get('auth');
    const found = body.failedLogins.byUser.find((one: { userId: string | null }) => one.userId === null);
    expect(found).toMatchObject({ failures: 2, subject: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(JSON.stringify(body)).not.toContain(nobody.email);
  });
});

describe('[S2] transactions', () => {
  test('shows high risk and flagged ones with their reasons, and counts each decision and end of a day', async () => {
    const trader = await trading.trader();
    await (await trading.trader()).withdraw('10.00');
    const held = await trading.held(trader);
    const before = transactionsDashboard.parse((await get('transactions')).body);
    expect(before.highRisk[0]).toMatchObject({ transactionId: held, score: 0.9, status: 'quarantined' });
    expect(before.flagged[0]).toMatchObject({ transactionId: held, amount: '500.00', currency: 'USD' });
    expect(before.flagged[0]?.explanation.join()).toContain('Amount above 2 times');
    expect(before.open).toMatchObject({ held: 1 });
    const counted = before.last24Hours;
    expect(counted.byDecision).toMatchObject({ settled: 1, quarantined: 1, rejected: 0 });
    expect(counted).toMatchObject({ total: 2, highRisk: 1, flagged: 1, escalated: 1 });
    expect(counted.byType.withdrawal).toBe(2);
    expect(before.anomalies.map(({ ruleId, fired, share }) => [ruleId, fired, share])).toEqual(
      expect.arrayContaining([
        ['amount_above_average', 1, 0.5],
        ['velocity', 1, 0.5],
        ['unusual_category', 1, 0.5],
      ]),
    );

    await stack.api.post(
      `/api/admin/security/transactions/${held}/approve`,
      { reason: 'ok' },
      { token: reviewer.token },
    );
    const after = transactionsDashboard.parse((await get('transactions')).body);
    expect(after.open.held).toBe(0);
    expect(after.last24Hours.ended).toEqual({ settled: 1, rejected: 0 });
    expect(after.last24Hours.settledVolume).toEqual([{ currency: 'USD', amount: '510.00' }]);
    expect(after.flagged[0]).toMatchObject({ transactionId: held, status: 'settled' });
  });

  test('counts exactly, however many decide at once', async () => {
    const before = transactionsDashboard.parse((await get('transactions')).body).last24Hours;
    const traders = await Promise.all(Array.from({ length: 10 }, () => trading.trader()));
    await Promise.all(traders.flatMap((one) => [one.withdraw('1.00'), one.withdraw('1.00'), one.withdraw('1.00')]));
    const after = transactionsDashboard.parse((await get('transactions')).body).last24Hours;
    expect(after.total - before.total).toBe(30);
    expect(after.byDecision.settled - before.byDecision.settled).toBe(30);
  });

  test('forgets what is older than a day', async () => {
    const before = transactionsDashboard.parse((await get('transactions')).body).last24Hours;
    await run(
      stack.ownerDb.fork(),
      `insert into transaction_tally (window_start, counts)
       values (date_bin('10 minutes', clock_timestamp(), 'epoch') - interval '24 hours 20 minutes', '{"decided:settled": 1000}')`,
    );
    const after = transactionsDashboard.parse((await get('transactions')).body).last24Hours;
    expect(after.total).toBe(before.total);
  });
});

describe('[S3] api-security', () => {
  test('shows refused tokens by pattern, signatures by cause, wrong codes, and every endpoint that is watched', async () => {
    await stack.api.get('/api/portfolio', { token: 'x'.repeat(43) });
    await stack.api.get('/api/portfolio', { token: 'x'.repeat(43) });
    await stack.api.get('/api/portfolio', { token: 'short' });
    const { status, body } = await get('api-security');
    expect(status).toBe(200);
    const dashboard = apiSecurityDashboard.parse(body);
    expect(dashboard.invalidTokens).toMatchObject({
      total: 3,
      byRoute: [{ route: 'GET /api/portfolio', refusals: 3 }],
      byCause: [
        { cause: 'unknown_or_expired', refusals: 2 },
        { cause: 'malformed', refusals: 1 },
      ],
    });
    expect(dashboard.failedAuthentications.sessions).toBe(3);
    const watched = dashboard.monitoredEndpoints;
    expect(watched.find(({ path }) => path === '/api/portfolio')).toMatchObject({ method: 'GET', clientErrors: 3 });
    const documented = (await stack.api.get('/api/openapi.json')).body.paths as Record<string, object>;
    const operations = Object.entries(documented).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const isCall = ({ path }: { path: string }) => /^\/(metrics$|api\/(?!docs\/))/.test(path);
    const calls = watched.filter(isCall).map(({ method, path }) => `${method} ${path}`);
    expect(calls.sort()).toEqual(operations.sort());
    expect(watched.length).toBeGreaterThan(calls.length);
  });

  test('shows violations of the rate limit', async () => {
    const limited = await createStack({ worker: false, env: { RATE_LIMIT_PER_MINUTE: '3' } });
    try {
      const admin = await limited.people.signedIn('admin');
      const auditor = await limited.people.signedIn('auditor');
      const ask = () => limited.api.get(`${BASE}/auth`, { token: admin.token });
      for (let n = 0; n < 8; n += 1) await ask();
      const { body } = await limited.api.get(`${BASE}/api-security`, { token: auditor.token });
      expect(apiSecurityDashboard.parse(body).rateLimitViolations).toMatchObject({
        total: 5,
        limitPerMinute: 3,
        byRoute: [{ route: `GET ${BASE}/auth`, refusals: 5 }],
        latest: [{ userId: admin.userId, refusals: 5 }],
      });
    } finally {
      await limited.close();
    }
  });
});

describe('who may', () => {
  test.each(['auth', 'transactions', 'api-security'])('%s: staff only', async (path) => {
    for (const role of ['admin', 'auditor'] as const) {
      expect((await get(path, (await stack.people.signedIn(role)).token)).status).toBe(200);
    }
    const customer = await stack.people.signedIn('customer');
    expect(await get(path, customer.token)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await stack.api.get(`${BASE}/${path}`)).toMatchObject({ status: 401 });
    expect(await get(`${path}?limit=0`)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(await get(`${path}?unknown=1`)).toMatchObject({ status: 400 });
  });
});

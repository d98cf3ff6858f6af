import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createEventPages, type EventPages } from '../helpers/event-pages.ts';
import { eventually } from '../helpers/eventually.ts';
import { HOME_DEVICE, type SignedIn } from '../helpers/people.ts';
import { documentOf, RULE_SETS } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

const ACCOUNTS = '/api/admin/security/accounts';
/** Addresses that the documentation networks give a place to. */
const FROM_NEW_YORK = { 'X-Forwarded-For': '198.51.100.7' };
const FROM_TOKYO = { 'X-Forwarded-For': '203.0.113.7' };

let stack: Stack;
let trading: Trading;
let pages: EventPages;
let admin: SignedIn;
let reviewer: SignedIn;
let page: Awaited<ReturnType<EventPages['follow']>>;
/** What was said on any page so far, and who must not be in it. */
const everything: unknown[] = [];
const personal: string[] = [];

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  admin = await stack.people.signedIn('admin');
  reviewer = await stack.people.signedIn('reviewer');
  personal.push(admin.email, reviewer.email);
  pages = createEventPages(stack, reviewer.token);
});
beforeEach(async () => {
  page = await pages.follow();
});
afterEach(async () => {
  everything.push(...page.received);
  await page.leave();
});
afterAll(() => stack?.close());

/** The event comes within a second of the answer to what caused it. */
async function told(event: string, match: Record<string, unknown>) {
  const answeredAt = performance.now();
  const found = await page.find(event, match);
  expect(found.at - answeredAt, `${event} ${JSON.stringify(match)}`).toBeLessThan(1_000);
  return found;
}
const post = (path: string, body: object, by = admin) => stack.api.post(path, body, { token: by.token });

test('reviews: who takes a case, gives it back, notes, labels and decides', async () => {
  const transactionId = await trading.held(await trading.trader());
  const review = `/api/admin/security/reviews/${transactionId}`;
  await post(`${review}/claim`, {}, reviewer);
  await told('review', { transactionId, change: 'claimed' });
  await post(`${review}/notes`, { text: 'called the owner, who confirms it' }, reviewer);
  await told('review', { transactionId, change: 'noted' });
  await post(`${review}/release`, {}, reviewer);
  await told('review', { transactionId, change: 'released' });
  await post(`${review}/assign`, { reviewerId: reviewer.userId });
  await told('review', { transactionId, change: 'assigned' });
  await post(`/api/admin/security/transactions/${transactionId}/reject`, { reason: 'no' }, reviewer);
  await told('review', { transactionId, change: 'recorded' });
  await post(`/api/admin/security/transactions/${transactionId}/label`, { label: 'confirmed_fraud', reason: 'x' });
  await told('review', { transactionId, change: 'labelled' });
  expect(JSON.stringify(page.received)).not.toContain('called the owner');
});

test('a claim that was refused is no event', async () => {
  const transactionId = await trading.held(await trading.trader());
  const claim = `/api/admin/security/reviews/${transactionId}/claim`;
  await post(claim, {}, reviewer);
  await told('review', { transactionId, change: 'claimed' });
  expect((await post(claim, {})).status).toBe(409);
  await sleep(1_200);
  const claims = page.received.filter(({ event, data }) => event === 'review' && data.transactionId === transactionId);
  expect(claims).toHaveLength(1);
});

test('lockouts: begun, asked to end, ended', async () => {
  const person = await stack.people.register();
  personal.push(person.email);
  for (let n = 0; n < 5; n += 1) await stack.people.login({ ...person, password: 'not the password of anybody' });
  const started = await told('lockout', { change: 'started' });
  const { userId, lockoutId } = started.data as { userId: string; lockoutId: string };
  await post(`${ACCOUNTS}/${userId}/unlock`, { reason: 'a test' });
  await told('lockout', { change: 'unlock_requested', lockoutId });
  await told('lockout', { change: 'ended', lockoutId, userId });
});

test('a sign-in that was denied, and its incident', async () => {
  const person = await stack.people.register();
  personal.push(person.email);
  await stack.people.login(person, { headers: FROM_NEW_YORK });
  const denied = await stack.people.login(person, {
    device: { ...HOME_DEVICE, screen: { ...HOME_DEVICE.screen, width: 800 }, platform: 'Win32' },
    headers: FROM_TOKYO,
  });
  expect(denied.body.code).toBe('login_denied');
  const { data } = await told('login', { change: 'denied' });
  expect(data.loginId).toMatch(/^[0-9a-f-]{36}$/);
  await told('incident', { change: 'opened', severity: 'high' });
});

test('restrictions, changes of accounts, versions of rules', async () => {
  const owner = await stack.people.signedIn('customer');
  await post(`${ACCOUNTS}/${owner.userId}/restrict`, { reason: 'a test' });
  await told('restriction', { userId: owner.userId, change: 'restricted' });
  await stack.api.patch(`/api/admin/users/${owner.userId}`, { disabled: true }, { token: admin.token });
  await told('account', { userId: owner.userId, change: 'disabled' });
  const saved = await post(RULE_SETS, { document: documentOf() });
  expect(saved.status).toBe(201);
  await told('rule_set', { version: saved.body.version, change: 'saved' });
});

describe('runs', () => {
  test('a verification of the audit log: under way, and its end', async () => {
    const auditor = await stack.people.signedIn('auditor');
    expect((await post('/api/admin/security/audit-logs/verify-chain', {}, auditor)).status).toBe(200);
    const end = await told('run', { run: 'audit_verification', status: 'valid' });
    expect(end.data).toMatchObject({ runId: expect.any(String), phase: null });
    expect(end.data.done).toBe(end.data.total);
    const published = await post('/api/admin/security/audit-logs/checkpoints', {}, auditor);
    expect(published.body).toMatchObject({ status: 'published' });
    await told('checkpoint', { change: 'published' });
  });

  test('a bundle of evidence', async () => {
    const subjectId = uuidV7();
    const { incidentId } = await stack.db.transaction((tx) =>
      openIncident(tx, stack, {
        ...{ cause: 'secret_age', subjectKind: 'system', subjectId, userId: null },
        ...{ title: 'A test incident', details: {}, key: `test:${subjectId}` },
      }),
    );
    const made = await post(`/api/admin/security/incidents/${incidentId}/evidence`, {});
    await page.find('run', { run: 'evidence', runId: made.body.bundleId, status: 'ready' });
  });

  const RUNS = {
    backup: ['backup_run', `trigger, phase`, `'manual', 'dump'`, 'bytes_done', 'finished_at'],
    restore_drill: ['restore_drill', `trigger, phase`, `'manual', 'restore'`, 'bytes_done', 'finished_at'],
    key_rotation: [
      'key_rotation',
      `trigger, scope, active_from`,
      `'manual', 'all', now()`,
      'fields_done',
      'finished_at',
    ],
  } as const;
  test.each(Object.entries(RUNS))('%s: each step of its progress once, and its end', async (name, columns) => {
    const [table, given, values, done, end] = columns;
    const runId = uuidV7();
    const sql = (text: string) => run(stack.ownerDb.fork(), text, [runId]);
    await sql(`insert into ${table} (id, status, ${given}) values ($1, 'running', ${values})`);
    await told('run', { run: name, runId, status: 'running', done: 0 });
    await sql(`update ${table} set ${done} = 4096 where id = $1`);
    await told('run', { run: name, runId, done: 4096 });
    await sleep(1_200);
    await sql(`update ${table} set status = 'failed', reason = 'test', ${end} = clock_timestamp() where id = $1`);
    await told('run', { run: name, runId, status: 'failed' });
    expect(page.received.filter(({ data }) => data.runId === runId)).toHaveLength(3);
  });

  test('a back-test: its progress and its end', async () => {
    const { body } = await post(RULE_SETS, { document: documentOf() });
    const runId = uuidV7();
    await run(
      stack.ownerDb.fork(),
      `insert into backtest_report (id, version, sha256, period_from, period_to, status, rows_total, rows_done)
       values ($1, $2, '\\x00', now() - interval '1 day', now(), 'running', 10, 5)`,
      [runId, body.version],
    );
    await told('run', { run: 'backtest', runId, status: 'running', done: 5, total: 10 });
    await run(
      stack.ownerDb.fork(),
      `update backtest_report set status = 'cancelled', made_at = clock_timestamp() where id = $1`,
      [runId],
    );
    await told('run', { run: 'backtest', runId, status: 'cancelled' });
  });
});

test('what comes too often to tell each of is told a few times a second', async () => {
  const startedAt = performance.now();
  for (let n = 0; n < 60; n += 1) await stack.api.get('/api/portfolio', { token: 'x'.repeat(43) });
  await told('refusal', { refusal: 'session_invalid', cause: 'unknown_or_expired', route: 'GET /api/portfolio' });
  const person = await stack.people.register();
  personal.push(person.email);
  for (let n = 0; n < 10; n += 1) await stack.people.login(person);
  await told('activity', { of: 'login' });
  const trader = await trading.trader();
  for (let n = 0; n < 5; n += 1) await trader.withdraw('1.00');
  await told('activity', { of: 'transaction' });
  await sleep(800);
  const looks = (performance.now() - startedAt) / 400 + 1;
  for (const event of ['refusal', 'activity']) {
    const counted = page.received.filter((one) => one.event === event);
    expect(counted.length, event).toBeLessThanOrEqual(looks * (event === 'activity' ? 2 : 1));
  }
  expect(page.received.filter(({ event }) => event === 'refusal').length).toBeLessThan(60);
});

test('a sealer that is behind, and that it has caught up', async () => {
  await stack.stopWorker();
  await stack.people.register();
  const behind = await page.find('sealer', { isBehind: true });
  expect(behind.data.unsealed).toBeGreaterThan(0);
  expect(behind.data.oldestUnsealedMs).toBeGreaterThanOrEqual(2_000);
  await stack.startWorker();
  await page.find('sealer', { isBehind: false });
  await sleep(2_500);
  expect(page.received.findLast(({ event }) => event === 'sealer')?.data).toMatchObject({ isBehind: false });
});

test('who comes back is told what was missed of every kind, and nothing twice that is long over', async () => {
  const transactionId = await trading.held(await trading.trader());
  const { id } = await told('hold', { transactionId });
  await page.leave();
  const before = uuidV7();
  await run(
    stack.ownerDb.fork(),
    `insert into restore_drill (id, trigger, status, phase, finished_at) values ($1, 'manual', 'succeeded', 'audit', clock_timestamp())`,
    [before],
  );
  await post(`/api/admin/security/reviews/${transactionId}/claim`, {}, reviewer);
  const owner = await stack.people.signedIn('customer');
  await post(`${ACCOUNTS}/${owner.userId}/restrict`, { reason: 'a test' });
  page = await pages.follow({ lastEventId: id });
  await page.find('review', { transactionId, change: 'claimed' });
  await page.find('restriction', { userId: owner.userId, change: 'restricted' });
  await page.find('run', { run: 'restore_drill', runId: before, status: 'succeeded' });
  expect(page.received[0]).toMatchObject({ event: 'ready', data: { complete: true } });
  await sleep(6_000);
  const last = page.received.at(-1)?.id ?? '';
  await page.leave();
  page = await pages.follow({ lastEventId: String(Number(last) + 10_000_000) });
  await sleep(1_000);
  expect(page.received.filter(({ event }) => event === 'review')).toEqual([]);
});

test('no event says who somebody is', async () => {
  await eventually(() => everything.length > 30);
  const text = JSON.stringify(everything);
  for (const address of personal) expect(text).not.toContain(address);
  expect(text).not.toMatch(/@|Test Person|\d+\.\d+\.\d+\.\d+/);
});

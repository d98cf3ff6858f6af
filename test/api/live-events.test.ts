import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { run } from '../../db/sql.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { createEventPages, EVENTS_PATH, type EventPages } from '../helpers/event-pages.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

let stack: Stack;
let trading: Trading;
let reviewer: SignedIn;
let follow: EventPages['follow'];

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  reviewer = await stack.people.signedIn('reviewer');
  follow = createEventPages(stack, reviewer.token).follow;
});
afterAll(() => stack?.close());

test('[S9] a hold, its end and its incident are told within a second of their commit', async () => {
  const page = await follow();
  try {
    expect(page.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(page.received[0]).toMatchObject({ event: 'ready', data: { canReview: true, complete: true } });
    const transactionId = await trading.held(await trading.trader());
    const answeredAt = performance.now();
    const hold = await page.find('hold', { transactionId });
    expect(hold.at - answeredAt).toBeLessThan(1_000);
    expect(hold.data).toMatchObject({ score: 0.9 });
    await page.find('incident', { change: 'opened', severity: 'medium' });

    const path = `/api/admin/security/transactions/${transactionId}/reject`;
    await stack.api.post(path, { reason: 'no' }, { token: reviewer.token });
    const decidedAt = performance.now();
    const decision = await page.find('decision', { transactionId });
    expect(decision.at - decidedAt).toBeLessThan(1_000);
    expect(decision.data).toMatchObject({ status: 'rejected', code: 'review_rejected' });
  } finally {
    await page.leave();
  }
});

test('each is told once, to every page', async () => {
  const pages = await Promise.all([follow(), follow()]);
  try {
    const transactionId = await trading.held(await trading.trader());
    for (const page of pages) await page.find('hold', { transactionId });
    await sleep(1_500);
    for (const page of pages) {
      expect(page.received.filter((one) => one.data.transactionId === transactionId)).toHaveLength(1);
    }
  } finally {
    for (const page of pages) await page.leave();
  }
});

test('a page that comes back is told what it missed', async () => {
  const first = await follow();
  const seen = await trading.held(await trading.trader());
  const { id } = await first.find('hold', { transactionId: seen });
  await first.leave();
  const missed = await trading.held(await trading.trader());
  const second = await follow({ lastEventId: id });
  try {
    await second.find('hold', { transactionId: missed });
    expect(second.received[0]).toMatchObject({ event: 'ready', data: { complete: true } });
  } finally {
    await second.leave();
  }
});

test('who was away for longer than an hour is told to read everything anew', async () => {
  const long = await follow({ lastEventId: String((Date.now() - 2 * 3_600_000) * 1000) });
  expect(long.received[0]).toMatchObject({ event: 'ready', data: { complete: false } });
  await long.leave();
});

test('a row that is committed long after its time is told all the same', async () => {
  const page = await follow();
  try {
    const subjectId = uuidV7();
    let incidentId = '';
    await stack.db.transaction(async (tx) => {
      const opened = await openIncident(tx, stack, {
        cause: 'secret_age',
        subjectKind: 'system',
        subjectId,
        userId: null,
        title: 'A test incident',
        details: {},
        key: `test:${subjectId}`,
      });
      incidentId = opened.incidentId;
      // Meanwhile others commit, and the feed moves on.
      await trading.held(await trading.trader());
      await sleep(1_500);
    });
    await page.find('incident', { incidentId, change: 'opened' });
  } finally {
    await page.leave();
  }
});

test('a stream ends with its session', async () => {
  const person = await stack.people.signedIn('auditor');
  const page = await follow({ token: person.token });
  expect(page.received[0]?.data).toMatchObject({ canReview: false });
  await run(stack.db.fork(), 'update session set revoked_at = clock_timestamp() where user_id = $1', [person.userId]);
  await eventually(() => page.ended(), { what: 'the end of the stream', timeoutMs: 15_000 });
});

test('customers and strangers follow nothing, and nobody follows without end', async () => {
  const customer = await stack.people.signedIn('customer');
  expect(await stack.api.get(EVENTS_PATH, { token: customer.token })).toMatchObject({ status: 403 });
  expect(await stack.api.get(EVENTS_PATH)).toMatchObject({ status: 401 });
  const admin = await stack.people.signedIn('admin');
  const pages = [];
  for (let n = 0; n < 8; n += 1) pages.push(await follow({ token: admin.token }));
  expect(await stack.api.get(EVENTS_PATH, { token: admin.token })).toMatchObject({ status: 429 });
  for (const page of pages) await page.leave();
  const { body } = await stack.api.get('/api/performance/stats', { token: admin.token });
  expect(body.eventStreams).toBe(0);
});

test('a process that stops ends its streams and does not wait for the pages', async () => {
  const other = await createStack({ worker: false });
  const person = await other.people.signedIn('admin');
  const response = await fetch(`${other.url}${EVENTS_PATH}`, { headers: { Authorization: `Bearer ${person.token}` } });
  const text = response.text();
  const before = performance.now();
  await other.close();
  expect(performance.now() - before).toBeLessThan(10_000);
  expect(await text).toContain('event: ready');
});

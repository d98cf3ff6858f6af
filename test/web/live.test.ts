import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';
import { openWindow } from '../helpers/web.ts';

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

test('a refusal of the live events ends nobody’s session: the page says so, asks again, and is live with what it missed', async () => {
  const window = await openWindow(browser, stack);
  const { page } = window;
  let refused = 0;
  await page.route('**/api/admin/security/events', async (route) => {
    refused += 1;
    if (refused > 2) return route.continue();
    const code = refused === 1 ? 'rate_limited' : 'unavailable';
    const problem = { type: `urn:tradeguard:problem:${code}`, title: '', detail: '', code, requestId: '1' };
    const status = refused === 1 ? 429 : 500;
    return route.fulfill({
      status,
      contentType: 'application/problem+json',
      body: JSON.stringify({ ...problem, status }),
    });
  });
  await window.signIn(await stack.people.signedIn('reviewer'), '/console/reviews');
  await page.getByText('Nothing waits for a review.').waitFor();
  await page.getByText('Reconnecting', { exact: true }).waitFor();
  const trading = createTrading(stack);
  await trading.held(await trading.trader());
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'withdrawal of 500.00 USD' }).waitFor();
  expect(refused).toBe(3);
  await window.close();
});

test('a session that ended elsewhere ends on the page by the live events alone', async () => {
  const window = await openWindow(browser, stack);
  const person = await stack.people.signedIn('reviewer');
  await window.signIn(person, '/console/reviews');
  await window.page.getByText('Live', { exact: true }).waitFor();
  await run(stack.db.fork(), 'update session set revoked_at = clock_timestamp() where user_id = $1', [person.userId]);
  await window.page.getByText('Your session has ended.').waitFor({ timeout: 25_000 });
  await window.close();
});

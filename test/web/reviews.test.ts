import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchBrowser } from '../helpers/browser.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, type Window } from '../helpers/web.ts';

let stack: Stack;
let trading: Trading;
let browser: Browser;
let window: Window;

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
beforeEach(async () => {
  window = await openWindow(browser, stack);
});
afterEach(() => window.close());

test('a hold appears in the queue of a reviewer within a second', async () => {
  await window.signIn(await stack.people.signedIn('reviewer'), '/console/reviews');
  await window.page.getByText('Nothing waits for a review.').waitFor();
  await window.page.getByText('Live', { exact: true }).waitFor();
  const trader = await trading.trader();
  await trading.held(trader);
  const answeredAt = performance.now();
  await window.page.getByRole('link', { name: 'withdrawal of 500.00 USD' }).waitFor();
  expect(performance.now() - answeredAt).toBeLessThan(1_000);
  await window.page.screenshot({ path: '/tmp/shot1.png' });
  await window.checkAccessibility();
});

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../helpers/browser.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, type Window } from '../helpers/web.ts';

const TEMPORAL_UI = 'http://127.0.0.1:8233/';

let stack: Stack;
let trading: Trading;
let browser: Browser;
let window: Window;

beforeAll(async () => {
  stack = await createStack({ env: { TEMPORAL_UI_URL: TEMPORAL_UI } });
  trading = createTrading(stack);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
afterEach(() => window.close());

test('the last 24 hours in numbers, by rule and by reason, and the risky ones with the way to their cases', async () => {
  const trader = await trading.trader();
  const held = await trading.held(trader, '500.00');
  await trader.withdraw('20.00', { category: 'groceries' });
  window = await openWindow(browser, stack);
  const { page } = window;
  await window.signIn(await stack.people.signedIn('auditor'), '/console/transactions');
  const figure = (label: string) =>
    page.locator('.figure', { has: page.getByText(label, { exact: true }) }).locator('dd');
  await figure('Flagged').filter({ hasText: /^1/ }).waitFor();
  expect(await figure('Transactions').textContent()).toMatch(/^2/);
  expect(await figure('Escalated').textContent()).toMatch(/^1/);
  expect(await figure('Settled').textContent()).toMatch(/^20\.00 USD/);
  // What the chart shows is read out as a table.
  const rules = page.getByRole('table', { name: 'Rules that fired in the last 24 hours' });
  await rules.getByRole('row', { name: 'amount above average 1' }).waitFor();
  const decisions = page.getByRole('table', { name: 'Decisions in the last 24 hours' });
  expect(await decisions.getByRole('row').allTextContents()).toEqual(
    expect.arrayContaining(['quarantined1', 'settled1']),
  );

  const risky = page.getByRole('table', { name: 'High-risk transactions' });
  await risky.getByRole('row', { name: /withdrawal of 500\.00 USD.*0\.90.*quarantined/ }).waitFor();
  await window.checkAccessibility();
  await window.picture('transactions', { fullPage: false });

  // It is live: another hold is counted without anybody asking.
  await trading.held(await trading.trader(), '510.00');
  await figure('Flagged').filter({ hasText: /^2/ }).waitFor();
  await page.getByText('Flagged, above 0.7').click();
  await page.getByRole('table', { name: 'Flagged transactions' }).getByRole('link', { name: '510.00' }).waitFor();
  expect(new URL(page.url()).search).toBe('?list=flagged');

  await page.getByRole('link', { name: 'withdrawal of 500.00 USD' }).click();
  await page.getByRole('heading', { name: 'withdrawal of 500.00 USD', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/console/reviews/${held}`);
  const workflow = await page.getByRole('link', { name: 'Workflow' }).getAttribute('href');
  expect(workflow).toBe(
    `http://127.0.0.1:8233/namespaces/${stack.config.temporalNamespace}/workflows/transaction%3A${held}`,
  );
});

test('the decision of a transaction that was never held, on a telephone in the dark', async () => {
  const trader = await trading.trader();
  const settled = (await trader.withdraw('30.00', { category: 'groceries' })).body.transactionId;
  window = await openWindow(browser, stack, { width: 360, height: 780, colorScheme: 'dark' });
  const { page } = window;
  await window.signIn(await stack.people.signedIn('reviewer'), `/console/reviews/${settled}`);
  await page.getByRole('link', { name: 'See how it was decided' }).click();
  await page.getByRole('heading', { name: 'withdrawal of 30.00 USD', level: 1 }).waitFor();
  await page.getByText('settled', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: /And \d+ rules? that added nothing/ }).click();
  await page
    .getByRole('table', { name: 'Contributions of rules' })
    .getByRole('row', { name: /Amount above 2 times/ })
    .waitFor();
  await page.getByText(/^\d+ features$/).click();
  await page
    .getByRole('table', { name: 'Features' })
    .getByRole('row', { name: /amount.*30\.00 USD.*Amount in the base currency/ })
    .waitFor();
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.goto(`${stack.url}/console/transactions`);
  await page.getByText('Thresholds').first().waitFor();
  await page.getByRole('table', { name: 'Decisions in the last 24 hours' }).waitFor();
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);

  await page.goto(`${stack.url}/console/transactions/01a215c0-0000-7000-8000-000000000000`);
  await page.getByRole('alert').getByText('There is no transaction with this id.').waitFor();
});

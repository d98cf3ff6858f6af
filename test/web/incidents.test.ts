import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openIncident } from '../../db/incidents.ts';
import { row } from '../../db/sql.ts';
import type { IncidentCause } from '../../domain/incident.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { launchBrowser } from '../helpers/browser.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, promisedMs, type Window, type WindowOptions } from '../helpers/web.ts';

let stack: Stack;
let trading: Trading;
let browser: Browser;
const windows: Window[] = [];

beforeAll(async () => {
  stack = await createStack({ env: { TEMPORAL_UI_URL: 'http://127.0.0.1:8233' } });
  trading = createTrading(stack);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
afterEach(async () => {
  for (const window of windows.splice(0)) await window.close();
});

async function open(person: SignedIn, path: string, options: WindowOptions = {}): Promise<Window> {
  const window = await openWindow(browser, stack, options);
  windows.push(window);
  await window.signIn(person, path);
  return window;
}

async function about(cause: IncidentCause, title: string): Promise<{ incidentId: string; userId: string }> {
  const { userId } = await stack.people.signedIn('customer');
  const { incidentId } = await stack.db.transaction((tx) =>
    openIncident(tx, stack, {
      ...{ cause, subjectKind: 'user', subjectId: userId, userId },
      ...{ title, details: { networks: 3 }, key: uuidV7() },
    }),
  );
  return { incidentId, userId };
}

test('an incident appears within a second; filters live in the address; what it is about is a link away', async () => {
  const hers = await open(await stack.people.signedIn('reviewer'), '/console/incidents');
  const { page } = hers;
  await page.getByText('No incident is unresolved.').waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  const { incidentId, userId } = await about('restriction', 'An account was frozen');
  const openedAt = performance.now();
  await page.getByRole('row', { name: /high An account was frozen open restriction/ }).waitFor();
  expect(performance.now() - openedAt).toBeLessThan(promisedMs(1_000));

  const transactionId = await trading.held(await trading.trader());
  await about('lockout', 'Somebody guesses passwords');
  await page.getByRole('link', { name: 'Somebody guesses passwords' }).waitFor();
  await hers.checkAccessibility();
  await hers.picture('incidents', { fullPage: false });
  await page.getByLabel('Cause').selectOption('restriction');
  await page.getByRole('link', { name: 'Somebody guesses passwords' }).waitFor({ state: 'detached' });
  await page.getByLabel('Severity').selectOption('low');
  await page.getByText('No incident matches these filters.').waitFor();
  expect(new URL(page.url()).search).toBe('?cause=restriction&severity=low');
  await page.getByLabel('Severity').selectOption('');
  await page.getByRole('link', { name: 'An account was frozen' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Incidents', level: 1 }).focus();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'An account was frozen', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/console/incidents/${incidentId}`);
  expect(await page.getByRole('link', { name: /^…/ }).getAttribute('href')).toBe(`/console/accounts/${userId}`);
  expect(await page.getByRole('link', { name: 'Workflow' }).getAttribute('href')).toMatch(
    new RegExp(`/workflows/incident%3A${incidentId}$`),
  );
  await page.getByRole('region', { name: 'Timeline of the incident' }).getByText('networks 3').waitFor();

  // What is about a transaction leads to its case.
  await page.goto(`${stack.url}/console/incidents?cause=transaction_escalated`);
  await page
    .getByRole('row', { name: /transaction escalated/ })
    .first()
    .getByRole('link')
    .click();
  await page.getByRole('link', { name: 'the transaction' }).click();
  await page.getByRole('heading', { name: 'withdrawal of 500.00 USD', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/console/reviews/${transactionId}`);
});

test('it is taken up and resolved, and somebody else sees it happen', async () => {
  const { incidentId } = await about('restriction', 'An account was frozen for good');
  const [rita, ron] = [await stack.people.signedIn('reviewer'), await stack.people.signedIn('reviewer')];
  const hers = await open(rita, `/console/incidents/${incidentId}`);
  const { page } = hers;
  await page.getByRole('heading', { name: 'An account was frozen for good', level: 1 }).waitFor();
  // Evidence is a part of the audit log, which reviewers do not read.
  expect(await page.getByRole('heading', { name: 'Evidence' }).count()).toBe(0);

  const his = await open(ron, `/console/incidents/${incidentId}`);
  await his.page.getByRole('button', { name: 'Investigate' }).waitFor();
  await page.getByRole('button', { name: 'Investigate' }).click();
  await page.getByText('investigating').first().waitFor();
  await his.page.getByRole('button', { name: 'Investigate' }).waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Resolve' }).click();
  const dialog = page.getByRole('dialog', { name: 'Resolve' });
  await dialog.getByLabel('What it was, and what was done').fill('The owner was travelling');
  await hers.checkAccessibility();
  await dialog.getByRole('button', { name: 'Resolve' }).click();
  await dialog.waitFor({ state: 'detached' });
  await his.page.getByRole('region', { name: 'Resolution' }).getByText('The owner was travelling').waitFor();
  expect(await his.page.getByRole('button', { name: /Investigate|Resolve/ }).count()).toBe(0);
  expect(
    await row(stack.db.fork(), 'select status, assigned_to, resolved_by, resolution from incident where id = $1', [
      incidentId,
    ]),
  ).toEqual({
    status: 'resolved',
    assigned_to: rita.userId,
    resolved_by: rita.userId,
    resolution: 'The owner was travelling',
  });
});

test('a refusal is told in words, and what was written stays', async () => {
  const { incidentId } = await about('lockout', 'Guessing again');
  const person = await stack.people.signedIn('reviewer');
  const { page } = await open(person, `/console/incidents/${incidentId}`);
  await page.getByRole('button', { name: 'Resolve' }).click();
  const dialog = page.getByRole('dialog', { name: 'Resolve' });
  await dialog.getByLabel('What it was, and what was done').fill('Known address');
  // Stands for a colleague whose change the page has not heard of yet.
  await page.route('**/resolve', (route) => route.continue({ postData: JSON.stringify({ resolution: '' }) }));
  await dialog.getByRole('button', { name: 'Resolve' }).click();
  await dialog.getByRole('alert').waitFor();
  expect(await dialog.getByLabel('What it was, and what was done').inputValue()).toBe('Known address');
  await page.unroute('**/resolve');
  await dialog.getByRole('button', { name: 'Resolve' }).click();
  await page.getByRole('region', { name: 'Resolution' }).getByText('Known address').waitFor();
});

test('an auditor gets evidence, and nothing to act with', async () => {
  const { incidentId } = await about('restriction', 'An account was frozen again');
  const window = await open(await stack.people.signedIn('auditor'), `/console/incidents/${incidentId}`, {
    colorScheme: 'dark',
  });
  const { page } = window;
  await page.getByText('No bundle was requested yet.').waitFor();
  expect(await page.getByRole('button', { name: /Investigate|Resolve/ }).count()).toBe(0);
  await page.getByLabel('Hours before the incident').fill('48');
  await page.getByRole('button', { name: 'Request a bundle' }).click();
  const bundle = page.getByRole('list', { name: 'Bundles' }).getByRole('listitem');
  await bundle.getByText('ready', { exact: true }).waitFor({ timeout: 30_000 });
  await bundle.getByText('The log around them is intact.').waitFor();
  await bundle.getByText(/48 h before/).waitFor();
  await window.checkAccessibility();
  await window.picture('incident-evidence', { fullPage: false });
  const download = page.waitForEvent('download');
  await bundle.getByRole('link', { name: /^Download \(\d+ KiB\)$/ }).click();
  const file = await (await download).path();
  const { files } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { files: { name: string }[] };
  expect(files.map(({ name }) => name)).toContain('entries.ndjson.gz');
  await page.setViewportSize({ width: 360, height: 780 });
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.goto(`${stack.url}/console/incidents`);
  await page.getByRole('link', { name: 'An account was frozen again' }).waitFor();
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

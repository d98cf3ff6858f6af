import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oneRow, rows } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { FROM } from '../helpers/devices.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';
import { openWindow, type WindowOptions } from '../helpers/web.ts';

/** As production has it: the pages must come along with it. */
const RATE_LIMIT = 30;
const WRONG = 'certainly not the password';

let stack: Stack;
let browser: Browser;
let admin: SignedIn;
let reviewer: SignedIn;

beforeAll(async () => {
  stack = await createStack({ env: { RATE_LIMIT_PER_MINUTE: String(RATE_LIMIT) } });
  browser = await launchBrowser();
  admin = await stack.people.signedIn('admin');
  reviewer = await stack.people.signedIn('reviewer');
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

async function open(person: SignedIn, path: string, options: WindowOptions = {}) {
  const window = await openWindow(browser, stack, options);
  await window.signIn(person, path);
  return window;
}

/** Somebody at home in Berlin whose account is locked by guesses from Tokyo. */
async function lockedOut(): Promise<{ userId: string; email: string }> {
  const { email } = await stack.people.register({ headers: FROM.berlin });
  await stack.people.login({ email }, { headers: FROM.berlin });
  for (let n = 0; n < 5; n += 1) await stack.people.login({ email, password: WRONG }, { headers: FROM.tokyo });
  const { id } = await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email]);
  return { userId: id, email };
}

const lockouts = (userId: string) =>
  rows<{ unlocked_by: string | null; unlock_reason: string | null }>(
    stack.db.fork(),
    'select unlocked_by, unlock_reason from lockout where user_id = $1',
    [userId],
  );

test('logins with scores, every reason and places; an administrator unlocks by the keyboard alone', async () => {
  const window = await open(admin, '/console/authentication');
  const { page } = window;
  await page.getByText('No account is locked.').waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  // While somebody looks: the page follows.
  const { userId } = await lockedOut();
  const table = (name: string) => page.getByRole('table', { name, exact: true });
  const row = (name: string, text: string) => table(name).getByRole('row').filter({ hasText: text });

  const locked = row('Locked accounts', userId.slice(-10));
  await locked.waitFor();
  // What came in quick succession is read once more when the pace allows it.
  await row('Places', 'Japan').getByRole('cell', { name: '5', exact: true }).first().waitFor();
  await row('Failed logins by user', userId.slice(-10)).getByRole('cell', { name: '5', exact: true }).waitFor();
  expect(await locked.getByRole('timer').textContent()).toMatch(/^1[45] min( \d+ s)?$/);
  const failures = row('Failed logins by user', userId.slice(-10));
  expect(await failures.getByRole('cell').allTextContents()).toEqual(expect.arrayContaining(['5', '0', '1']));
  expect(await row('Places', 'Japan').getByRole('cell').allTextContents()).toEqual(
    expect.arrayContaining(['Japan, JP-13', '5', '0', '1']),
  );
  await row('Places', 'Germany').waitFor();
  await window.picture('authentication', { fullPage: false });

  // What each rule found is what the database keeps of the login.
  const { id, reasons } = await oneRow<{ id: string; reasons: { title: string; points: number }[] }>(
    stack.db.fork(),
    `select id, reasons from login where user_id = $1 and status = 'authenticated'`,
    [userId],
  );
  await table('Recent attempts').locator(`a[href$="${id}"]`).press('Enter');
  const drawer = page.getByRole('dialog', { name: 'Login attempt' });
  await drawer.getByRole('table', { name: 'Every rule' }).waitFor();
  const found = await drawer.getByRole('table', { name: 'Every rule' }).getByRole('row').allTextContents();
  expect(found).toHaveLength(reasons.length + 1);
  for (const { title, points } of reasons) {
    expect(found.find((text) => text.startsWith(title))).toMatch(points > 0 ? `+${(points / 100).toFixed(2)}` : /0$/);
  }
  await window.checkAccessibility();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'hidden' });

  await locked.getByRole('button', { name: 'Unlock' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Unlock' });
  await dialog.getByLabel('Reason').fill('   ');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await dialog.getByRole('alert').getByText('must have at least 1 character').waitFor();
  expect(await lockouts(userId)).toMatchObject([{ unlocked_by: null }]);
  await dialog.getByLabel('Reason').focus();
  await page.keyboard.type('The owner called, case 7');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('No account is locked.').waitFor();
  expect(await lockouts(userId)).toEqual([{ unlocked_by: 'admin', unlock_reason: 'The owner called, case 7' }]);
  await window.close();
});

test('a reviewer, on a phone and in the dark, sees the same and no button that is not for them', async () => {
  const { userId } = await lockedOut();
  const window = await open(reviewer, '/console/authentication?outcome=locked', { width: 360, colorScheme: 'dark' });
  const { page } = window;
  await page.getByRole('table', { name: 'Locked accounts' }).getByText(userId.slice(-10)).waitFor();
  expect(await page.getByRole('button', { name: 'Unlock' }).count()).toBe(0);
  const attempts = page.getByRole('table', { name: 'Recent attempts' });
  // The tables come one by one.
  await attempts.getByRole('link', { name: 'locked', exact: true }).first().waitFor();
  const outcomes = await attempts.getByRole('link').allTextContents();
  expect(new Set(outcomes.filter((text) => !text.includes('…')))).toEqual(new Set(['locked']));
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await window.checkAccessibility();
  await window.close();
});

test('what the API refused, by cause, endpoint and network; the endpoints filtered and sorted', async () => {
  const trader = await createTrading(stack).trader();
  const other = await createTrading(stack).trader();
  for (let n = 0; n < RATE_LIMIT + 4; n += 1) await stack.api.get('/api/exchange-rates', { token: trader.token });
  await stack.api.get('/api/portfolio', { token: 'x'.repeat(43) });
  await stack.api.get('/api/portfolio', { token: 'short' });
  await stack.api.post('/api/transactions', {}, { token: trader.token, headers: { 'Idempotency-Key': 'unsigned-1' } });
  await stack.api.post('/api/transactions', {}, { token: trader.token, signWith: other.signingKey });

  const window = await open(reviewer, '/console/api-security');
  const { page } = window;
  const bars = (name: string) => page.getByRole('list', { name, exact: true }).getByRole('listitem').allTextContents();
  await page.getByRole('heading', { name: 'Monitored endpoints' }).waitFor();
  expect(await bars('Rate-limit violations by endpoint')).toEqual(['GET /api/exchange-rates4']);
  expect(await bars('Invalid tokens by cause')).toEqual(
    expect.arrayContaining(['unknown or expired1', 'not a token at all1']),
  );
  expect((await bars('Failed signatures by cause')).sort()).toEqual([
    'a header of the signature is missing1',
    'the key is somebody else’s1',
  ]);
  const endpoints = page.getByRole('table', { name: 'Monitored endpoints' });
  const { body: told } = await stack.api.get('/api/admin/security/dashboard/api-security', { token: admin.token });
  const routes: unknown[] = told.monitoredEndpoints;
  await page.getByText(`${routes.length} of ${routes.length}.`).waitFor();
  await window.picture('api-security', { fullPage: false });

  await page.getByLabel('Path').fill('portfolio');
  await page.getByText(`1 of ${routes.length}.`).waitFor();
  expect(await endpoints.getByRole('row').nth(1).getByRole('cell').allTextContents()).toEqual(
    expect.arrayContaining(['GET', '/api/portfolio', 'customer, admin', '2']),
  );
  await page.getByLabel('Path').fill('');
  await page.getByText(`${routes.length} of ${routes.length}.`).waitFor();
  await page.getByLabel('Only with refusals or faults').press('Space');
  await endpoints.getByRole('button', { name: 'Refused' }).press('Enter');
  await page.waitForURL(/endpoints=-Refused/);
  // The address changes before the rows do.
  await endpoints.locator('th[aria-sort="descending"]', { hasText: 'Refused' }).waitFor();
  const refused = async () =>
    await endpoints.locator('tbody tr').evaluateAll((all) => all.map((one) => Number(one.children[6]?.textContent)));
  const highestFirst = await refused();
  expect(highestFirst.length).toBeGreaterThan(2);
  expect(highestFirst).toEqual(highestFirst.toSorted((a, b) => b - a));
  expect(page.url()).toContain('errors=yes');
  await page.reload();
  await endpoints.waitFor();
  expect(await refused()).toEqual(highestFirst);
  await window.checkAccessibility();
  await window.close();

  const dark = await open(admin, '/console/api-security', { width: 360, colorScheme: 'dark' });
  await dark.page.getByRole('heading', { name: 'Monitored endpoints' }).waitFor();
  expect(await dark.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await dark.checkAccessibility();
  await dark.close();
});

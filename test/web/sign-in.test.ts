import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { row, run } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow, type Window } from '../helpers/web.ts';

let stack: Stack;
let browser: Browser;
let window: Window;
let page: Page;

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
beforeEach(async () => {
  window = await openWindow(browser, stack);
  page = window.page;
});
afterEach(() => window.close());

const reviewer = () => stack.people.signedIn('reviewer');

async function giveNameAndPassword(person: { email: string; password: string }): Promise<void> {
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.keyboard.press('Enter');
}

test('staff sign in with a code, stay over a reload where they are, and sign out', async () => {
  const person = await reviewer();
  await window.signIn(person, '/console/reviews');
  await page.getByText('Live', { exact: true }).waitFor();
  expect(
    await page.evaluate('document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)'),
  ).not.toMatch(/session|token/i);
  await page.reload();
  await page.getByRole('heading', { name: 'Review queue' }).waitFor();
  await page.getByRole('button', { name: 'Test Person, reviewer' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
  expect(await page.getByRole('heading', { name: 'Review queue' }).count()).toBe(0);
  const left = await row(
    stack.db.fork(),
    `select count(*)::integer as open from session where user_id = $1 and channel = 'cookie' and revoked_at is null`,
    [person.userId],
  );
  expect(left).toEqual({ open: 0 });
  await window.checkAccessibility();
});

test('a session that was ended elsewhere ends on the page by itself', async () => {
  const person = await reviewer();
  await window.signIn(person, '/console/reviews');
  await page.getByText('Live', { exact: true }).waitFor();
  await run(stack.db.fork(), 'update session set revoked_at = clock_timestamp() where user_id = $1', [person.userId]);
  await page.getByText('Your session has ended.').waitFor({ timeout: 20_000 });
  expect(await page.getByRole('table').count()).toBe(0);
  // Whoever signs in again is where they were.
  await giveNameAndPassword(person);
  await page.getByLabel('Six-digit code').fill(stack.people.totpCode(person.totpSecret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Review queue' }).waitFor();
});

test('new staff enrol an authenticator and replace their one-time password on the way in', async () => {
  const person = await reviewer();
  await run(stack.db.fork(), 'update app_user set password_one_time = true where id = $1', [person.userId]);
  await run(stack.db.fork(), 'delete from totp_factor where user_id = $1', [person.userId]);
  await page.goto(stack.url);
  await giveNameAndPassword(person);
  const dialog = page.getByRole('dialog', { name: 'Set up your authenticator' });
  await dialog.getByRole('img', { name: 'QR code of the secret' }).waitFor();
  const secret = (await dialog.getByLabel('Secret', { exact: true }).textContent()) ?? '';
  await window.checkAccessibility();
  await dialog.getByLabel('Six-digit code').fill(stack.people.totpCode(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Choose your password' }).waitFor();
  // Nothing else is to be had with such a session.
  await page.goto(`${stack.url}/console/reviews`);
  await page.getByLabel('Password that you were given').fill(person.password);
  await page.getByLabel('New password').fill('a new and rather long phrase 7');
  await window.checkAccessibility();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Review queue' }).waitFor();
  const stored = await row(
    stack.db.fork(),
    `select u.password_one_time, f.confirmed_at is not null as enrolled
       from app_user u left join totp_factor f on f.user_id = u.id where u.id = $1`,
    [person.userId],
  );
  expect(stored).toEqual({ password_one_time: false, enrolled: true });
});

test('a wrong password and a wrong code are answered in words', async () => {
  const person = await reviewer();
  await page.goto(stack.url);
  await giveNameAndPassword({ ...person, password: 'wrong and long enough' });
  await page.getByRole('alert').getByText('The e-mail address or the password is wrong.').waitFor();
  expect(await page.getByLabel('E-mail address').inputValue()).toBe(person.email);
  await window.checkAccessibility();
  await window.picture('sign-in', { fullPage: false });
  await giveNameAndPassword(person);
  await page.getByLabel('Six-digit code').fill('000000');
  await page.keyboard.press('Enter');
  await page
    .getByRole('alert')
    .getByText(/That was not right\./)
    .waitFor();
  await page.getByLabel('Six-digit code').fill(stack.people.totpCode(person.totpSecret));
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
});

test('a customer is told that the console is not theirs', async () => {
  const customer = await stack.people.register();
  await page.goto(`${stack.url}/console/reviews`);
  await giveNameAndPassword(customer);
  // The browser is a device that the account does not know: a code was mailed.
  const code = await eventually(() => stack.mail.codesFor(customer.email)[0], { what: 'the mailed code' });
  await page.getByLabel('Six-digit code').fill(code);
  await page.keyboard.press('Enter');
  await page.getByText('This console is for staff.').waitFor();
  expect(await page.getByRole('table').count()).toBe(0);
});

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { oneRow, run } from '../../db/sql.ts';
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

interface Account {
  readonly email: string;
  readonly password: string;
}

/** Opens the sign-in page and sends address and password by the keyboard. */
async function enter({ email, password }: Account): Promise<void> {
  await page.goto(stack.url);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.keyboard.press('Enter');
}

const code = () => page.getByLabel('Six-digit code');
const mailed = (email: string, count: number) =>
  eventually(() => stack.mail.codesFor(email)[count - 1], { what: `code ${count} of ${email}` });
const focused = () => page.evaluate<string>('document.activeElement.getAttribute("autocomplete")');
const userOf = async ({ email }: Account) =>
  (await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email])).id;

test('[sign-in] an unknown device is asked for the mailed code: anew, after a wrong one, and then never seen by scripts', async () => {
  const customer = await stack.people.register();
  await enter(customer);
  const dialog = page.getByRole('dialog', { name: 'One more proof that it is you' });
  await dialog.waitFor();
  await eventually(async () => (await focused()) === 'one-time-code', { what: 'the focus in the code' });
  await window.checkAccessibility();
  await window.picture('sign-in-code', { fullPage: false });
  const first = await mailed(customer.email, 1);

  // Who closes it is not signed in, is told so, and may begin anew.
  await page.keyboard.press('Escape');
  await page.getByText('You are not signed in').waitFor();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await dialog.waitFor();
  const second = await mailed(customer.email, 2);
  await dialog.getByRole('button', { name: 'Send a new code' }).click();
  await dialog.getByText('A code is on its way.').waitFor();
  const third = await mailed(customer.email, 3);
  expect(new Set([first, second, third]).size).toBe(3);
  await code().fill(second);
  await page.keyboard.press('Enter');
  await dialog.getByText('4 tries are left.').waitFor();
  await eventually(async () => (await focused()) === 'one-time-code', { what: 'the focus in the code' });
  expect(await code().inputValue()).toBe('');
  // A fourth letter within the hour is refused in words.
  await dialog.getByRole('button', { name: 'Send a new code' }).click();
  await dialog.getByText('Three codes an hour').waitFor();
  // As people copy it out of a letter.
  await code().pressSequentially(`${third.slice(0, 3)} ${third.slice(3)}`);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Portfolio' }).waitFor();

  expect(await page.evaluate('document.cookie')).toBe('');
  expect(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')).toBe('[{},{}]');
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Portfolio' }).waitFor();
  await page.goto(`${stack.url}/console/reviews`);
  await page.getByText('This console is for staff.').waitFor();

  // Ended elsewhere: told at the next read, and what was shown is gone.
  await page.goto(`${stack.url}/account/portfolio`);
  await page.getByRole('heading', { level: 1, name: 'Portfolio' }).waitFor();
  await page.waitForLoadState('networkidle');
  await run(stack.db.fork(), 'update session set revoked_at = clock_timestamp() where user_id = $1', [
    await userOf(customer),
  ]);
  await page.getByRole('link', { name: 'Transactions' }).click();
  await page.getByText('Your session has ended.').waitFor();

  // The device is known now: no code.
  await enter(customer);
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor({ state: 'detached' });
  await page.getByRole('heading', { level: 1, name: 'Portfolio' }).waitFor();
  expect(stack.mail.codesFor(customer.email).length).toBe(3);
});

test('[H11] a wrong password is answered in words and stays selected; too many lock the account for a time that is told', async () => {
  const customer = await stack.people.register();
  await enter({ ...customer, password: 'wrong and long enough' });
  await page.getByText('The e-mail address or the password is wrong.').waitFor();
  expect(await focused()).toBe('current-password');
  expect(await page.evaluate('document.activeElement.selectionEnd')).toBe('wrong and long enough'.length);
  for (let guess = 1; guess < 5; guess += 1) {
    await page.keyboard.type(`wrong guess number ${guess}`);
    const answered = page.waitForResponse('**/api/auth/login');
    await page.keyboard.press('Enter');
    await answered;
    await page.getByRole('button', { name: 'Sign in', exact: true, disabled: false }).waitFor();
  }
  await page.getByText('There were too many wrong passwords.').waitFor();
  await page
    .getByRole('timer')
    .filter({ hasText: /Time left: 14 min/ })
    .waitFor();
  await window.checkAccessibility();
  // The right one does not help meanwhile.
  await enter(customer);
  await page.getByText('There were too many wrong passwords.').waitFor();
});

test('too many wrong codes end the sign-in, and nobody is in', async () => {
  const customer = await stack.people.register();
  await enter(customer);
  const right = await mailed(customer.email, 1);
  const wrong = ['111111', '222222', '333333', '444444', '555555', '666666'].filter((one) => one !== right).slice(0, 5);
  for (const [n, guess] of wrong.entries()) {
    await code().fill(guess);
    await page.keyboard.press('Enter');
    if (n < 3) await page.getByText(`${4 - n} tries are left.`).waitFor();
    if (n === 3) await page.getByText('One try is left.').waitFor();
  }
  await page.getByText('This sign-in was refused.').waitFor();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect((await stack.api.get('/api/auth/me')).status).toBe(401);
  const { n } = await oneRow<{ n: string }>(stack.db.fork(), 'select count(*) as n from session where user_id = $1', [
    await userOf(customer),
  ]);
  expect(Number(n)).toBe(0);
});

test('opens an account, and is known in this browser from then on', async () => {
  const email = stack.people.newAddress();
  await page.goto(stack.url);
  await page.getByRole('tab', { name: 'New account' }).click();
  await page.getByLabel('Full name').fill('Nina Weiss');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('too short');
  await page.getByRole('button', { name: 'Open an account' }).click();
  expect(await stack.mail.to(email)).toEqual([]);
  await page.getByLabel('Password', { exact: true }).fill('eleven quiet rivers in spring');
  await page.keyboard.press('Enter');
  await page.getByText('Your account is there.').waitFor();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('eleven quiet rivers in spring');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Portfolio' }).waitFor();
  expect(stack.mail.codesFor(email)).toEqual([]);
});

test('new staff enrol an authenticator and replace their one-time password on the way in', async () => {
  const person = await stack.people.signedIn('reviewer');
  await run(stack.db.fork(), 'update app_user set password_one_time = true where id = $1', [person.userId]);
  await run(stack.db.fork(), 'delete from totp_factor where user_id = $1', [person.userId]);
  await enter(person);
  const dialog = page.getByRole('dialog', { name: 'Set up your authenticator' });
  await dialog.getByRole('img', { name: 'QR code of the secret' }).waitFor();
  await window.checkAccessibility();
  await window.picture('sign-in-enrolment', { fullPage: false });
  const secret = await dialog.getByLabel('Secret', { exact: true }).textContent();
  await code().fill(stack.people.totpCode(secret ?? ''));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Choose your password' }).waitFor();
  await window.checkAccessibility();
  await page.getByLabel('Password that you were given').fill(person.password);
  await page.getByLabel('New password').fill('a new and rather long phrase 7');
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
});

test('the dialog reads well in the dark and on a telephone', async () => {
  const customer = await stack.people.register();
  await window.close();
  window = await openWindow(browser, stack, { width: 360, height: 740, colorScheme: 'dark' });
  page = window.page;
  await enter(customer);
  await page.getByRole('dialog').waitFor();
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

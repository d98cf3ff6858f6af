import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchBrowser } from '../helpers/browser.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow, type Window } from '../helpers/web.ts';

const NEW_PASSWORD = 'seven lanterns over the harbour';

let stack: Stack;
let browser: Browser;
let window: Window;
let page: Page;

beforeAll(async () => {
  stack = await createStack({ env: { REGISTRATION_CONFIRM: '1' } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
beforeEach(async () => {
  window = await openWindow(browser, stack, { width: 360, height: 740 });
  page = window.page;
});
afterEach(() => window.close());

/** The link of the newest letter to this address. */
async function linkTo(email: string, count: number): Promise<string> {
  const letter = await stack.mail.waitFor(email, { count });
  const link = /https?:\/\/\S+#token=\S+/.exec(letter.text)?.[0];
  if (link === undefined) throw new Error(`no link in: ${letter.text}`);
  return link;
}

test('the links of letters open pages that spend them: confirm the address, then choose another password', async () => {
  const person = await stack.people.register();
  expect((await stack.people.login(person)).status).toBe(401);
  await page.goto(await linkTo(person.email, 1));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('Your address is confirmed.').waitFor();
  await window.checkAccessibility();
  expect(page.url()).toBe(`${stack.url}/confirm`);
  expect((await stack.people.login(person)).status).toBe(200);

  await stack.api.post('/api/auth/password/forgot', { email: person.email });
  const link = await linkTo(person.email, 2);
  await page.goto(link);
  await page.getByLabel('New password').fill(NEW_PASSWORD);
  await window.checkAccessibility();
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('Your password is set').waitFor();
  expect((await stack.people.login({ ...person, password: NEW_PASSWORD })).status).toBe(200);

  // Spent, and not kept in the address.
  await page.goto('about:blank');
  await page.goto(link);
  await page.getByLabel('New password').fill('another one that comes too late');
  await page.getByRole('button', { name: 'Set the password' }).click();
  await page.getByText(/link/).last().waitFor();
  expect((await stack.people.login({ ...person, password: NEW_PASSWORD })).status).toBe(200);
});

test('a link that is not complete, or not ours, says so', async () => {
  await page.goto(`${stack.url}/recover`);
  await page.getByText('This link is not complete.').waitFor();
  await page.goto('about:blank');
  await page.goto(`${stack.url}/recover#token=${'x'.repeat(43)}`);
  await page.getByRole('status').filter({ hasText: /\w/ }).waitFor();
  expect(await page.getByRole('button').count()).toBe(0);
});

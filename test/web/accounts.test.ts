import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oneRow, rows } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { FROM } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow, type WindowOptions } from '../helpers/web.ts';

let stack: Stack;
let browser: Browser;
let admin: SignedIn;

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
  admin = await stack.people.signedIn('admin');
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

/** Somebody who registered and signed in from Berlin, twice. */
async function customer(): Promise<{ userId: string; email: string }> {
  const { email } = await stack.people.register({ headers: FROM.berlin });
  for (let n = 0; n < 2; n += 1) await stack.people.login({ email }, { headers: FROM.berlin });
  const { id } = await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [email]);
  return { userId: id, email };
}

const openSessions = async (userId: string): Promise<number> =>
  (
    await oneRow<{ n: number }>(
      stack.db.fork(),
      'select count(*)::int as n from session where user_id = $1 and revoked_at is null',
      [userId],
    )
  ).n;
const user = (userId: string) =>
  oneRow<{ role: string; tier: string; disabled: boolean; restricted: boolean; one_time: boolean }>(
    stack.db.fork(),
    `select role, tier, disabled_at is not null as disabled, restricted_at is not null as restricted,
            password_one_time as one_time from app_user where id = $1`,
    [userId],
  );

test('an account is found by its address; what it has open is shown, and ended; it is restricted and recovered', async () => {
  const { userId, email } = await customer();
  const window = await open(admin, '/console/accounts');
  const { page } = window;
  const accounts = page.getByRole('table', { name: 'Accounts' });
  await accounts.getByRole('link', { name: admin.email }).waitFor();
  await window.picture('accounts', { fullPage: false });
  await window.checkAccessibility();
  await page.getByLabel('E-mail address begins with').fill(email.slice(0, -8));
  await eventually(async () => (await accounts.getByRole('row').count()) === 2, { what: 'one account' });
  expect(new URL(page.url()).searchParams.get('email')).toBe(email.slice(0, -8));

  await accounts.getByRole('link', { name: email }).press('Enter');
  await page.getByRole('heading', { level: 1, name: email }).waitFor();
  const row = (table: string) => page.getByRole('table', { name: table, exact: true }).locator('tbody tr');
  await row('Open sessions').nth(1).waitFor();
  expect(await row('Open sessions').count()).toBe(2);
  // Each table asks for its rows by itself.
  await row('Devices').first().waitFor();
  await row('Logins').nth(1).waitFor();
  expect(await row('Devices').getByRole('cell').allTextContents()).toEqual(
    expect.arrayContaining(['chrome', 'linux', '1920x1080x24', 'europe/berlin', '2']),
  );
  expect(await row('Logins').filter({ hasText: 'Germany' }).count()).toBe(2);
  await window.picture('account', { fullPage: false });
  await window.checkAccessibility();

  await row('Open sessions').first().getByRole('button', { name: 'End' }).press('Enter');
  await confirm('End', 'The owner does not know it');
  await eventually(async () => (await row('Open sessions').count()) === 1, { what: 'one session left' });
  expect(await openSessions(userId)).toBe(1);
  await page.getByRole('button', { name: 'End all sessions' }).click();
  await confirm('End all sessions', 'The owner asked for it');
  await page.getByText('Nobody is signed in.').waitFor();
  expect(await openSessions(userId)).toBe(0);

  await page.getByRole('button', { name: 'Restrict' }).click();
  await confirm('Restrict', 'A stolen phone, case 12');
  await page.getByRole('heading', { name: 'Restriction' }).waitFor();
  await page.getByText('A stolen phone, case 12').waitFor();
  expect(await user(userId)).toMatchObject({ restricted: true });
  expect(await page.getByRole('button', { name: 'Restrict' }).count()).toBe(0);

  await page.getByRole('button', { name: 'Identity is verified' }).click();
  await confirm('Identity is verified', 'CASE-12', 'Case reference');
  await page.getByRole('button', { name: 'Send the link for a new password' }).click();
  await confirm('Send the link for a new password');
  await page.getByText('waits for the owner; sent').waitFor();
  await page.getByRole('button', { name: 'Send the link for a new password again' }).waitFor();
  await stack.mail.waitFor(email, { subject: /password/i });
  expect(
    await rows(
      stack.db.fork(),
      `select s.step, s.case_reference from recovery_step s join restriction r on r.id = s.restriction_id
        where r.user_id = $1 order by s.requested_at`,
      [userId],
    ),
  ).toEqual([
    { step: 'identity_verified', case_reference: 'CASE-12' },
    { step: 'password_reset', case_reference: null },
  ]);
  await window.checkAccessibility();
  await window.close();

  async function confirm(label: string, reason?: string, reasonLabel = 'Reason'): Promise<void> {
    const dialog = page.getByRole('dialog', { name: label, exact: true });
    if (reason !== undefined) await dialog.getByLabel(reasonLabel).fill(reason);
    await dialog.getByRole('button', { name: label, exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
  }
});

test('an administrator adds a person, changes role and limits, hands out one-time passwords; the last one stays', async () => {
  const { userId, email } = await customer();
  const window = await open(admin, `/console/accounts/${userId}`, { colorScheme: 'dark' });
  const { page } = window;
  const dialog = (name: string) => page.getByRole('dialog', { name, exact: true });
  async function change(label: string): Promise<void> {
    await page.getByRole('button', { name: label, exact: true }).click();
    await dialog(label).getByRole('button', { name: label, exact: true }).click();
    await dialog(label).waitFor({ state: 'hidden' });
  }

  await page.getByLabel('Role', { exact: true }).selectOption('reviewer');
  await change('Change role');
  await page.getByLabel('Limits', { exact: true }).selectOption('premium');
  await change('Change limits');
  await change('Disable');
  await page.getByRole('button', { name: 'Enable', exact: true }).waitFor();
  expect(await user(userId)).toMatchObject({ role: 'reviewer', tier: 'premium', disabled: true });
  await change('Enable');
  await change('Reset password');
  const password = (await dialog('One-time password').locator('code').textContent()) ?? '';
  await window.checkAccessibility();
  await dialog('One-time password').getByRole('button', { name: 'I have it' }).click();
  expect(await user(userId)).toMatchObject({ disabled: false, one_time: true });
  const signedIn = await stack.people.login({ email, password }, { headers: FROM.berlin });
  expect(signedIn).toMatchObject({ status: 202, body: { status: 'enrolment_required' } });

  // A refusal is told where it was asked for.
  await page.goto(`${stack.url}/console/accounts/${admin.userId}`);
  await page.getByLabel('Role', { exact: true }).selectOption('auditor');
  await page.getByRole('button', { name: 'Change role' }).click();
  await dialog('Change role').getByRole('button', { name: 'Change role' }).click();
  await dialog('Change role').getByRole('alert').getByText('This is the last administrator').waitFor();
  expect(await user(admin.userId)).toMatchObject({ role: 'admin' });
  await page.keyboard.press('Escape');
  expect(await page.getByRole('button', { name: 'Restrict' }).count()).toBe(0);

  await page.goto(`${stack.url}/console/accounts`);
  await page.getByRole('button', { name: 'Add a person' }).press('Enter');
  await dialog('Add a person').getByLabel('E-mail address').fill(email);
  await dialog('Add a person').getByLabel('Full name').fill('Ada Auditor');
  await dialog('Add a person').getByLabel('Role').selectOption('auditor');
  await dialog('Add a person').getByRole('button', { name: 'Add' }).click();
  await dialog('Add a person').getByRole('alert').getByText('already').waitFor();
  const address = stack.people.newAddress();
  await dialog('Add a person').getByLabel('E-mail address').fill(address);
  await dialog('Add a person').getByRole('button', { name: 'Add' }).click();
  await dialog('One-time password').getByText('It is shown only now.').waitFor();
  await dialog('One-time password').getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('link', { name: address }).waitFor();
  await window.checkAccessibility();
  await window.close();
});

test('a reviewer reads addresses masked, and has no button of an administrator', async () => {
  const { userId, email } = await customer();
  const reviewer = await stack.people.signedIn('reviewer');
  const window = await open(reviewer, '/console/accounts', { width: 360 });
  const { page } = window;
  await page.getByLabel('Whole e-mail address').fill(email);
  const links = page.getByRole('table', { name: 'Accounts' }).getByRole('link');
  await eventually(async () => (await links.count()) === 1, { what: 'one account' });
  expect(await page.getByRole('button', { name: 'Add a person' }).count()).toBe(0);
  await window.checkAccessibility();
  await links.first().click();
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
  await page.getByRole('heading', { name: 'Logins' }).waitFor();
  expect(page.url()).toContain(userId);
  expect(await page.locator('body').textContent()).not.toContain(email);
  expect(await page.getByRole('button', { name: /Restrict|End|Unlock|Reset/ }).count()).toBe(0);
  expect(await page.getByRole('heading', { name: 'Administration' }).count()).toBe(0);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await window.checkAccessibility();
  await window.close();

  const dark = await open(reviewer, `/console/accounts/${userId}`, { colorScheme: 'dark', width: 1920 });
  await dark.page.getByRole('table', { name: 'Logins' }).waitFor();
  await dark.checkAccessibility();
  await dark.close();
});

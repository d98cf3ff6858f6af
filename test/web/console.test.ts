import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { row, run } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';

let stack: Stack;
let trading: Trading;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the browser itself complained about: violations of the content security policy among it. */
let complaints: string[];

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
  context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/Berlin' });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // Answers like 401 are the API's normal words to somebody who is not signed in.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  await page.addInitScript({
    content: `addEventListener('securitypolicyviolation', (event) => console.error('csp: ' + event.violatedDirective))`,
  });
});
afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
});

async function signIn(person: SignedIn): Promise<void> {
  await page.goto(stack.url);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByLabel('Six-digit code').fill(stack.people.totpCode(person.totpSecret));
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
}

const reviewer = () => stack.people.signedIn('reviewer');
const screenshot = (name: string) =>
  process.env.SCREENSHOTS
    ? page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true })
    : undefined;

describe('a reviewer', () => {
  test('[S9] signs in with a code, sees a hold arrive within a second, and approves it with a reason', async () => {
    const person = await reviewer();
    await signIn(person);
    await page.getByText('Nothing waits for a review.').waitFor();
    expect(await page.evaluate('document.cookie')).toBe('');

    const trader = await trading.trader();
    const transactionId = await trading.held(trader);
    const answeredAt = performance.now();
    const held = page.getByRole('article', { name: 'withdrawal of 500.00 USD' });
    await held.waitFor();
    expect(performance.now() - answeredAt).toBeLessThan(1_000);
    await page.getByText('A transaction was held, score 0.90.').waitFor();
    expect(await held.textContent()).toContain('Amount above 2 times');
    await page.getByRole('cell', { name: 'quarantined' }).first().waitFor();
    await screenshot('held');

    await held.getByLabel('Reason of your verdict').fill('Called the customer back');
    await held.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('The withdrawal of 500.00 USD is settled.').waitFor();
    await held.waitFor({ state: 'detached' });
    expect((await trader.get(transactionId)).body.status).toBe('settled');
    const verdict = await row<{ reviewer_id: string; reason: string }>(
      stack.db.fork(),
      'select reviewer_id, reason from review_verdict where transaction_id = $1',
      [transactionId],
    );
    expect(verdict).toEqual({ reviewer_id: person.userId, reason: 'Called the customer back' });
  });

  test('can do all of it with the keyboard, and keeps what is written while the list changes', async () => {
    await signIn(await reviewer());
    const first = await trading.trader();
    await trading.held(first, '600.00');
    const reason = page.getByRole('article', { name: '600.00' }).getByLabel('Reason of your verdict');
    await reason.focus();
    await page.keyboard.type('Not his');
    await trading.held(await trading.trader(), '700.00');
    await page.getByRole('article', { name: '700.00' }).waitFor();
    expect(await page.evaluate(`document.activeElement.name === 'reason'`)).toBe(true);
    await page.keyboard.type(' device');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Reject');
    await page.keyboard.press('Enter');
    await page.getByText('The withdrawal of 600.00 USD is rejected (review_rejected).').waitFor();
    // The focus goes to the head of the list, not back to the top of the page.
    await eventually(() => page.evaluate<boolean>(`document.activeElement.id === 'reviews-title'`), {
      what: 'the focus',
    });
  });

  test('is told why a verdict is refused', async () => {
    const person = await stack.people.signedIn('customer');
    await trading.held(await trading.trader('100000.00', person), '800.00');
    await run(stack.db.fork(), `update app_user set role = 'reviewer' where id = $1`, [person.userId]);
    await signIn(person);
    const own = page.getByRole('article', { name: '800.00' });
    await own.getByLabel('Reason of your verdict').fill('It was me');
    await own.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Nobody decides on their own transaction.').waitFor();
  });

  test('stays signed in over a reload, and sees the three dashboards and the incidents', async () => {
    await signIn(await reviewer());
    await page.reload();
    for (const name of ['Held transactions', 'Incidents', 'Transactions', 'Logins', 'API security']) {
      await page.getByRole('heading', { name, exact: true }).waitFor();
    }
    await page
      .getByRole('table', { name: 'Recent attempts' })
      .getByRole('cell', { name: 'authenticated' })
      .first()
      .waitFor();
    await page.getByRole('table', { name: 'Anomalies by rule' }).getByRole('cell', { name: 'velocity' }).waitFor();
    await page.getByText('Watched endpoints').waitFor();
    await screenshot('dashboards');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    expect(await page.getByRole('heading', { name: 'Held transactions' }).isVisible()).toBe(false);
  });

  test('comes back by itself after the session was ended elsewhere', async () => {
    const person = await reviewer();
    await signIn(person);
    await run(stack.db.fork(), 'update session set revoked_at = clock_timestamp() where user_id = $1', [person.userId]);
    await page.getByText('Staff: sign in').waitFor({ timeout: 20_000 });
  });
});

test('an auditor sees everything and gets no form to decide with', async () => {
  await trading.held(await trading.trader(), '900.00');
  await signIn(await stack.people.signedIn('auditor'));
  const held = page.getByRole('article', { name: '900.00' });
  await held.waitFor();
  expect(await held.getByRole('button').count()).toBe(0);
});

test('new staff enrol an authenticator and replace their one-time password on the way in', async () => {
  const person = await reviewer();
  await run(stack.db.fork(), 'update app_user set password_one_time = true where id = $1', [person.userId]);
  await run(stack.db.fork(), 'delete from totp_factor where user_id = $1', [person.userId]);
  await page.goto(stack.url);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.keyboard.press('Enter');
  await page.getByText('Secret for your authenticator app').waitFor();
  const secret = await page.locator('#enrolment-secret').textContent();
  await page.getByLabel('Six-digit code').fill(stack.people.totpCode(secret ?? ''));
  await page.keyboard.press('Enter');
  await page.getByLabel('New password').fill('a new and rather long phrase 7');
  await page.keyboard.press('Enter');
  await page.getByText('Live', { exact: true }).waitFor();
});

test('[H11] a wrong password is answered in words; what somebody named himself is text and nothing else', async () => {
  await page.goto(stack.url);
  await page.getByLabel('E-mail address').fill('nobody@example.com');
  await page.getByLabel('Password', { exact: true }).fill('wrong and long enough');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The e-mail address or the password is wrong.').waitFor();

  const evil = '<img src=x onerror="document.title=1">';
  await fetch(`${stack.url}/api/auth/login`, { method: 'POST', headers: { 'User-Agent': evil } });
  const trader = await trading.trader();
  await trading.past(trader, { count: 10 });
  await trader.withdraw('950.00', { category: 'jewellery' });
  await run(stack.ownerDb.fork(), 'update transaction set counterparty = $1 where amount = 95000', [evil]);
  await signIn(await reviewer());
  const held = page.getByRole('article', { name: '950.00' });
  await held.waitFor();
  expect(await held.textContent()).toContain(evil);
  expect(await page.locator('img').count()).toBe(0);
  expect(await page.title()).toBe('Tradeguard');
});

test('a customer is told that this console is not theirs', async () => {
  const customer = await stack.people.register();
  await page.goto(stack.url);
  await page.getByLabel('E-mail address').fill(customer.email);
  await page.getByLabel('Password', { exact: true }).fill(customer.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  // The browser is a device that the account does not know: a code was mailed.
  const code = await eventually(() => stack.mail.codesFor(customer.email)[0], { what: 'the mailed code' });
  await page.getByLabel('Six-digit code').fill(code);
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('This console is for staff.').waitFor();
});

import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { oneRow, rows } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trader, type Trading } from '../helpers/trading.ts';
import { openWindow, type Window } from '../helpers/web.ts';

let stack: Stack;
let trading: Trading;
let browser: Browser;
let window: Window;
let page: Page;

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
  page = window.page;
});
afterEach(() => window.close());

/** Signs in, and has this browser make its key. */
async function atTheForm(balance = '50000.00', type = 'withdrawal'): Promise<Trader> {
  const trader = await trading.trader(balance);
  await window.signIn(trader, `/account/trade?type=${type}`);
  await page.getByRole('button', { name: 'Make a signing key' }).click();
  await page.getByRole('button', { name: 'Rotate' }).waitFor();
  return trader;
}

const transactionsOf = (trader: Trader) =>
  rows<{ id: string; status: string; code: string | null; type: string; amount: string }>(
    stack.db.fork(),
    'select id, status, code, type, amount from transaction where account_id = $1 order by created_at',
    [trader.accountId],
  );
const ask = (name = 'Withdraw') => page.getByRole('button', { name, exact: true });
const amount = () => page.getByLabel('Amount', { exact: true });

describe('the signing key of a browser', () => {
  test('signs, and neither it nor its secret can be read: not from IndexedDB, not from any storage', async () => {
    let secret = '';
    await page.route('**/api/signing-keys', async (route) => {
      const answer = await route.fetch();
      if (route.request().method() === 'POST') secret = (await answer.json()).secret;
      await route.fulfill({ response: answer });
    });
    const trader = await atTheForm();
    expect(secret).toMatch(/^[\w-]{43}$/);

    const kept = await page.evaluate<{
      names: string[];
      stored: object;
      exported: string;
      storages: string;
    }>(`(async () => {
      const names = (await indexedDB.databases()).map(({ name }) => name);
      const open = indexedDB.open('tradeguard');
      const database = await new Promise((done) => { open.onsuccess = () => done(open.result); });
      const all = database.transaction('signing-keys').objectStore('signing-keys').getAll();
      const found = await new Promise((done) => { all.onsuccess = () => done(all.result); });
      const [{ key, ...stored }] = found;
      const exports = await Promise.all(['raw', 'jwk'].map((format) =>
        crypto.subtle.exportKey(format, key).then(() => 'read', (error) => error.name)));
      return {
        names,
        stored: { ...stored, count: found.length, extractable: key.extractable, usages: key.usages },
        exported: exports.join(),
        storages: JSON.stringify([{ ...localStorage }, { ...sessionStorage }, stored, document.cookie]),
      };
    })()`);
    expect(kept.names).toEqual(['tradeguard']);
    expect(kept.stored).toMatchObject({ userId: trader.userId, count: 1, extractable: false, usages: ['sign'] });
    expect(kept.exported).toBe('InvalidAccessError,InvalidAccessError');
    const hex = Buffer.from(secret, 'base64url').toString('hex');
    for (const form of [secret, hex, Buffer.from(secret, 'base64url').toString('base64')]) {
      expect(kept.storages).not.toContain(form);
    }

    // It outlives the page, and what it signs is taken.
    await page.reload();
    await amount().fill('125.50');
    await ask().click();
    await page.getByText('Settled', { exact: true }).waitFor();
    expect(await transactionsOf(trader)).toMatchObject([{ status: 'settled', type: 'withdrawal', amount: '12550' }]);
  });

  test('is rotated, is another one for another person, and signs nothing once it is revoked elsewhere', async () => {
    const trader = await atTheForm();
    const keyOf = () =>
      page.getByRole('region', { name: 'Signing key of this browser' }).locator('code').getAttribute('title');
    const first = await keyOf();
    await page.getByRole('button', { name: 'Rotate' }).click();
    await eventually(async () => (await keyOf()) !== first, { what: 'another key' });
    const second = await keyOf();
    await stack.api.delete(`/api/signing-keys/${second}`, { token: trader.token, signWith: trader.signingKey });
    await amount().fill('10.00');
    await ask().click();
    await page.getByRole('alert').filter({ hasText: /sign/i }).waitFor();
    await page.getByText('This key was revoked').waitFor();
    expect(await transactionsOf(trader)).toEqual([]);
    await page.getByRole('button', { name: 'Remove it from this browser' }).click();
    await page.getByRole('button', { name: 'Make a signing key' }).click();
    await page.getByRole('button', { name: 'Rotate' }).waitFor();
    // What was typed is still there.
    await ask().click();
    await page.getByText('Settled', { exact: true }).waitFor();

    await page.getByRole('button', { name: /Test Person/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    const other = await trading.trader();
    await window.signIn(other, '/account/trade?type=withdrawal');
    await page.getByRole('button', { name: 'Make a signing key' }).waitFor();
    expect(await ask().isDisabled()).toBe(true);
  });
});

describe('a transaction', () => {
  test('[hold] is held, told with its deadline, and seen to be settled when it is approved', async () => {
    const trader = await atTheForm();
    await trading.past(trader, { count: 10 });
    await amount().fill('500.00');
    await page.getByLabel('Category').fill('Jewellery');
    await ask().click();
    await page.getByText('Held for review').waitFor();
    await page.getByRole('timer').waitFor();
    await window.picture('account-trade-held');
    await page.getByRole('link', { name: 'See the transaction' }).click();
    await page.getByRole('heading', { level: 1, name: 'Withdrawal of 500.00 USD' }).waitFor();
    const [held] = await transactionsOf(trader);
    const reviewer = await stack.people.signedIn('reviewer');
    const approval = { reason: 'Called the customer back' };
    const path = `/api/admin/security/transactions/${held?.id}/approve`;
    expect((await stack.api.post(path, approval, { token: reviewer.token })).status).toBe(200);
    await page.getByText('Settled', { exact: true }).waitFor();
    expect((await transactionsOf(trader)).map(({ status, code }) => [status, code])).toEqual([['settled', null]]);
  });

  test('[step-up] above the step-up amount is confirmed in a dialog that names it, at once or later', async () => {
    const trader = await atTheForm();
    const recipient = await trading.trader('0');
    await page.getByText('Transfer', { exact: true }).click();
    await page.getByLabel('To account').fill(recipient.accountId);
    await amount().fill('12000.00');
    await ask('Transfer').click();
    const dialog = page.getByRole('dialog', { name: 'Confirm: transfer of 12 000.00 USD' });
    // Who confirms sees where the money goes, as the server has it.
    await dialog.getByText(recipient.accountId).waitFor();
    await window.checkAccessibility();
    await window.picture('step-up-dialog', { fullPage: false });
    await page.keyboard.press('Escape');
    await page.getByText('Waits for you to confirm it').waitFor();
    await page.getByRole('link', { name: 'See the transaction' }).click();

    await page.getByRole('button', { name: 'Confirm it' }).click();
    await dialog.getByLabel('Six-digit code').fill('000000');
    await page.keyboard.press('Enter');
    await dialog.getByText('4 tries are left.').waitFor();
    await dialog.getByLabel('Six-digit code').fill(stack.people.totpCode(trader.totpSecret));
    await page.keyboard.press('Enter');
    await page.getByText('Settled', { exact: true }).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect((await recipient.portfolio()).cash).toMatchObject([{ currency: 'USD', balance: '12000.00' }]);
  });

  test('happens once: for a double click, for answers that are lost, and over a reload', async () => {
    const trader = await atTheForm();
    await amount().fill('40.00');
    await page.evaluate(`{
      const form = document.querySelector('main form');
      form.requestSubmit(); form.requestSubmit();
    }`);
    await page.getByText('Settled', { exact: true }).waitFor();
    expect(await transactionsOf(trader)).toMatchObject([{ amount: '4000' }]);
    await page.getByRole('button', { name: 'Another transaction' }).click();

    // The server carries it out, and its answer never comes.
    const keys: string[] = [];
    let isCut = true;
    await page.route('**/api/transactions', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      keys.push((await route.request().allHeaders())['idempotency-key'] ?? '');
      if (!isCut) return route.continue();
      await route.fetch();
      return route.abort('connectionreset');
    });
    await amount().fill('41.00');
    await ask().click();
    await page.getByText('No answer yet: withdrawal of 41.00 USD').waitFor();
    expect(await amount().isDisabled()).toBe(true);
    await page.reload();
    await page.getByText('No answer yet: withdrawal of 41.00 USD').waitFor();
    isCut = false;
    await page.getByRole('button', { name: 'Ask again' }).click();
    await page.getByText('Settled', { exact: true }).waitFor();
    expect(keys.length).toBeGreaterThan(2);
    expect(new Set(keys).size).toBe(1);
    expect((await transactionsOf(trader)).map((one) => one.amount)).toEqual(['4000', '4100']);
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('that is refused says why, and what was typed stays', async () => {
    const trader = await atTheForm('100.00');
    await amount().fill('1,5');
    await ask().click();
    await page.getByText('Write it like 1234.50').waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('trade-amount');
    await amount().fill('100.001');
    await ask().click();
    await page.getByRole('alert').waitFor();
    expect(await transactionsOf(trader)).toEqual([]);
    await amount().fill('250.00');
    await ask().click();
    await page.getByText('The account does not hold enough that is free.').waitFor();
    await page.getByRole('button', { name: 'Change it and ask again' }).click();
    expect(await amount().inputValue()).toBe('250.00');
    await amount().fill('25.00');
    await ask().click();
    await page.getByText('Settled', { exact: true }).waitFor();
    expect((await transactionsOf(trader)).map(({ status, code }) => [status, code])).toEqual([
      ['rejected', 'insufficient_funds'],
      ['settled', null],
    ]);
  });

  test('rejected by a reviewer is appealed against once; what is held is cancelled', async () => {
    const trader = await atTheForm();
    const transactionId = await trading.held(trader);
    const reviewer = await stack.people.signedIn('reviewer');
    const path = `/api/admin/security/transactions/${transactionId}/reject`;
    await stack.api.post(path, { reason: 'Not his device' }, { token: reviewer.token });
    await page.goto(`${stack.url}/account/transactions/${transactionId}`);
    await page.getByText('A reviewer decided against it.').waitFor();
    await page.getByRole('button', { name: 'Appeal' }).click();
    await page.getByLabel('Why it should go through').fill('It was me, on a new telephone');
    await page.getByRole('dialog').getByRole('button', { name: 'Appeal' }).click();
    await page.getByText('Held for review').waitFor();
    const { n } = await oneRow<{ n: string }>(
      stack.db.fork(),
      'select count(*) as n from transaction_appeal where transaction_id = $1',
      [transactionId],
    );
    expect(Number(n)).toBe(1);

    // What is held may be taken back.
    await page.getByRole('button', { name: 'Cancel the transaction' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the transaction' }).click();
    await page.getByText('You cancelled it.').waitFor();
    expect(await transactionsOf(trader)).toMatchObject([{ status: 'rejected', code: 'cancelled' }]);
  });
});

test('what is not read yet, or cannot be read, is told so: nothing is shown as none', async () => {
  await trading.price('ACME', '12.50');
  const trader = await trading.trader('50000.00');
  const waiting: (() => void)[] = [];
  let isBroken = false;
  for (const what of ['instruments', 'portfolio']) {
    await page.route(`**/api/${what}`, async (route) => {
      await new Promise<void>((done) => waiting.push(done));
      return isBroken ? route.abort('connectionreset') : route.continue();
    });
  }
  await window.signIn(trader, '/account/trade?type=buy&instrument=ACME');
  await eventually(() => waiting.length === 2, { what: 'both reads' });
  const instrument = page.getByRole('combobox', { name: 'Instrument' });
  await instrument.click();
  await page.getByText('The instruments are not read yet').waitFor();
  await page.getByText('Withdrawal', { exact: true }).click();
  await page.getByText('Money to your own account').waitFor();
  expect(await page.getByText(/^Free:/).count()).toBe(0);

  // The client asks three times before it gives up.
  isBroken = true;
  const opened = setInterval(() => {
    for (const answer of waiting.splice(0)) answer();
  }, 50);
  try {
    await page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor();
    await page.getByText('Buy', { exact: true }).click();
    await eventually(async () => (await page.getByRole('alert').count()) === 2, { what: 'both told' });
    expect(await page.getByText(/^Free:/).count()).toBe(0);
    isBroken = false;
    for (const left of [1, 0]) {
      await page.getByRole('button', { name: 'Try again' }).first().click();
      await eventually(async () => (await page.getByRole('alert').count()) === left, { what: `${left} alerts` });
    }
    await page.getByText('Free: 50 000.00 USD').waitFor();
  } finally {
    clearInterval(opened);
  }
  await instrument.click();
  await page.getByRole('option', { name: /^ACME/ }).click();
  await page.getByText('Free: 50 000.00 USD').waitFor();
});

test('buys at the market price by the keyboard alone; portfolio and list show what the books hold', async () => {
  await trading.price('ACME', '12.50');
  // What is not in the list, out of an old address for one, is not sent.
  const trader = await atTheForm('50000.00', 'buy&instrument=GONE');
  await page.getByLabel('Quantity').fill('10');
  await ask('Buy').click();
  await page.getByText('Choose one', { exact: true }).waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('trade-instrument');
  await page.getByLabel('Quantity').fill('');
  await page.getByRole('combobox', { name: 'Instrument' }).focus();
  await page.keyboard.type('ACME');
  // Like somebody who looks: what was typed has to be found before it can be chosen.
  await page.getByRole('option', { name: /^ACME/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type('10');
  await page.getByText('About 125.00 USD').waitFor();
  await window.picture('account-trade');
  await page.keyboard.press('Enter');
  await page.getByText('Settled', { exact: true }).waitFor();
  // One that waits for a factor sets money aside.
  expect((await trader.withdraw('12000.00')).body.status).toBe('step_up_required');

  await page.goto(`${stack.url}/account/portfolio`);
  const cash = page.getByRole('table', { name: 'Cash' });
  await cash.getByRole('cell', { name: '49 875.00', exact: true }).waitFor();
  await cash.getByRole('cell', { name: '12 000.00', exact: true }).waitFor();
  await page.getByRole('table', { name: 'Positions' }).getByRole('cell', { name: '10', exact: true }).waitFor();
  await page.getByText(trader.accountId).waitFor();
  await window.checkAccessibility();
  await window.picture('account-portfolio');
  await page.goto(`${stack.url}/account/transactions`);
  await page.getByRole('link', { name: 'buy of 10 ACME' }).waitFor();
  await page
    .getByRole('row', { name: /withdrawal of 12 000.00 USD/ })
    .getByRole('timer')
    .waitFor();
  await window.checkAccessibility();
  await window.picture('account-transactions');

  // The same in the dark, and on a telephone.
  const small = await openWindow(browser, stack, { width: 360, height: 740, colorScheme: 'dark' });
  await small.signIn(trader, '/account/portfolio');
  for (const path of ['portfolio', 'trade?type=buy', 'trade?type=transfer', 'transactions']) {
    await small.page.goto(`${stack.url}/account/${path}`);
    await small.page.getByRole('heading', { level: 1 }).waitFor();
    await small.page.waitForLoadState('networkidle');
    await small.checkAccessibility();
    expect(await small.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    if (path === 'trade?type=buy') await small.picture('account-trade-small');
  }
  await small.close();
});

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { row, run } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, promisedMs, type Window, type WindowOptions } from '../helpers/web.ts';

/** Two people approve what is larger. */
const ONE_PERSON_UP_TO = '900';

let stack: Stack;
let trading: Trading;
let browser: Browser;
const windows: Window[] = [];

beforeAll(async () => {
  stack = await createStack({ env: { REVIEW_TWO_PERSON_ABOVE: ONE_PERSON_UP_TO, VERDICT_TIMEOUT: '30s' } });
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

/** A window of somebody, signed in at a page. */
async function open(person: SignedIn, path: string, options: WindowOptions = {}): Promise<Window> {
  const window = await openWindow(browser, stack, options);
  windows.push(window);
  await window.signIn(person, path);
  return window;
}

const reviewer = () => stack.people.signedIn('reviewer');
const caseOf = (id: string) => `/console/reviews/${id}`;
const VERDICT = 'select reviewer_id, verdict, reason from review_verdict where transaction_id = $1';

describe('the queue', () => {
  test('[S9] a hold appears within a second, and is approved with the keyboard alone', async () => {
    const person = await reviewer();
    const { page, checkAccessibility, picture } = await open(person, '/console/reviews');
    await page.getByText('Nothing waits for a review.').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.evaluate('document.cookie')).toBe('');

    const trader = await trading.trader();
    const transactionId = await trading.held(trader);
    const answeredAt = performance.now();
    await page.getByRole('link', { name: 'withdrawal of 500.00 USD' }).waitFor();
    expect(performance.now() - answeredAt).toBeLessThan(promisedMs(1_000));
    await page.getByRole('cell', { name: 'Amount above 2 times' }).waitFor();
    await checkAccessibility();
    await picture('reviews', { fullPage: false });

    async function press(...keys: string[]): Promise<void> {
      for (const key of keys) await page.keyboard.press(key);
    }
    await press('j', 'c');
    await page.getByText('You look after the withdrawal of 500.00 USD.').waitFor();
    await page.getByRole('row', { name: /withdrawal of 500.00 USD.*you/ }).waitFor();
    await press('Enter');
    await page.getByRole('heading', { name: 'withdrawal of 500.00 USD', level: 1 }).waitFor();
    await press('v');
    await page.keyboard.type('Called the customer back');
    await press('Tab', 'Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Approve');
    await press('Enter');
    const said = page.getByText('The withdrawal of 500.00 USD is settled.');
    await said.waitFor();
    // The focus is where the answer stands, not back at the top of the page.
    await eventually(() => page.evaluate<boolean>(`document.activeElement.matches('[role=status]')`), {
      what: 'the focus',
    });
    await page.getByRole('form', { name: 'Verdict' }).waitFor({ state: 'detached' });
    expect((await trader.get(transactionId)).body.status).toBe('settled');
    expect(await row(stack.db.fork(), VERDICT, [transactionId])).toEqual({
      reviewer_id: person.userId,
      verdict: 'approve',
      reason: 'Called the customer back',
    });
  });

  test('filters and order live in the address; keys can be turned off', async () => {
    const [small, large] = [await trading.trader(), await trading.trader()];
    await trading.held(small, '510.00');
    const id = await trading.held(large, '520.00');
    const { page } = await open(await reviewer(), '/console/reviews?sort=amount&type=withdrawal');
    const amounts = () => page.getByRole('table', { name: 'Held transactions' }).getByRole('link').allTextContents();
    await page.getByRole('link', { name: '520.00' }).waitFor();
    expect((await amounts()).slice(0, 2)).toEqual(['withdrawal of 520.00 USD', 'withdrawal of 510.00 USD']);
    await page.getByRole('button', { name: 'Claim the withdrawal of 520.00 USD' }).click();
    await page.getByLabel('Claimed by').selectOption('me');
    await eventually(async () => String(await amounts()) === 'withdrawal of 520.00 USD', { what: 'what is mine' });
    expect(new URL(page.url()).searchParams.toString()).toBe('sort=amount&type=withdrawal&assignee=me');
    await page.getByLabel('Type').selectOption('buy');
    await page.getByText('Nothing that waits matches these filters.').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('link', { name: '510.00' }).waitFor();

    await page.keyboard.press('j');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('A');
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate(`document.activeElement.closest('tr').dataset.index`)).toBe('1');
    await page.getByLabel('Single keys').click();
    await page.keyboard.press('j');
    await page.keyboard.press('g');
    await page.keyboard.press('i');
    expect(await page.evaluate(`document.activeElement.tagName`)).toBe('INPUT');
    expect(new URL(page.url()).pathname).toBe('/console/reviews');

    const auditor = await stack.people.signedIn('auditor');
    expect(
      (await stack.api.get(`/api/admin/security/reviews/${id}`, { token: auditor.token })).body.claim,
    ).not.toBeNull();
  });
});

test('two people approve in two browsers: each sees what the other does, and a refusal is told in words', async () => {
  const [rita, ron] = [await reviewer(), await reviewer()];
  const trader = await trading.trader();
  const transactionId = await trading.held(trader, '950.00');
  const [hers, his] = [await open(rita, caseOf(transactionId)), await open(ron, caseOf(transactionId))];
  const reason = (window: Window) => window.page.getByLabel('Reason of your verdict');
  const approve = (window: Window) => window.page.getByRole('button', { name: 'Approve' });
  await hers.page.getByText('0 of 2 approvals').waitFor();

  // Ron writes while Rita takes it up: what he wrote stays, and he is told why it is refused.
  await reason(his).fill('I know this customer');
  await hers.page.getByRole('button', { name: 'Claim' }).click();
  await his.page.getByText('A verdict of yours is refused until the claim ends.').waitFor();
  await approve(his).click();
  await his.page.getByRole('alert').getByText('Somebody else looks after this transaction.').waitFor();
  expect(await reason(his).inputValue()).toBe('I know this customer');
  await his.picture('review-two-people', { fullPage: false });

  await reason(hers).fill('Invoice seen');
  await approve(hers).click();
  await hers.page.getByText('Recorded: 1 of 2 approvals.').waitFor();
  expect(await approve(hers).count()).toBe(0);
  const approvedAt = performance.now();
  await his.page.getByText('1 of 2 approvals').waitFor();
  expect(performance.now() - approvedAt).toBeLessThan(promisedMs(3_500));
  await his.page.getByRole('list', { name: 'Verdicts' }).getByText('Invoice seen').waitFor();
  expect((await trader.get(transactionId)).body.status).toBe('quarantined');

  await approve(his).click();
  await his.page.getByText('The withdrawal of 950.00 USD is settled.').waitFor();
  await hers.page.getByText('It is settled.').waitFor();
  expect((await trader.get(transactionId)).body.status).toBe('settled');
  const { reviewers } = (await row<{ reviewers: string[] }>(
    stack.db.fork(),
    `select array_agg(reviewer_id order by recorded_at) as reviewers from review_verdict where transaction_id = $1`,
    [transactionId],
  )) ?? { reviewers: [] };
  expect(reviewers).toEqual([rita.userId, ron.userId]);
});

describe('the case', () => {
  test('[H11] has everything that a verdict needs; what somebody named himself is text and nothing else', async () => {
    const trader = await trading.trader();
    await trading.past(trader, { count: 10 });
    await trader.withdraw('15.00', { category: 'groceries' });
    const transactionId = (await trader.withdraw('560.00', { category: 'jewellery' })).body.transactionId;
    const evil = '<img src=x onerror="document.title=1">';
    await run(stack.ownerDb.fork(), 'update transaction set counterparty = $1 where id = $2', [evil, transactionId]);
    const { page, checkAccessibility, picture } = await open(await reviewer(), caseOf(transactionId));
    const rules = page.getByRole('table', { name: 'Contributions of rules' });
    await rules.getByRole('row', { name: /Amount above 2 times.*560\.00 USD.*\+0\.30/ }).waitFor();
    await page
      .getByText(/Not held up to \d+\.\d\d USD, everything else as it was\. This one asked for 560\.00 USD\./)
      .waitFor();
    const history = page.getByRole('table', { name: 'History of the account' });
    await history.getByRole('row', { name: /This one.*withdrawal 560\.00 USD.*100 %.*jewellery/ }).waitFor();
    await history.getByRole('row', { name: /withdrawal 15\.00 USD.*3 %.*groceries.*settled/ }).waitFor();
    await page.getByText('37 times the median of one other withdrawal in USD, and larger than any of them.').waitFor();
    await page.getByText('The category jewellery is new among the one transaction before.').waitFor();
    await page.getByRole('region', { name: 'Timeline of the case' }).getByText('opened · quarantine').waitFor();
    // What somebody named himself is text and nothing else.
    await page.getByText(evil).first().waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('withdrawal of 560.00 USD · Tradeguard');
    await checkAccessibility();
    await picture('review');
    await page.getByRole('button', { name: 'Dark colours' }).click();
    await checkAccessibility();
    await picture('review-dark', { fullPage: false });
    await page.setViewportSize({ width: 360, height: 780 });
    await checkAccessibility();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.goto(`${stack.url}/console/reviews`);
    await page.getByRole('link', { name: '560.00' }).waitFor();
    await checkAccessibility();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await picture('reviews-narrow', { fullPage: false });
  });

  test('keeps what is written while it changes, and takes notes', async () => {
    const trader = await trading.trader();
    const transactionId = await trading.held(trader, '570.00');
    const [person, other] = [await reviewer(), await reviewer()];
    const { page } = await open(person, caseOf(transactionId));
    const reason = page.getByLabel('Reason of your verdict');
    await reason.focus();
    await page.keyboard.type('Not his');
    const note = { text: 'Called the number on file: nobody there' };
    await stack.api.post(`/api/admin/security/reviews/${transactionId}/notes`, note, { token: other.token });
    await page.getByRole('list', { name: 'Notes' }).getByText(note.text).waitFor();
    expect(await page.evaluate(`document.activeElement.name`)).toBe('reason');
    await page.keyboard.type(' device');
    expect(await reason.inputValue()).toBe('Not his device');

    await page.getByLabel('New note').fill('Rang back: not his order');
    await page.getByRole('button', { name: 'Add the note' }).click();
    await page.getByRole('list', { name: 'Notes' }).getByText('Rang back: not his order').waitFor();
    expect(await page.getByLabel('New note').inputValue()).toBe('');

    // A label that contradicts the verdict is not sent.
    await page.getByLabel('What it turned out to be').selectOption('confirmed_fraud');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('A confirmed fraud is not approved.').waitFor();
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByText('The withdrawal of 570.00 USD is rejected (review_rejected).').waitFor();
    await page.getByRole('list', { name: 'Labels' }).getByText('confirmed fraud').waitFor();
    expect((await trader.get(transactionId)).body).toMatchObject({ status: 'rejected', code: 'review_rejected' });
  });

  test('of an appeal shows what was decided before, to somebody else than who decided; labels come later', async () => {
    const trader = await trading.trader();
    const transactionId = await trading.held(trader, '580.00');
    const [rita, ron] = [await reviewer(), await reviewer()];
    const rejected = { reason: 'Nobody reached' };
    await stack.api.post(`/api/admin/security/transactions/${transactionId}/reject`, rejected, { token: rita.token });
    const hers = await open(rita, caseOf(transactionId));
    await hers.page.getByText('It is rejected.').waitFor();
    const appeal = await stack.api.post(
      `/api/transactions/${transactionId}/appeal`,
      { reason: 'A ring for my wedding' },
      { token: trader.token, signWith: trader.signingKey },
    );
    expect(appeal.status).toBe(202);
    await hers.page.getByText('A ring for my wedding').waitFor();
    await hers.page.getByText('You rejected it before the appeal: others decide now.').waitFor();
    expect(await hers.page.getByRole('button', { name: /Approve|Reject|Claim/ }).count()).toBe(0);

    const his = await open(ron, caseOf(transactionId));
    await his.page.getByText('before the appeal').first().waitFor();
    await his.page.getByLabel('Reason of your verdict').fill('Invoice seen');
    await his.page.getByRole('button', { name: 'Approve' }).click();
    await his.page.getByText('The withdrawal of 580.00 USD is settled.').waitFor();
    await his.page.getByRole('button', { name: 'Label it' }).click();
    const dialog = his.page.getByRole('dialog', { name: 'Label it' });
    await dialog.getByLabel('How it became known').selectOption('chargeback');
    await dialog.getByLabel('Reason').fill('Chargeback 10.4');
    await dialog.getByRole('button', { name: 'Label it' }).click();
    await dialog.waitFor({ state: 'detached' });
    await his.page.getByRole('list', { name: 'Labels' }).getByText('confirmed fraud (counts)').waitFor();
    const stored = await row(
      stack.db.fork(),
      'select label, source, reason from transaction_label where transaction_id = $1 order by id desc limit 1',
      [transactionId],
    );
    expect(stored).toEqual({ label: 'confirmed_fraud', source: 'chargeback', reason: 'Chargeback 10.4' });
  });

  test('is refused to its owner, whatever they are', async () => {
    const person = await stack.people.signedIn('customer');
    const transactionId = await trading.held(await trading.trader('100000.00', person), '800.00');
    await run(stack.db.fork(), `update app_user set role = 'reviewer' where id = $1`, [person.userId]);
    const { page } = await open(person, '/console/reviews');
    const own = page.getByRole('row', { name: /800\.00 USD/ });
    await own.waitFor();
    expect(await own.getByRole('button').count()).toBe(0);
    await own.getByRole('link').focus();
    await page.keyboard.press('c');
    await page.getByText('Nobody decides on their own transaction.').waitFor();
    await page.goto(stack.url + caseOf(transactionId));
    await page.getByRole('alert').getByText('Nobody decides on their own transaction.').waitFor();
    expect(await page.getByRole('button', { name: /Approve|Reject/ }).count()).toBe(0);
  });

  test('an administrator gives it to somebody; an auditor sees everything and gets nothing to decide with', async () => {
    const transactionId = await trading.held(await trading.trader(), '900.00');
    const rita = await reviewer();
    await run(stack.db.fork(), `update app_user set full_name = 'Rita Reviewer' where id = $1`, [rita.userId]);
    const admin = await open(await stack.people.signedIn('admin'), caseOf(transactionId));
    await admin.page.getByLabel('Give it to').selectOption('Rita Reviewer (reviewer)');
    await admin.page.getByRole('button', { name: 'Assign' }).click();
    await admin.page.getByText(/With Rita Reviewer for another .*, given by you/).waitFor();
    await admin.page.getByText('the audit log says whose claim you overrode').waitFor();

    const auditor = await open(await stack.people.signedIn('auditor'), caseOf(transactionId), { colorScheme: 'dark' });
    await auditor.page.getByText('Reviewers decide about it.').waitFor();
    await auditor.page.getByText(/With Rita Reviewer/).waitFor();
    const buttons = /Approve|Reject|Claim|Assign|Give|note|Label it/;
    expect(await auditor.page.getByRole('button', { name: buttons }).count()).toBe(0);
    expect(await auditor.page.getByRole('textbox').count()).toBe(0);
    await auditor.page.goto(`${stack.url}/console/reviews`);
    await auditor.page.getByRole('row', { name: /900\.00 USD/ }).waitFor();
    expect(await auditor.page.getByRole('button', { name: /Claim/ }).count()).toBe(0);
    await auditor.checkAccessibility();
  });
});

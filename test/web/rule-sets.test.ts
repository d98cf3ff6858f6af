import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { foldLabel } from '../../db/label-features.ts';
import { firstFault, lineOf, rangeOf } from '../../web/rule-sets/pointer.ts';
import { curveOf, histogramOf, precisionByRecall } from '../../web/rule-sets/score-curve.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createRuleSets, documentOf, HOLDS_ALL, type RuleSets } from '../helpers/rule-sets.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, type Window, type WindowOptions } from '../helpers/web.ts';

const PAGE = '/console/rule-sets';

let stack: Stack;
let rules: RuleSets;
let trading: Trading;
let browser: Browser;
let author: SignedIn;
let second: SignedIn;
/** Holds what is risky; judges in the shadow. */
let watched: string;
const windows: Window[] = [];

beforeAll(async () => {
  stack = await createStack({ env: { VERDICT_TIMEOUT: '30s' } });
  rules = createRuleSets(stack);
  trading = createTrading(stack);
  browser = await launchBrowser();
  author = await stack.people.signedIn('admin');
  second = await stack.people.signedIn('admin');
  watched = await rules.save(
    author,
    documentOf({ title: 'Watches what is risky', rules: [{ ...HOLDS_ALL, id: 'risky', when: 'category == "risky"' }] }),
    'watched',
  );
  await rules.shadow(author, watched);
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
afterEach(async () => {
  for (const window of windows.splice(0)) await window.close();
});

async function open(who: SignedIn, path: string, options?: WindowOptions): Promise<Window> {
  const window = await openWindow(browser, stack, options);
  windows.push(window);
  await window.signIn(who, path);
  return window;
}

/** Writes a whole document, as somebody who pastes it. */
async function write(page: Page, text: string): Promise<void> {
  const editor = page.getByRole('textbox', { name: 'Document of the new version' });
  await editor.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(text);
}

const width = (page: Page) => page.evaluate('document.documentElement.scrollWidth');

test('a document is written in the editor: its faults are shown where they are, and it is saved as a draft', async () => {
  const writer = await stack.people.signedIn('admin');
  const { page, checkAccessibility, picture } = await open(writer, `${PAGE}/v1?tab=edit`);
  await write(page, '{ "format": ');
  await page.getByText('One fault').waitFor();
  const document = documentOf({
    title: 'Written in the page',
    rules: [{ ...HOLDS_ALL, id: 'big', when: 'amount > nothing' }],
  });
  const text = JSON.stringify(document, null, 2);
  await write(page, text);
  const fault = page.getByRole('region', { name: 'Check of the document' }).getByRole('listitem');
  await fault.filter({ hasText: '/rules/0/when' }).waitFor();
  const line = text.split('\n').findIndex((one) => one.includes('amount > nothing')) + 1;
  const place = fault.getByRole('button', { name: `line ${line}, column` });
  await checkAccessibility();
  // The place is led to, and the word is marked in the text.
  await place.click();
  expect(await page.evaluate('String(getSelection())')).toContain('nothing');
  await page.locator('.cm-lintRange-error', { hasText: 'nothing' }).waitFor();
  await write(page, text.replace('amount > nothing', 'amount > 5.0'));
  await page.getByText('No fault was found').waitFor();
  await picture('rule-set-editor', { fullPage: false });
  await page.getByLabel('Name of the new version').fill('v1');
  await page.getByRole('button', { name: 'Save as a draft' }).click();
  await page.getByText('There is a version v1').waitFor();
  // What was written is still there.
  await page.getByLabel('Name of the new version').fill('written');
  await page.getByRole('button', { name: 'Save as a draft' }).click();
  await page.getByRole('heading', { name: 'written', level: 1 }).waitFor();
  const { body } = await rules.get(author, '/written');
  expect(body).toMatchObject({ status: 'draft', title: 'Written in the page', createdBy: writer.userId });
  expect(body.document.rules).toEqual([{ ...HOLDS_ALL, id: 'big', when: 'amount > 5.0' }]);
  // What is different from another one is told by rule.
  await page.getByRole('tab', { name: 'Differences' }).click();
  await page.getByText('+ big').waitFor();
  await page.getByText('− velocity').waitFor();
  await checkAccessibility();
});

test('a shadow is held against what was decided, with links to what it would have held', async () => {
  const trader = await trading.trader();
  const { body } = await trader.withdraw('12.00', { category: 'risky' });
  await trader.withdraw('11.00', { category: 'food' });
  await trading.held(await trading.trader());
  const reviewer = await stack.people.signedIn('reviewer');
  const { page, checkAccessibility, picture } = await open(reviewer, PAGE);
  await page.getByRole('link', { name: watched }).click();
  await page.getByRole('tab', { name: 'Shadow' }).click();
  const matrix = page.getByRole('table', { name: 'Live decisions down, shadow decisions across' });
  await matrix.waitFor();
  const { body: found } = await rules.get(author, `/${watched}/shadow`);
  expect(found).toMatchObject({ compared: 3, held: { newly: 1, noLonger: 1 } });
  for (const { live, shadow, n } of found.actions) {
    const words = [live, shadow].map((action: string) => action.replaceAll('_', ' '));
    const column = (await matrix.getByRole('columnheader').allTextContents()).indexOf(words[1] as string);
    const row = matrix.getByRole('row', { name: new RegExp(`^${words[0]} \\d`) });
    expect(await row.locator('th, td').nth(column).textContent()).toBe(String(n));
  }
  const held = page.getByRole('region', { name: 'Newly held: examples' });
  expect(await held.getByRole('link').getAttribute('href')).toBe(`/console/transactions/${body.transactionId}`);
  // Whoever may only look has nothing to press.
  for (const name of ['Retire', 'Propose for the decisions', 'Approve']) {
    expect(await page.getByRole('button', { name }).count()).toBe(0);
  }
  expect(await page.getByRole('tab', { name: 'New version' }).count()).toBe(0);
  await checkAccessibility();
  await picture('rule-set-shadow', { fullPage: false });
});

test('a back-test is begun, followed to its report and plotted; a second person lets the version decide', async () => {
  const trader = await trading.trader();
  for (const [amount, category, isFraud] of [
    ['10.00', 'food', false],
    ['12.00', 'risky', true],
    ['50.00', 'food', true],
    ['11.00', 'risky', true],
    ['9.00', 'risky', false],
  ] as const) {
    const { body } = await trader.withdraw(amount, { category });
    const label = (as: boolean) =>
      stack.db.transaction((tx) => foldLabel(tx, { transactionId: body.transactionId, isFraud: as }));
    await label(true);
    // Clean is what was suspected, and turned out not to be one.
    if (!isFraud) await label(false);
  }
  const { page, checkAccessibility, picture } = await open(author, `${PAGE}/${watched}?tab=backtests`);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Propose for the decisions' }).click();
  await page.getByRole('dialog').getByText('A back-test of this version is needed first').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Back-test', exact: true }).click();
  await page.getByRole('region', { name: 'Precision by recall' }).waitFor();
  const { items } = (await rules.get(author, `/${watched}/backtests`)).body;
  const { result } = items[0];
  expect(result.labels).toMatchObject({ fraud: 3, clean: 2 });
  // Two of three frauds are above 0.7, and one false alarm with them.
  const row = page.getByRole('table', { name: 'What each threshold would flag' }).getByRole('row', { name: /^0\.70/ });
  expect(await row.getByRole('cell').allTextContents()).toEqual(['0.70', '3', '2', '1', '66.7 %', '66.7 %']);
  await page.getByRole('table', { name: 'How often each rule gave points' }).getByText('risky').waitFor();
  await page
    .getByRole('figure', { name: /^Precision by recall of watched/ })
    .locator('svg')
    .first()
    .waitFor();
  await page
    .getByRole('figure', { name: /^Scores of clean/ })
    .locator('svg')
    .first()
    .waitFor();
  await checkAccessibility();
  await picture('rule-set-backtest');

  await page.getByRole('button', { name: 'Propose for the decisions' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('it finds the risky ones');
  await page.getByRole('dialog').getByRole('button', { name: 'Propose for the decisions' }).click();
  await page.getByText('You proposed it: somebody else has to approve.').waitFor();
  expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);

  // The second person, by keyboard alone, in the dark and on a small screen.
  const other = await open(second, `${PAGE}/${watched}`, { colorScheme: 'dark', width: 360 });
  await other.page.getByText('it finds the risky ones').waitFor();
  await other.checkAccessibility();
  expect(await width(other.page)).toBeLessThanOrEqual(360);
  await other.page.getByRole('button', { name: 'Approve' }).focus();
  await other.page.keyboard.press('Enter');
  await other.page.getByRole('dialog').getByLabel('Reason').waitFor();
  await other.page.keyboard.type('I looked at the report');
  await other.page.keyboard.press('Tab');
  await other.page.keyboard.press('Tab');
  await other.page.keyboard.press('Enter');
  await eventually(async () => (await rules.live(author)) === watched, { what: 'the approval' });
  // The first one sees it without doing anything.
  await page.locator('dd', { hasText: /^live$/ }).waitFor();
  await page.getByRole('tab', { name: 'History' }).click();
  await page.getByText('In place of v1').waitFor();
});

test('the list says what decides, and a retired version can come back', async () => {
  const { page, checkAccessibility, picture } = await open(await stack.people.signedIn('admin'), PAGE);
  const table = page.getByRole('table', { name: 'Rule sets' });
  await table.waitFor();
  const { items } = (await rules.get(author)).body;
  expect(await table.getByRole('row').count()).toBe(items.length + 1);
  // What decides comes first.
  const live = await rules.live(author);
  expect(await table.getByRole('row').nth(1).getByRole('link').textContent()).toBe(live);
  await checkAccessibility();
  await picture('rule-sets', { fullPage: false });
  const draft = await rules.save(author, documentOf(), 'to-be-retired');
  await page.getByRole('link', { name: draft }).click();
  await page.getByRole('button', { name: 'Retire' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Retire' }).click();
  await page.getByRole('button', { name: 'Propose to bring back' }).waitFor();
  expect((await rules.get(author, `/${draft}`)).body.status).toBe('retired');
  const small = await open(await stack.people.signedIn('auditor'), PAGE, { colorScheme: 'dark', width: 360 });
  await small.page.getByRole('table', { name: 'Rule sets' }).waitFor();
  await small.checkAccessibility();
  expect(await width(small.page)).toBeLessThanOrEqual(360);
});

test('a pointer is found in the text as it is written, and a curve is what counting by hand gives', () => {
  const text = '{ "a/b": [1, { "say \\"x\\"": "p\\u0041\\n > nope" }], "open": {} }';
  const shown = (pointer: string, position?: number) => {
    const { from, to } = rangeOf(text, pointer, position);
    return text.slice(from, to);
  };
  expect(shown('/a~1b/0')).toBe('1');
  expect(shown('/a~1b/1/say "x"')).toBe('"p\\u0041\\n > nope"');
  expect(shown('/a~1b/1/say "x"', 6)).toBe('nope"');
  expect(shown('/open/nothing/there')).toBe('{}');
  expect(shown('')).toBe(text);
  expect(firstFault(text)).toBeUndefined();
  const broken = '{\n  "a": 1,\n  "b" 2\n}';
  expect(lineOf(broken, firstFault(broken)?.from ?? 0).line).toBe(3);

  const fraud = new Array<number>(101).fill(0);
  const clean = new Array<number>(101).fill(0);
  [fraud[90], fraud[40], clean[80], clean[10]] = [2, 1, 1, 4];
  const at = (above: number) => curveOf({ fraud, clean }).find((one) => one.above === above);
  expect(at(0.85)).toEqual({ above: 0.85, flagged: 2, frauds: 2, falseAlarms: 0, precision: 1, recall: 2 / 3 });
  expect(at(0.9)).toMatchObject({ flagged: 0, precision: null, recall: 0 });
  expect(at(0.39)).toMatchObject({ flagged: 4, frauds: 3, precision: 3 / 4, recall: 1 });
  expect([...precisionByRecall({ fraud, clean })]).toEqual([
    [2 / 3, 1],
    [1, 3 / 4],
  ]);
  expect(
    histogramOf(clean)
      .map((share) => share * 5)
      .filter(Boolean),
  ).toEqual([4, 1]);
});

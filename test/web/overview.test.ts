import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordScheduleRun } from '../../db/schedule-runs.ts';
import { oneRow, run } from '../../db/sql.ts';
import { SCHEDULE_NAMES } from '../../domain/schedule.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading, type Trading } from '../helpers/trading.ts';
import { openWindow, type WindowOptions } from '../helpers/web.ts';

let stack: Stack;
let trading: Trading;
let browser: Browser;

beforeAll(async () => {
  stack = await createStack();
  trading = createTrading(stack);
  browser = await launchBrowser();
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

test('the numbers of now, which follow a hold and its decision while somebody looks', async () => {
  const reviewer = await stack.people.signedIn('reviewer');
  await recordRun();
  const trader = await trading.trader();
  await (await trading.trader()).withdraw('10.00');
  const window = await open(reviewer, '/console/overview');
  const { page } = window;
  const figure = (label: string) => page.locator('.figure').filter({ hasText: label });
  const scored = page.getByRole('figure', { name: 'Scored transactions by risk' }).getByRole('row');
  const highRisk = async (): Promise<number> =>
    (await scored.getByRole('cell').nth(1).count()) === 0
      ? 0
      : scored.evaluateAll((all) =>
          all.reduce((sum, row) => sum + Number(row.children[2]?.textContent ?? 0) || sum, 0),
        );
  await page.getByText('Live', { exact: true }).waitFor();
  await figure('Held for review').getByText('0.00 USD').waitFor();
  await scored.nth(1).waitFor({ state: 'attached' });
  expect(await highRisk()).toBe(0);

  const transactionId = await trading.held(trader);
  await page.getByText('was held for review, score 0.90').waitFor();
  await figure('Held for review').getByText('500.00 USD').waitFor();
  expect(await figure('Held for review').getByRole('link').textContent()).toBe('1');
  expect(await figure('Next deadline').getByRole('timer').textContent()).toMatch(/^(23 h 59 min|1 d)/);
  await eventually(async () => (await highRisk()) === 1, { what: 'the hold in the chart' });
  await page.getByRole('list', { name: 'Transactions by outcome' }).getByText('quarantined').waitFor();
  const incidents = page.getByRole('table', { name: 'Open incidents by severity' });
  const { severity } = await eventually(async () => (await trading.incidents(transactionId))[0]);
  await incidents
    .getByRole('row')
    .filter({ has: page.locator(`a[href="/console/incidents?severity=${severity}"]`) })
    .getByRole('cell', { name: '1', exact: true })
    .waitFor();
  await window.picture('overview', { fullPage: false });

  const approve = `/api/admin/security/transactions/${transactionId}/approve`;
  await stack.api.post(approve, { reason: 'The owner confirmed it' }, { token: reviewer.token });
  await page.getByText('A held transaction is settled').waitFor();
  await figure('Held for review').getByText('0.00 USD').waitFor();

  const rows = page.getByRole('table', { name: 'Schedules' }).getByRole('row');
  expect(await rows.count()).toBe(SCHEDULE_NAMES.length + 1);
  const nonces = rows.filter({ hasText: 'Clean-up of nonces' });
  await nonces.getByText('failed: database unreachable').waitFor();

  // By the keyboard, and the address says what is shown.
  await page.getByRole('radio', { name: '24 hours' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.waitForURL(/window=7d/);
  await eventually(async () => (await scored.count()) === 58, { what: '57 buckets of three hours' });
  await window.checkAccessibility();
  await window.close();
});

/** What the schedule of nonces would have written about a run that failed. */
const recordRun = (): Promise<void> =>
  recordScheduleRun(stack.db.fork(), {
    schedule: 'nonces',
    workflowId: 'nonces-1',
    startedAt: Date.now() - 61_000,
    finishedAt: Date.now() - 60_000,
    reason: 'database_unreachable',
  });

test('a log that was tampered with is told in red at the top, to everybody, with the first bad entry', async () => {
  const auditor = await stack.people.signedIn('auditor');
  await eventually(
    async () => {
      const { n } = await oneRow<{ n: number }>(
        stack.db.fork(),
        'select count(*)::int as n from audit_entry e where not exists (select from audit_seal s where s.entry_id = e.id)',
      );
      return n === 0;
    },
    { what: 'a sealed log' },
  );
  const window = await open(auditor, '/console/overview');
  const { page } = window;
  const alarm = page.getByRole('alert').filter({ hasText: 'The audit log does not verify' });
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('heading', { name: 'Schedules' }).waitFor();
  expect(await alarm.count()).toBe(0);

  const { seq } = await oneRow<{ seq: string }>(stack.ownerDb.fork(), 'select max(seq) as seq from audit_seal');
  for (const statement of [
    'alter table audit_entry disable trigger user',
    `update audit_entry set entry = replace(entry, '"v":1', '"v":2')
      where id = (select entry_id from audit_seal where seq = ${seq})`,
    'alter table audit_entry enable trigger user',
  ]) {
    await run(stack.ownerDb.fork(), statement);
  }
  const { body } = await stack.api.post('/api/admin/security/audit-logs/verify-chain', {}, { token: auditor.token });
  expect(body).toMatchObject({ valid: false, firstInvalidSeq: Number(seq) });

  // The incident that it opens makes the page read again.
  await alarm.getByText(`number ${seq}: ${String(body.reason).replaceAll('_', ' ')}`).waitFor({ timeout: 40_000 });
  const red = await page.evaluate<string>(`getComputedStyle(document.querySelector('.tampered')).backgroundColor`);
  const [r = 0, g = 255, b = 255] = (red.match(/\d+/g) ?? []).map(Number);
  expect(r).toBeGreaterThan(2 * Math.max(g, b));
  const { y = 999 } = (await alarm.boundingBox()) ?? {};
  expect(y).toBeLessThan(200);
  expect(await alarm.getByRole('link').getAttribute('href')).toBe('/console/audit');
  await window.checkAccessibility();
  await window.picture('overview-tampered', { fullPage: false });
  await window.close();

  const small = await open(await stack.people.signedIn('reviewer'), '/console/overview?of=logins', {
    width: 360,
    colorScheme: 'dark',
  });
  await small.page.getByText('Tell an administrator or an auditor now.').waitFor();
  await small.page.getByRole('figure', { name: 'Scored logins by risk' }).waitFor();
  expect(await small.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await small.checkAccessibility();
  await small.close();
});

import { generateKeyPairSync } from 'node:crypto';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { oneRow, row, run } from '../../db/sql.ts';
import { verifierKeyOf } from '../../security/signed-note.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow, type Window, type WindowOptions } from '../helpers/web.ts';

const LOGS = '/api/admin/security/audit-logs';
const ENTRIES = 10_000;

let stack: Stack;
let browser: Browser;
let auditor: SignedIn;
const windows: Window[] = [];

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
  auditor = await stack.people.signedIn('auditor');
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
afterEach(async () => {
  for (const window of windows.splice(0)) await window.close();
});

async function open(path: string, options?: WindowOptions): Promise<Window> {
  const window = await openWindow(browser, stack, options);
  windows.push(window);
  await window.signIn(await stack.people.signedIn('auditor'), path);
  return window;
}

const append = (count: number, action: string, subject = 'batch') =>
  stack.db.transaction((tx) =>
    stack.audit.append(
      tx,
      ...Array.from({ length: count }, (_, n) => ({
        ...{ action, actor: { kind: 'system' } as const, subject: { kind: 'thing', id: `${subject}-${n}` } },
        ...{ outcome: 'success' as const, details: { n } },
      })),
    ),
  );

/** The worker's sealer seals within a fraction of a second. */
const sealed = () =>
  eventually(
    async () => {
      const found = await row<{ waiting: boolean }>(
        stack.db.fork(),
        'select exists (select from audit_entry e where not exists (select from audit_seal s where s.entry_id = e.id)) as waiting',
      );
      return found?.waiting === false;
    },
    { what: 'every seal', timeoutMs: 30_000 },
  );

async function publish(): Promise<{ size: number; root: string; key: string }> {
  await sealed();
  await stack.api.post(`${LOGS}/checkpoints`, {}, { token: auditor.token });
  return (await stack.api.get(`${LOGS}/checkpoint`, { token: auditor.token })).body;
}

const seqOf = async (action: string): Promise<number> =>
  Number(
    (
      await oneRow<{ seq: string }>(
        stack.db.fork(),
        'select s.seq from audit_seal s join audit_entry e on e.id = s.entry_id where e.action = $1 order by s.seq desc limit 1',
        [action],
      )
    ).seq,
  );

/** As somebody who rules the database. */
async function pastTheTriggers(text: string, params: unknown[]): Promise<void> {
  const tx = stack.ownerDb.fork();
  await run(tx, 'alter table audit_entry disable trigger user');
  await run(tx, text, params);
  await run(tx, 'alter table audit_entry enable trigger user');
}

/** Goes to the end of the list, again and again, until there is nothing more to read. */
const READ_ALL = `(async () => {
  const box = document.querySelector('section.rows');
  const giveUp = performance.now() + 180_000;
  while (box.querySelector('table').ariaRowCount === '-1' && performance.now() < giveUp) {
    box.scrollTop = box.scrollHeight;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  box.scrollTop = box.scrollHeight;
})()`;

/**
 * Scrolls up and down between the top and a height as fast as frames come: how long half of them took at most, and how many
 * rows were in the page at most.
 */
const scroll = (height: number) => `(async () => {
  const box = document.querySelector('section.rows');
  const frames = [];
  let [inPage, step, before] = [0, -1_500, performance.now()];
  while (frames.length < 200) {
    if (box.scrollTop <= 0) step = 1_500;
    else if (box.scrollTop >= ${height}) step = -1_500;
    box.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
    inPage = Math.max(inPage, box.querySelectorAll('tbody tr[aria-rowindex]').length);
  }
  return { inPage, median: frames.toSorted((a, b) => a - b)[100] };
})()`;
type Scrolled = Record<'inPage' | 'median', number>;

/** The red of what must not be overlooked. */
const ALARM = 'rgb(180, 35, 24)';
const colourOfAlarm = (page: Page) =>
  page.evaluate(`getComputedStyle(document.querySelector('[role=alert]')).backgroundColor`);

const textOf = async (place: Locator) => (await place.textContent()) ?? '';
const entry = (page: Page) => page.getByRole('dialog');

test('an auditor searches by keyboard alone, and an entry is proved in the browser against the signed checkpoint', async () => {
  await append(3, 'test.searched');
  await sealed();
  const seq = await seqOf('test.searched');
  const checkpoint = await publish();
  const { page, checkAccessibility, picture } = await open('/console/audit');
  await page.getByRole('table', { name: 'Audit entries' }).waitFor();
  await page.getByLabel('Action').focus();
  await page.keyboard.type('test.searched');
  await page.keyboard.press('Enter');
  await page.waitForURL(/action=test\.searched/);
  const link = page.getByRole('row', { name: new RegExp(`^${seq} `) }).getByRole('link');
  await link.waitFor();
  // The head and the three.
  await eventually(async () => (await page.getByRole('row').count()) === 4);
  await checkAccessibility();
  await link.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`entry=${seq}`));
  await entry(page).getByText('Proved: this entry is in the log').waitFor();
  // What the browser computed is what the checkpoint signs, and what the database holds.
  const { leaf } = await oneRow<{ leaf: string }>(
    stack.db.fork(),
    `select encode(leaf_hash, 'hex') as leaf from audit_seal where seq = $1`,
    [seq],
  );
  const proof = await textOf(entry(page).getByRole('region', { name: 'Proof of the entry' }));
  for (const value of [leaf, checkpoint.root, checkpoint.key]) expect(proof).toContain(value);
  expect(proof.match(/Verified: /g)).toHaveLength(3);
  expect(proof).toContain('with the key that this server gives');
  await checkAccessibility();
  await picture('audit-entry', { fullPage: false });
  await page.keyboard.press('Escape');
  await entry(page).waitFor({ state: 'detached' });
  expect(await page.locator(':focus').getAttribute('href')).toBe(await link.getAttribute('href'));
});

test('ten thousand entries scroll: few rows are in the page, and the last one is reached', async () => {
  for (let done = 0; done < ENTRIES; done += 1_000) await append(1_000, 'test.scrolled', `batch-${done}`);
  const { page, picture } = await open('/console/audit?action=test.scrolled');
  const box = page.getByRole('region', { name: 'Audit entries, table' });
  await box.waitFor();
  // Within the first 200, as far as no more of them are read.
  const short = (await page.evaluate(scroll(4_500))) as Scrolled;
  await page.evaluate(READ_ALL);
  await page.locator(`tbody tr[aria-rowindex="${ENTRIES + 1}"]`).waitFor();
  const long = (await page.evaluate(scroll(Number.MAX_SAFE_INTEGER))) as Scrolled;
  expect(long.inPage).toBeLessThan(60);
  // As quick as a screen shows frames, one left out; on a machine with other work no slower than a list a fiftieth as long.
  expect(long.median).toBeLessThan(Math.max(34, 2 * short.median));
  await picture('audit', { fullPage: false });
}, 240_000);

test('a verification is followed and cancelled, and one that ends says what it checked', async () => {
  const { page, checkAccessibility } = await open('/console/audit?tab=verification');
  await page.getByText('Live', { exact: true }).waitFor();
  await stack.stopWorker();
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('It begins').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await stack.startWorker();
  await page.getByText('It was cancelled').waitFor();
  const { size } = await publish();
  await page.getByLabel('A range').check();
  await page.getByLabel('First entry').fill('0');
  await page.getByLabel('Entry behind the last').fill(String(size + 1_000_000));
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText(/The log has \d+ sealed entries/).waitFor();
  await page.getByLabel('Entry behind the last').fill(String(size));
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('The log is what was written').waitFor();
  const { checked } = await oneRow<{ checked: string }>(
    stack.db.fork(),
    `select checked from audit_verification where status = 'valid' order by requested_at desc limit 1`,
  );
  expect(Number(checked)).toBe(size);
  await page.getByText(`${checked} entries are sound`).waitFor();
  await checkAccessibility();
});

test('two checkpoints are compared in the browser; with a key that is not the log’s, nothing is green', async () => {
  const earlier = await publish();
  await append(5, 'test.grown');
  const later = await publish();
  expect(later.size).toBeGreaterThan(earlier.size);
  const { page, checkAccessibility, picture } = await open('/console/audit?tab=checkpoints', {
    colorScheme: 'dark',
    width: 360,
  });
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByText('Proved: the log only grew between the two').waitFor();
  const shown = await textOf(page.getByRole('region', { name: 'Consistency of two checkpoints' }));
  for (const { root } of [earlier, later]) expect(shown).toContain(root);
  await checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await page.setViewportSize({ width: 1280, height: 860 });
  await picture('audit-checkpoints', { fullPage: false });
  // The id of another key, with the right form.
  const keys = page.getByLabel('Your own keys, one a line');
  await keys.fill(later.key.slice(0, -2));
  await page.getByRole('button', { name: 'Keep in this browser' }).click();
  await page.getByText(/this is no base64|no key of Ed25519/).waitFor();
  await keys.fill(later.key);
  await page.getByRole('button', { name: 'Keep in this browser' }).click();
  await page.getByText('Checked in this browser, with your own key.').waitFor();
  const other = otherKey(later.key);
  await keys.fill(other);
  await page.getByRole('button', { name: 'Keep in this browser' }).click();
  await page.getByText('The server signs with another key').waitFor();
  await page.getByText('The later log does not continue the earlier one').waitFor();
  await checkAccessibility();
});

test('an entry that was changed past the triggers is red: in the verification, and in its proof', async () => {
  await append(1, 'test.tampered');
  await sealed();
  const seq = await seqOf('test.tampered');
  await publish();
  await pastTheTriggers(
    `update audit_entry set entry = replace(entry, '"outcome":"success"', '"outcome":"failure"')
      where id = (select entry_id from audit_seal where seq = $1)`,
    [seq],
  );
  const { page, checkAccessibility, picture } = await open('/console/audit?tab=verification');
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Verify' }).click();
  const alarm = page.getByRole('alert').filter({ hasText: `THE LOG WAS TAMPERED WITH: entry ${seq}` });
  await alarm.waitFor();
  expect(await textOf(alarm)).toContain('entry_changed');
  expect(await colourOfAlarm(page)).toBe(ALARM);
  await checkAccessibility();
  await picture('audit-tampered', { fullPage: false });
  await page.getByRole('link', { name: `Look at entry ${seq}` }).click();
  const refusal = entry(page).getByRole('alert').filter({ hasText: 'This entry is not what was written' });
  await refusal.waitFor();
  expect(await colourOfAlarm(page)).toBe(ALARM);
  const proof = await textOf(entry(page).getByRole('region', { name: 'Proof of the entry' }));
  expect(proof).toContain('Failed: The entry is what was written');
  expect(proof).toContain('the path leads to another root');
  // The checkpoint is what it was: it is the entry that lies.
  expect(proof).toContain('Verified: The checkpoint is signed');
  await checkAccessibility();
});

/** A key of the same log's name that has signed nothing. */
function otherKey(key: string): string {
  return verifierKeyOf(key.slice(0, key.indexOf('+')), generateKeyPairSync('ed25519').publicKey);
}

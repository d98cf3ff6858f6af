import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { oneRow, row, run } from '../../db/sql.ts';
import { launchBrowser } from '../helpers/browser.ts';
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

/** A dump or a restore of a whole database, on a machine that may be busy. */
const SLOW = { timeout: 60_000 };
const MINUTES = 180_000;
const dialog = () => page.getByRole('dialog');
const table = (name: string) => page.getByRole('table', { name, exact: true });
const newest = <T>(sql: string) => oneRow<T>(stack.db.fork(), `${sql} order by started_at desc limit 1`);

test(
  'an administrator makes a backup, which shows itself as it goes, and proves by a drill that it can be restored',
  async () => {
    const admin = await stack.people.signedIn('admin');
    await window.signIn(admin, '/console/backups');
    await page.getByText('No backup was made yet').waitFor();
    // The session has been quiet for a while: the factor is asked for by itself.
    await run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [
      admin.userId,
    ]);
    await page.getByRole('button', { name: 'Back up now' }).click();
    await dialog().getByRole('button', { name: 'Back up now' }).click();
    await page.getByLabel('Six-digit code').fill(stack.people.totpCode(admin.totpSecret));
    await page.keyboard.press('Enter');
    // No reload: what is shown follows the run.
    await table('Backups').getByText('succeeded').waitFor(SLOW);
    const made = await newest<{ id: string; file_sha256: string; requested_by: string }>('select * from backup_run');
    expect(made.requested_by).toBe(admin.userId);

    await table('Backups')
      .getByRole('button', { name: /^Drill/ })
      .click();
    await dialog().getByRole('button', { name: 'Drill', exact: true }).click();
    await table('Restore drills').getByText('succeeded').waitFor(SLOW);
    const drill = await newest<{ tables_checked: number; audit_checked: string }>('select * from restore_drill');
    await table('Restore drills')
      .getByRole('cell', { name: String(drill.tables_checked), exact: true })
      .waitFor();
    await window.checkAccessibility();
    await window.picture('backups');

    await table('Backups').getByRole('link').first().click();
    await page.getByRole('heading', { level: 1, name: 'Backup', exact: true }).waitFor();
    await page.getByText(made.file_sha256).waitFor();
    await table('Drills of this backup').getByText('succeeded').waitFor();
    await window.checkAccessibility();
    await window.picture('backup');
  },
  MINUTES,
);

test('a run that cannot be begun says why; one that was begun at a terminal is shown and not stopped here', async () => {
  const admin = await stack.people.signedIn('admin');
  await run(
    stack.db.fork(),
    `insert into backup_run (id, trigger, status, phase, bytes_done) values (gen_random_uuid(), 'cli', 'running', 'dump', 12345678)`,
  );
  await window.signIn(admin, '/console/backups');
  await page.getByText('Dumping, compressing and encrypting: 12.3 MB').waitFor();
  await page.getByRole('button', { name: 'Stop the backup' }).click();
  await dialog().getByRole('button', { name: 'Stop', exact: true }).click();
  await dialog().getByText('it was started at a terminal').waitFor();
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Back up now' }).click();
  await dialog().getByRole('button', { name: 'Back up now' }).click();
  await dialog().getByRole('alert').waitFor();
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  await run(
    stack.db.fork(),
    `update backup_run set status = 'failed', reason = 'lost', finished_at = now() where trigger = 'cli'`,
  );
});

test('keys are rotated with a fresh factor, seen to go on, and stopped', async () => {
  const admin = await stack.people.signedIn('admin');
  await window.signIn(admin, '/console/keys');
  const before = await generation();
  await table('Generations of keys')
    .getByRole('row', { name: /^field 1 active/ })
    .waitFor();
  await table('Secrets from outside').getByRole('row').nth(1).waitFor();
  await run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [
    admin.userId,
  ]);
  await page.getByRole('button', { name: 'Rotate now' }).click();
  await page.getByText('Fields of the database', { exact: true }).click();
  await dialog().getByRole('button', { name: 'Rotate now' }).click();
  await page.getByLabel('Six-digit code').fill(stack.people.totpCode(admin.totpSecret));
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Running now' }).waitFor();
  await dialog().waitFor({ state: 'detached' });
  // Where the pointer rests now, a tooltip may be open.
  await page.mouse.move(0, 0);
  await window.checkAccessibility();
  await window.picture('keys');
  expect(await generation()).toBe(before + 1);
  const begun = await newest<{ id: string; scope: string; requested_by: string }>('select * from key_rotation');
  expect(begun).toMatchObject({ scope: 'field', requested_by: admin.userId });
  // A second one is refused in words.
  await page.getByRole('button', { name: 'Rotate now' }).click();
  await dialog().getByRole('button', { name: 'Rotate now' }).click();
  await dialog().getByRole('alert').waitFor();
  await dialog().getByRole('button', { name: 'Cancel' }).click();

  await page.getByRole('button', { name: 'Stop the rotation' }).click();
  await dialog().getByRole('button', { name: 'Stop', exact: true }).click();
  await table('Rotations').getByText('cancelled').waitFor(SLOW);
  await page.getByRole('region', { name: 'Running now' }).waitFor({ state: 'detached' });
});

const generation = async () =>
  Number(
    (await row<{ v: number }>(stack.db.fork(), `select max(version) as v from keyring_key where purpose = 'field'`))?.v,
  );

test('an auditor sees all of it and has no button for any; in the dark and on a telephone, too', async () => {
  const auditor = await stack.people.signedIn('auditor');
  await window.close();
  window = await openWindow(browser, stack, { width: 360, height: 740, colorScheme: 'dark' });
  page = window.page;
  await window.signIn(auditor, '/console/backups');
  for (const [path, shown, title] of [
    ['backups', 'Backups', 'Backups'],
    ['keys', 'Generations of keys', 'Keys'],
  ] as const) {
    await page.goto(`${stack.url}/console/${path}`);
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await table(shown).waitFor();
    expect(await page.getByRole('button', { name: /now|Drill|Stop/ }).count()).toBe(0);
    await window.checkAccessibility();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  }
});

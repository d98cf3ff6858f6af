import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, CONSOLE } from '../../web/shell/navigation.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { eventually } from '../helpers/eventually.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { createTrading } from '../helpers/trading.ts';
import { openWindow } from '../helpers/web.ts';

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
  const trading = createTrading(stack);
  await trading.held(await trading.trader());
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

/** As long as web/shell/go-keys.ts waits for the second key. */
const PAIR_MS = 1_200;
const WINDOWS = [
  { width: 360, height: 740, colorScheme: 'dark' },
  { width: 1280, height: 860, colorScheme: 'light' },
  { width: 1920, height: 1080, colorScheme: 'dark' },
] as const;

test.each(WINDOWS)(
  'every page of the menus is accessible and fits at $width pixels, $colorScheme',
  { timeout: 180_000 },
  async (options) => {
    const window = await openWindow(browser, stack, options);
    const { page } = window;
    await window.signIn(await stack.people.signedIn('admin'), '/console/overview');
    for (const { path, label } of [...CONSOLE, ...ACCOUNT]) {
      await page.goto(stack.url + path);
      await page.getByRole('heading', { level: 1, name: label }).waitFor();
      await page.getByLabel('Loading').first().waitFor({ state: 'detached' });
      // Nothing on it is told to be wrong, and it does not scroll sideways.
      expect(await page.getByText('This could not be read').count(), path).toBe(0);
      expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBe(options.width);
      await window.checkAccessibility();
      expect(await page.title(), path).toBe(`${label} · Tradeguard`);
    }
    await window.close();
  },
);

test('the pages of staff open by the keyboard alone: a letter after g, or the list of pages', async () => {
  const window = await openWindow(browser, stack);
  const { page } = window;
  await window.signIn(await stack.people.signedIn('admin'), '/console/overview');
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  for (const { key, label } of CONSOLE) {
    // A pair that came at once has to do it; one that a busy machine tore apart is pressed again.
    for (let startedAt = Number.NEGATIVE_INFINITY; performance.now() - startedAt > PAIR_MS; ) {
      startedAt = performance.now();
      await page.keyboard.press('g');
      await page.keyboard.press(key);
    }
    await page.getByRole('heading', { level: 1, name: label }).waitFor();
    // Tab goes on from the heading of the page that came.
    await eventually(() => page.evaluate<boolean>("document.activeElement.tagName === 'H1'"), {
      what: `the focus of ${label}`,
    });
  }
  await page.keyboard.press('Control+k');
  await page.getByLabel('Go to').last().fill('quarantine');
  await page
    .getByRole('option')
    .or(page.getByRole('button', { name: 'Review queue' }))
    .first()
    .waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Review queue' }).waitFor();
  await window.close();
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadWebBuild } from '../../api/web-build.ts';
import { createPageRoutes } from '../../api/web-pages.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow } from '../helpers/web.ts';

const MAX_SCRIPT_BYTES = 250_000;

let stack: Stack;
let browser: Browser;

beforeAll(async () => {
  stack = await createStack({ worker: false });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});

test('the first view loads less than 250 KB of scripts, and nothing from anywhere else', async () => {
  const window = await openWindow(browser, stack);
  const scripts = new Set<string>();
  window.page.on('response', (answer) => {
    if (new URL(answer.url()).pathname.endsWith('.js')) scripts.add(answer.url());
  });
  await window.page.goto(stack.url, { waitUntil: 'networkidle' });
  await window.page.getByRole('button', { name: 'Sign in' }).waitFor();
  const sizes = new Map<string, number>();
  for (const script of scripts) {
    const { headers } = await fetch(script, { headers: { 'Accept-Encoding': 'gzip' } });
    sizes.set(script, Number(headers.get('content-length')));
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(sizes.size).toBeGreaterThan(0);
  expect(total, JSON.stringify([...sizes])).toBeGreaterThan(50_000);
  expect(total, JSON.stringify([...sizes])).toBeLessThan(MAX_SCRIPT_BYTES);
  await window.close();
});

test.each(['light', 'dark'] as const)(
  'the way in is accessible in %s colours, at 360 pixels too',
  async (colorScheme) => {
    for (const width of [360, 1280]) {
      const window = await openWindow(browser, stack, { width, colorScheme });
      await window.page.goto(stack.url);
      await window.page.getByRole('button', { name: 'Sign in' }).waitFor();
      await window.checkAccessibility();
      expect(await window.page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      await window.page.getByRole('tab', { name: 'New account' }).click();
      await window.page.getByLabel('Full name').waitFor();
      await window.checkAccessibility();
      if (width === 1280 && colorScheme === 'light') {
        await window.page.getByRole('tab', { name: 'Sign in' }).click();
        await window.picture('sign-in');
      }
      await window.close();
    }
  },
);

test('an installation without the build says at every address how to get it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tradeguard-no-build-'));
  try {
    const build = loadWebBuild(pathToFileURL(`${folder}/`));
    expect(build).toBeUndefined();
    const routes = createPageRoutes({ production: true, build });
    const root = routes.find(({ path }) => path === '/');
    const answer = await root?.handler({} as never);
    expect(answer).toMatchObject({ status: 503 });
    expect(String(answer?.body)).toContain('npm run build:web');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { SignedIn } from './people.ts';
import type { Stack } from './stack.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const IMAGES = join(import.meta.dirname, '../../docs/images');
/** The levels of WCAG 2.2 AA, as axe names the rules that hold them. */
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * With SLOW=1 answers of the API come up to this much later, each by another time, and the processor that draws the pages
 * is this many times slower: what a test expects too early, it then misses.
 */
const SLOW = process.env.SLOW ? { answersMs: 1_500, processor: 5, timeoutMs: 60_000 } : undefined;

/** A time that the product promises, which nobody does with SLOW=1. */
export const promisedMs = (ms: number): number => (SLOW ? Number.POSITIVE_INFINITY : ms);

export interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Signs in with password and authenticator, and waits for the first page. */
  readonly signIn: (person: SignedIn, path?: string) => Promise<void>;
  /** Fails where axe-core finds anything that WCAG 2.2 AA, or its list of good practice, forbids. */
  readonly checkAccessibility: () => Promise<void>;
  /** With SCREENSHOTS=1: docs/images/{name}.png as it looks now. */
  readonly picture: (name: string, options?: { fullPage?: boolean }) => Promise<void>;
  /** Closes it, and fails where the browser complained: a script's error, a violated policy, a request to elsewhere. */
  readonly close: () => Promise<void>;
}

export interface WindowOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

async function slowDown(page: Page, { answersMs, processor }: { answersMs: number; processor: number }) {
  await page.context().route('**/api/**', async (route) => {
    // Every other one at once: what comes early is as good a test as what comes late.
    if (Math.random() < 0.5) await sleep(Math.random() * answersMs);
    // The page may have been left meanwhile.
    await route.fallback().catch(() => undefined);
  });
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: processor });
}

/** A browser window of one person, with cookies of its own, that notes everything the browser itself complains about. */
export async function openWindow(browser: Browser, stack: Stack, options: WindowOptions = {}): Promise<Window> {
  const { width = 1280, height = 860, colorScheme = 'light' } = options;
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    viewport: { width, height },
    colorScheme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(SLOW?.timeoutMs ?? 30_000);
  if (SLOW) await slowDown(page, SLOW);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // Answers like 401 are the API's normal words to somebody who is not signed in.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== stack.url) complaints.push(`a request to ${request.url()}`);
  });
  await page.addInitScript({
    content: `addEventListener('securitypolicyviolation', (event) =>
      console.error('csp: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample))`,
  });

  return {
    page,
    context,
    async signIn(person, path = '/') {
      await page.goto(stack.url + path);
      await page.getByLabel('E-mail address').fill(person.email);
      await page.getByLabel('Password', { exact: true }).fill(person.password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByLabel('Six-digit code').fill(stack.people.totpCode(person.totpSecret));
      await page.getByRole('button', { name: 'Confirm' }).click();
      await page
        .getByRole('navigation', { name: 'Pages' })
        .or(page.getByRole('button', { name: 'Menu' }))
        .first()
        .waitFor();
    },
    async checkAccessibility() {
      // Not as a script element: the page's own policy would not let it in.
      await page.evaluate(AXE);
      const violations = await page.evaluate<
        string[]
      >(`axe.run(document, { runOnly: ${JSON.stringify(WCAG)} }).then(({ violations }) =>
        violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) =>
          id + ': ' + help + ' at ' + target.join(' ') + ': ' + failureSummary)))`);
      expect(violations).toEqual([]);
    },
    async picture(name, { fullPage = true } = {}) {
      if (process.env.SCREENSHOTS) await page.screenshot({ path: join(IMAGES, `${name}.png`), fullPage });
    },
    async close() {
      await context.close();
      expect(complaints).toEqual([]);
    },
  };
}

import { Secret, TOTP } from 'otpauth';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { table } from '../cli/replay-report.ts';
import { percentile } from '../cli/replay-tally.ts';
import { launchBrowser } from '../test/helpers/browser.ts';

/** Cold views of each kind. */
const VIEWS = 20;
/** Kept by the page: when something that matches was first there and painted, in milliseconds since the navigation began. */
const WATCH = `(selector) => {
  globalThis.seen = new Promise((resolve) => {
    const look = () => {
      if (document.querySelector(selector) === null) return requestAnimationFrame(look);
      requestAnimationFrame(() => resolve(performance.now()));
    };
    look();
  });
}`;

export interface WebTarget {
  /** Where the API is. */
  readonly url: string;
  readonly admin: { readonly email: string; readonly password: string };
}

/**
 * What the pages cost in a real browser on this machine: first views with an empty cache, until what the person came for is
 * painted, beside a page of plain text from the same server.
 */
export async function webTable({ url, admin }: WebTarget): Promise<string> {
  const browser = await launchBrowser();
  try {
    const session = await signedIn(browser, url, admin);
    const kinds = [
      { name: 'plain text, the baseline', path: '/readme', selector: 'pre', state: undefined },
      { name: 'sign-in', path: '/', selector: 'button[type=submit]', state: undefined },
      { name: 'review queue, signed in', path: '/console/reviews', selector: 'h1', state: session },
      { name: 'overview, signed in', path: '/console/overview', selector: 'h1', state: session },
    ];
    const times = new Map<string, number[]>(kinds.map(({ name }) => [name, []]));
    // They take turns, so that a machine that gets slower slows all of them; the first round warms up.
    for (let view = 0; view <= VIEWS; view += 1) {
      for (const { name, path, selector, state } of kinds) {
        const context = await browser.newContext(state === undefined ? {} : { storageState: state });
        const took = await firstView(context, url + path, selector);
        await context.close();
        if (view > 0) times.get(name)?.push(took);
      }
    }
    const median = (name: string): number =>
      percentile(
        [...(times.get(name) ?? [])].sort((a, b) => a - b),
        50,
      ) ?? Number.NaN;
    const baseline = median('plain text, the baseline');
    const lines = [...times].map(([name, all]) => {
      const sorted = [...all].sort((a, b) => a - b);
      return [
        name,
        median(name).toFixed(0),
        (percentile(sorted, 95) ?? 0).toFixed(0),
        `${(median(name) / baseline).toFixed(1)}x`,
      ];
    });
    return table([`first view, ${VIEWS} each`, 'p50 ms', 'p95 ms', 'of plain text'], lines);
  } finally {
    await browser.close();
  }
}

async function firstView(context: BrowserContext, address: string, selector: string): Promise<number> {
  const page = await context.newPage();
  await page.addInitScript({ content: `(${WATCH})(${JSON.stringify(selector)})` });
  await page.goto(address);
  // Not waitForFunction: the pages' policy lets nothing be evaluated in them.
  return page.evaluate<number>('globalThis.seen');
}

/** Signs the administrator in, who has to set an authenticator up on the way. @returns the session's cookies */
async function signedIn(browser: Browser, url: string, { email, password }: WebTarget['admin']) {
  const context = await browser.newContext();
  const page: Page = await context.newPage();
  await page.goto(url);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  const secret = (await page.getByLabel('Secret', { exact: true }).textContent()) ?? '';
  await page.getByLabel('Six-digit code').fill(new TOTP({ secret: Secret.fromBase32(secret) }).generate());
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

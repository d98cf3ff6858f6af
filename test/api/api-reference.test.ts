import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { OpenApiDocument } from '../../api/openapi-document.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

// A browser draws for seconds where many share a machine.
vi.setConfig({ testTimeout: 120_000 });

let stack: Stack;
let browser: Browser;
let context: BrowserContext | undefined;
let page: Page;
/** What the browser complained about, violations of the content security policy among it, and requests to elsewhere. */
const complaints: string[] = [];

beforeAll(async () => {
  stack = await createStack();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await stack?.close();
});
afterEach(async () => {
  await context?.close();
  context = undefined;
  expect(complaints.splice(0)).toEqual([]);
});

async function open(operation = '', colorScheme: 'light' | 'dark' = 'light'): Promise<void> {
  context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 1000 } });
  page = await context.newPage();
  page.setDefaultTimeout(40_000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // Answers like 401 are the API's normal words to somebody who is not signed in.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== stack.url && protocol !== 'data:') complaints.push(`a request to ${request.url()}`);
  });
  await page.addInitScript({
    content: `addEventListener('securitypolicyviolation', (event) => console.error('csp: ' + event.violatedDirective))`,
  });
  await page.goto(`${stack.url}/api/docs${operation === '' ? '' : `#/${operation}`}`);
  const drawn = operation === '' ? '.opblock-tag' : `#operations-${operation.replace('/', '-')} .opblock-body`;
  await page.locator(drawn).first().waitFor();
}

/** Tries the operation that is open. @returns status and body as the page shows them */
async function execute(): Promise<{ status: string; body: string }> {
  await page.getByRole('button', { name: 'Execute' }).click();
  const answer = page.locator('.live-responses-table .response').first();
  const status = (await answer.locator('.response-col_status').textContent()) ?? '';
  const body = await answer.locator('.response-col_description .microlight').first().textContent();
  return { status: status.trim(), body: body ?? '' };
}

/** Of the library alone, and of no harm to who reads: docs/adr/0066-api-reference.md. */
const OF_THE_LIBRARY = ['nested-interactive', 'select-name'];

async function faultsForAxe(): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run(document)')) as axe.AxeResults;
  return violations
    .filter(({ id }) => !OF_THE_LIBRARY.includes(id))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(', ')}`);
}

test('it lists every group of calls, finds one, and shows its operations', async () => {
  await open();
  const { body: document } = await stack.api.get<OpenApiDocument>('/api/openapi.json');
  const groups = await page
    .locator('.opblock-tag')
    .evaluateAll((found) => found.map((one) => one.getAttribute('data-tag')));
  expect(groups).toEqual(document.tags.map(({ name }) => name));
  expect(await faultsForAxe()).toEqual([]);

  await page.getByPlaceholder('Filter by tag').fill('portfolio');
  await page.locator('#operations-tag-incidents').waitFor({ state: 'detached' });
  await page.locator('#operations-tag-portfolio').click();
  await page
    .locator('#operations-portfolio-getPortfolio')
    .getByText('Cash and positions of your trading account')
    .first()
    .waitFor();
});

test('an address names an operation; it can be tried, and its answer is shown', async () => {
  await open('health/getHealth');
  await page.getByRole('button', { name: 'Try it out' }).click();
  const { status, body } = await execute();
  expect(status).toBe('200');
  expect(JSON.parse(body)).toMatchObject({ status: expect.any(String), components: { database: { status: 'up' } } });
  expect(await faultsForAxe()).toEqual([]);
});

test('in the dark it is dark, and as readable', async () => {
  await open('transactions/createTransaction', 'dark');
  expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(28, 32, 34)');
  // 3.1 as it is meant: a schema by its name, with its examples.
  await page.locator('.opblock-section-request-body', { hasText: '250.00' }).waitFor();
  expect(await faultsForAxe()).toEqual([]);
});

describe('a call that needs a session', () => {
  test('is made with the cookie of who is signed in, and a write with the token that the page fetches', async () => {
    const person = await stack.people.register();
    await open('auth/revokeOtherSessions');
    const { email, password } = person;
    const signedIn = await page.evaluate(
      async (body) =>
        (await fetch('/api/auth/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }))
          .status,
      JSON.stringify({ email, password, device: HOME_DEVICE }),
    );
    expect(signedIn).toBe(200);
    await page.getByRole('button', { name: 'Try it out' }).click();
    await page.getByRole('button', { name: 'Execute' }).click();
    const status = page.locator('.live-responses-table .response .response-col_status').first();
    expect((await status.textContent())?.trim()).toMatch(/^204/);
  });

  test('is made with a bearer token in its place', async () => {
    const person = await stack.people.customer();
    await open('portfolio/getPortfolio');
    await page.getByRole('button', { name: 'Try it out' }).click();
    expect((await execute()).status).toMatch(/^401/);
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    const bearer = page.locator('.auth-container').filter({ hasText: 'bearer' }).first();
    await bearer.locator('input').fill(person.token);
    await bearer.getByRole('button', { name: 'Apply credentials' }).click();
    await page.locator('.modal-ux .btn-done').first().click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await page.locator('.live-responses-table .response').first().getByText('depositIdentifiers').waitFor();
  });
});

test('its files are served for good and compressed, by the names that the page gives alone', async () => {
  const html = (await stack.api.get<string>('/api/docs')).body;
  const files = [...html.matchAll(/(?:src|href)="(\/api\/docs\/[^"]+)"/g)].map(([, path = '']) => path);
  expect(files).toHaveLength(4);
  for (const path of files) {
    const answer = await fetch(stack.url + path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect((await answer.text()).length).toBeGreaterThan(300);
    const plain = await fetch(stack.url + path, { headers: { 'Accept-Encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
  }
  for (const name of ['swagger-ui-bundle.js', 'package.json', '..%2f..%2fpackage.json', '%2e%2e']) {
    expect([400, 404]).toContain((await fetch(`${stack.url}/api/docs/${name}`)).status);
  }
});

import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { launchBrowser } from '../helpers/browser.ts';
import { HOME_DEVICE } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

let stack: Stack;
let browser: Browser;
let context: BrowserContext;
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
  context = await browser.newContext();
  page = await context.newPage();
  // As a bundler would: the client's own files, without their types, from the API's own origin.
  await page.route('**/client/*.ts', (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1);
    const source = readFileSync(new URL(`../../client/${name}`, import.meta.url), 'utf8');
    return route.fulfill({ contentType: 'text/javascript', body: stripTypeScriptTypes(source) });
  });
  await page.goto(`${stack.url}/api/docs`);
});
afterEach(() => context.close());

/** Runs in the page, with the client's module as `api`. */
const inPage = <T>(body: string, argument: unknown = {}): Promise<T> =>
  page.evaluate(
    `(async () => { const api = await import('/client/index.ts'); const given = ${JSON.stringify(argument)}; ${body} })()`,
  );

it('signs in by a cookie that no script sees, and trades with a key that no script can read', async () => {
  const person = { email: stack.people.newAddress(), password: 'correct horse battery staple', device: HOME_DEVICE };
  const first = await inPage<{ session: object; cookie: string; status: string }>(
    `const client = api.createClient({ origin: location.origin });
     await client.register({ body: { ...given, fullName: 'Test Person' } });
     const { body } = await client.signIn(given);
     return { session: client.session, cookie: document.cookie, status: body.status };`,
    person,
  );
  expect(first).toEqual({ session: { csrfToken: expect.any(String) }, cookie: '', status: 'authenticated' });

  // After a reload the session is still there, and the token that writes carry is fetched when one is refused.
  await page.reload();
  const codes = stack.mail.codesFor(person.email).length;
  await inPage(
    `const client = api.createClient({ origin: location.origin });
     await client.mailStepUpCode();`,
  );
  const code = stack.mail.codesFor(person.email)[codes];
  const traded = await inPage<Record<string, unknown>>(
    `const client = api.createClient({
       origin: location.origin,
       onStepUp: async () => ({ method: 'email_code', code: given.code }),
     });
     const { body: issued } = await client.issueSigningKey();
     const secret = await api.importSigningKey(issued.secret);
     client.useSigningKey({ keyId: issued.keyId, audience: issued.audience, secret });
     const { body } = await client.transact({ type: 'deposit', amount: '50.00', currency: 'USD' });
     const read = await crypto.subtle.exportKey('raw', secret).then(() => 'read', () => 'refused');
     // What IndexedDB keeps is the key itself, as it cannot be read.
     const kept = structuredClone(secret);
     client.useSigningKey({ keyId: issued.keyId, audience: issued.audience, secret: kept });
     const again = await client.transact({ type: 'withdrawal', amount: '5.00', currency: 'USD' });
     await client.signOut();
     const after = await client.getPortfolio().catch((error) => error.code);
     return { deposit: body.status, withdrawal: again.body.status, read, after };`,
    { code },
  );
  expect(traded).toEqual({ deposit: 'settled', withdrawal: 'settled', read: 'refused', after: 'session_required' });
});

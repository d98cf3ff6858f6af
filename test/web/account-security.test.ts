import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { oneRow, rows, run } from '../../db/sql.ts';
import { freePort } from '../../platform/ports.ts';
import { launchBrowser } from '../helpers/browser.ts';
import { PHONE } from '../helpers/devices.ts';
import { eventually } from '../helpers/eventually.ts';
import type { SignedIn } from '../helpers/people.ts';
import { createStack, type Stack } from '../helpers/stack.ts';
import { openWindow, type Window } from '../helpers/web.ts';

let stack: Stack;
let browser: Browser;
let window: Window;
let page: Page;

beforeAll(async () => {
  // Passkeys belong to a name: browsers make none for the address of a machine.
  const port = String(await freePort());
  const env = { PORT: port, PUBLIC_ORIGIN: `http://localhost:${port}`, SECURITY_QUESTIONS: 'additional' };
  const started = await createStack({ env });
  stack = { ...started, url: env.PUBLIC_ORIGIN };
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

const section = (name: string) => page.getByRole('region', { name, exact: true });
const dialog = () => page.getByRole('dialog');
const button = (name: string) => page.getByRole('button', { name, exact: true });
const atSecurity = (person: SignedIn) => window.signIn(person, '/account/security');
const count = async (sql: string, ...params: unknown[]) =>
  Number((await oneRow<{ n: string }>(stack.db.fork(), `select count(*) as n from ${sql}`, params)).n);
/** Makes the factor of all sessions an old one, so that the next call that needs a fresh one asks. */
const age = (userId: string) =>
  run(stack.db.fork(), `update session set factor_at = factor_at - interval '1 hour' where user_id = $1`, [userId]);

/** An authenticator of the browser, as a telephone or a security key would be one: it says yes by itself. */
async function virtualAuthenticator() {
  const devtools = await window.context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    refuse: () => devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false }),
    allow: () => devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true }),
  };
}

test('a customer enrols an authenticator, makes recovery codes that are shown once, and removes it again', async () => {
  const registered = await stack.people.register();
  const { id: userId } = await oneRow<{ id: string }>(stack.db.fork(), 'select id from app_user where email_key = $1', [
    registered.email,
  ]);
  await page.goto(`${stack.url}/account/security`);
  await page.getByLabel('E-mail address').fill(registered.email);
  await page.getByLabel('Password', { exact: true }).fill(registered.password);
  await page.keyboard.press('Enter');
  const mailed = await eventually(() => stack.mail.codesFor(registered.email)[0], { what: 'the code' });
  await page.getByLabel('Six-digit code').fill(mailed);
  await page.keyboard.press('Enter');

  await section('Recovery codes').getByText('Set up an authenticator or a passkey first.').waitFor();
  await button('Set up an authenticator').click();
  const app = section('Authenticator app');
  await app.getByRole('img', { name: 'QR code of the secret' }).waitFor();
  const secret = (await app.getByLabel('Secret', { exact: true }).textContent()) ?? '';
  await app.getByLabel('Six-digit code').fill('000000');
  await page.keyboard.press('Enter');
  await app.getByRole('alert').waitFor();
  await app.getByLabel('Six-digit code').fill(stack.people.totpCode(secret));
  await page.keyboard.press('Enter');
  await app.getByText('Set up since').waitFor();
  expect(await count('totp_factor where user_id = $1 and confirmed_at is not null', userId)).toBe(1);

  await button('Make recovery codes').click();
  const list = dialog().getByRole('list', { name: 'Recovery codes' });
  await list.waitFor();
  await window.checkAccessibility();
  await window.picture('recovery-codes', { fullPage: false });
  const codes = await list.getByRole('listitem').allTextContents();
  expect(new Set(codes).size).toBe(10);
  const download = page.waitForEvent('download');
  await dialog().getByRole('button', { name: 'Download' }).click();
  const file = await (await download).path();
  expect(readFileSync(file, 'utf8')).toBe(`${codes.join('\n')}\n`);
  await button('I have kept them').click();
  await section('Recovery codes').getByText('10 were not used yet.').waitFor();
  await page.reload();
  await section('Recovery codes').getByText('10 were not used yet.').waitFor();
  expect(await page.content()).not.toContain(codes[0]);

  // A recovery code steps in for the app where a fresh factor is needed; it is used up then.
  await age(userId);
  await button('Remove the authenticator').click();
  await dialog().getByRole('button', { name: 'Remove', exact: true }).click();
  // Escape is for the dialog in front; what it was asked for stays, and says so.
  await page.getByRole('dialog', { name: 'Prove that it is still you' }).waitFor();
  await page.keyboard.press('Escape');
  const asked = page.getByRole('dialog', { name: 'Remove the authenticator' });
  await asked.getByText('Prove a second factor first').waitFor();
  await asked.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Recovery code', { exact: true }).click();
  await page.getByLabel('One of your recovery codes').fill(codes[0] ?? '');
  await page.keyboard.press('Enter');
  await app.getByText('None is set up.').waitFor();
  expect(await count('totp_factor where user_id = $1', userId)).toBe(0);
  expect(await count(`audit_entry where actor = $1 and action in ('mfa.enrolled', 'mfa.removed')`, userId)).toBe(2);
});

test('a passkey is added, signs in, steps up, and is removed', async () => {
  const person = await stack.people.signedIn('customer');
  const authenticator = await virtualAuthenticator();
  await atSecurity(person);
  const passkeys = section('Passkeys');
  await passkeys.getByLabel('Name of the new passkey').fill('My telephone');
  await page.keyboard.press('Enter');
  await passkeys.getByRole('cell', { name: 'My telephone', exact: true }).waitFor();
  expect(await count('webauthn_credential where user_id = $1', person.userId)).toBe(1);
  // The same device a second time: said in words.
  await passkeys.getByLabel('Name of the new passkey').fill('Twice');
  await page.keyboard.press('Enter');
  await passkeys.getByText('This device has a passkey of this account already.').waitFor();

  // Signing in from a browser that is not known any more asks for it.
  await button('Test Person, customer').click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
  await run(stack.db.fork(), 'update device set revoked_at = clock_timestamp() where user_id = $1', [person.userId]);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.keyboard.press('Enter');
  await authenticator.refuse();
  await button('Use a passkey').click();
  await dialog().getByRole('alert').waitFor();
  await authenticator.allow();
  await button('Use a passkey').click();
  await passkeys.getByRole('cell', { name: 'My telephone', exact: true }).waitFor();
  expect(await count('webauthn_credential where user_id = $1 and last_used_at is not null', person.userId)).toBe(1);

  // To remove it needs a fresh factor, for which it is good itself.
  await age(person.userId);
  await button('Remove the passkey My telephone').click();
  await dialog().getByRole('button', { name: 'Remove', exact: true }).click();
  await button('Use a passkey').click();
  await passkeys.getByText('There are none yet.').waitFor();
  expect(await count('webauthn_credential where user_id = $1', person.userId)).toBe(0);
});

test('sessions and devices are seen and ended; another password ends all others', async () => {
  const person = await stack.people.signedIn('customer');
  const elsewhere = async () => {
    const login = await stack.people.login(person, { device: PHONE });
    const answer = await stack.api.post(`/api/auth/login/${login.body.loginId}/factors`, {
      method: 'totp',
      code: stack.people.totpCode(person.totpSecret),
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.session.token as string;
  };
  const open = async (token: string) => (await stack.api.get('/api/auth/me', { token })).status;
  const phone = await elsewhere();
  await atSecurity(person);

  const devices = section('Devices');
  await devices.getByRole('table').waitFor();
  await window.picture('account-security');
  const other = devices.getByRole('row').filter({ hasText: 'on iOS' });
  await other.getByRole('button', { name: /^Trust/ }).click();
  await other.getByRole('button', { name: /^Trust/ }).waitFor({ state: 'detached' });
  expect(await count('device where user_id = $1 and trusted_at is not null', person.userId)).toBe(1);
  await window.checkAccessibility();
  await other.getByRole('button', { name: /^Remove/ }).click();
  await dialog().getByRole('button', { name: 'Remove', exact: true }).click();
  await other.waitFor({ state: 'detached' });
  expect(await open(phone)).toBe(401);

  // One session from before, by its row; it is the one with the token of the API.
  const sessions = section('Sessions');
  const end = sessions.getByRole('button', { name: /^End the session of/ });
  await eventually(async () => (await end.count()) === 1, { what: 'the session of the removed device to be gone' });
  await end.click();
  await dialog().getByRole('button', { name: 'End', exact: true }).click();
  await end.waitFor({ state: 'detached' });
  expect(await open(person.token)).toBe(401);

  const password = section('Password');
  await password.getByLabel('Current password').fill('not my password at all');
  await password.getByLabel('New password').fill('nine amber windows at dusk');
  await button('Change the password').click();
  await password.getByText('The current password is wrong.').waitFor();
  expect(await password.getByLabel('New password').inputValue()).toBe('nine amber windows at dusk');
  await password.getByLabel('Current password').fill(person.password);
  await button('Change the password').click();
  await page.getByText('Your password is changed.').waitFor();
  expect((await stack.people.login({ ...person, password: 'nine amber windows at dusk' })).status).toBe(202);

  await button('End this session').click();
  await dialog().getByRole('button', { name: 'End', exact: true }).click();
  await page.getByText('You ended this session.').waitFor();
  expect(await count('session where user_id = $1 and revoked_at is null', person.userId)).toBe(0);
});

test('security questions are set, faults are told beside them, and they are removed', async () => {
  const person = await stack.people.signedIn('customer');
  await atSecurity(person);
  const questions = section('Security questions');
  const given = [
    ['Where did the blue boat lie?', 'Marstal'],
    ['Whose violin was it?', 'Aunt Edda'],
    ['What did the first dog eat?', 'Marstal'],
  ] as const;
  for (const [n, [question, answer]] of given.entries()) {
    await questions.getByLabel(`Question ${n + 1}`).fill(question);
    await questions.getByLabel(`Answer ${n + 1}`).fill(answer);
  }
  await button('Set these questions').click();
  await questions.getByText('must differ from the other answers').waitFor();
  await questions.getByLabel('Answer 3').fill('Wellingtons');
  await button('Set these questions').click();
  await questions.getByText('3 are set.').waitFor();
  const stored = await rows<{ answer_hash: string }>(
    stack.db.fork(),
    'select answer_hash from security_question where user_id = $1',
    [person.userId],
  );
  expect(stored.length).toBe(3);
  await button('Remove the security questions').click();
  await dialog().getByRole('button', { name: 'Remove', exact: true }).click();
  await questions.getByText('None are set.').waitFor();
});

test('staff use the page, too, and keep their authenticator; it reads well in the dark and on a telephone', async () => {
  const reviewer = await stack.people.signedIn('reviewer');
  await window.close();
  window = await openWindow(browser, stack, { width: 360, height: 740, colorScheme: 'dark' });
  page = window.page;
  await atSecurity(reviewer);
  await section('Authenticator app').getByText('Staff keep theirs').waitFor();
  expect(await page.getByRole('button', { name: 'Remove the authenticator' }).count()).toBe(0);
  await page.getByRole('table', { name: 'Sessions' }).waitFor();
  await page.waitForLoadState('networkidle');
  await window.checkAccessibility();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
});

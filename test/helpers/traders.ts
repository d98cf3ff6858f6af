import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Instance } from './instance.ts';
import { createMailbox } from './mailbox.ts';
import { inParallel, persistently } from './persistent-client.ts';
import type { IssuedSigningKey } from './signing.ts';

export interface Trader {
  email: string;
  password: string;
  token: string;
  accountId: string;
  signingKey: IssuedSigningKey;
}

export const DEVICE = {
  userAgent: 'Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
  timezone: 'UTC',
  language: 'en-US',
  platform: 'Linux x86_64',
  plugins: ['PDF Viewer'],
};

/** Registers customers on the device that they log in from, so that the login asks for nothing more, and gets each a signing key. */
export function signUpTraders(instance: Instance, count: number): Promise<Trader[]> {
  const api = () => instance.endpoints().api;
  const mailbox = createMailbox(join(instance.dataDir, 'mail'));
  return inParallel(Array.from({ length: count }), 4, async () => {
    const email = `trader-${randomUUID()}@example.test`;
    const password = `a long passphrase ${randomUUID()}`;
    const registered = await persistently(() => `${api()}/api/auth/register`, {
      body: { email, password, fullName: 'Test Trader', timeZone: 'UTC', device: DEVICE },
    });
    if (registered.status !== 201) throw new Error(`register answered ${registered.status}`);
    const login = await persistently(() => `${api()}/api/auth/login`, {
      body: {
        email,
        password,
        device: DEVICE,
        ...(registered.body.deviceToken ? { deviceToken: registered.body.deviceToken } : {}),
      },
    });
    if (login.status !== 200) throw new Error(`login answered ${login.status}: ${JSON.stringify(login.body)}`);
    const token = login.body.session.token as string;
    const signingKey = await keyOf(token, email);
    const portfolio = await persistently(() => `${api()}/api/portfolio`, { method: 'GET', token });
    return { email, password, token, accountId: portfolio.body.accountId, signingKey };
  });

  async function keyOf(token: string, email: string): Promise<IssuedSigningKey> {
    await persistently(() => `${api()}/api/auth/step-up/code`, { token });
    const code = mailbox.codesFor(email).at(-1);
    const proof = { method: 'email_code', code };
    await persistently(() => `${api()}/api/auth/step-up`, { token, body: proof });
    const issued = await persistently(() => `${api()}/api/signing-keys`, { token, body: {} });
    if (issued.status !== 201) throw new Error(`no key: ${issued.status} ${JSON.stringify(issued.body)}`);
    return issued.body;
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiAnswer, ApiClient } from './api-client.ts';
import { createRequestSigner, type RequestSigner } from './request-signer.ts';

/** A customer who proves themselves by their mailbox, on an installation that writes letters to a folder. */
export interface MailboxOwner {
  readonly email: string;
  readonly token: string;
  /** Folder of `.eml` files. */
  readonly mailDir: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Gets a customer a key for signing requests, by the API's own doors: a code by mail, the step-up, then the key.
 *
 * @throws when the API refuses one of the steps
 */
export async function customerKey(
  api: ApiClient,
  { email, token, mailDir, headers = {} }: MailboxOwner,
): Promise<RequestSigner> {
  const call = { token, headers };
  expectStatus(await api.post('/api/auth/step-up/code', call), 202);
  const proof = { method: 'email_code', code: mailedCode(mailDir, email) };
  expectStatus(await api.post('/api/auth/step-up', { ...call, body: proof }), 200);
  return createRequestSigner(expectStatus(await api.post('/api/signing-keys', { ...call, body: {} }), 201).body);
}

/** The six digits of the newest letter to this address; a letter is written before the API answers. @throws without one */
export function mailedCode(mailDir: string, email: string): string {
  const letters = readdirSync(mailDir)
    .filter((name) => name.endsWith('.eml'))
    .toSorted()
    .map((name) => readFileSync(join(mailDir, name), 'utf8'))
    .filter((letter) => letter.toLowerCase().includes(`to: ${email}`));
  const body = letters.at(-1)?.split('\r\n\r\n').slice(1).join('\n') ?? '';
  const code = /\b\d{6}\b/.exec(body)?.[0];
  if (code === undefined) throw new Error(`There is no letter with a code to ${email} in ${mailDir}.`);
  return code;
}

function expectStatus(answer: ApiAnswer, status: number): ApiAnswer {
  if (answer.status !== status) {
    throw new Error(`A signing key: ${answer.status} instead of ${status}: ${JSON.stringify(answer.body)}`);
  }
  return answer;
}

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type IssuedSigningKey, issueSigningKey } from '../helpers/signing.ts';
import { createSigningApi, type SigningApi } from '../helpers/signing-api.ts';

const run = promisify(execFile);
const guide = readFileSync(new URL('../../docs/request-signing.md', import.meta.url), 'utf8');
const recipe = /```bash\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
/** The recipe's definition of `signed`, without its example call. */
const definition = recipe.slice(0, recipe.lastIndexOf('\nsigned '));

let server: SigningApi;
let userId: string;
let token: string;
let key: IssuedSigningKey;

beforeAll(async () => {
  server = await createSigningApi();
  ({ userId, token } = await server.people.signedIn('customer'));
  key = await issueSigningKey(server.api, token);
});
afterAll(() => server.close());

/** Runs bash with the recipe and these lines; gives the API's last answer. */
async function bash(script: string, secret = key.secret) {
  const env = {
    PATH: process.env.PATH,
    API: server.url,
    TOKEN: token,
    KEY_ID: key.keyId,
    SECRET: secret,
    AUDIENCE: key.audience,
  };
  const { stdout } = await run('bash', ['-eu', '-o', 'pipefail', '-c', `${definition}\n${script}`], { env });
  return stdout === '' ? undefined : JSON.parse(stdout);
}

it.each([
  ['the example of the guide', recipe.slice(recipe.lastIndexOf('\nsigned ')).replace('/api/transactions', '/api/echo')],
  ['a query', `signed POST '/api/echo?a=%2F&b=c+d?e' '{"n":1}'`],
  ['quotes and text beyond ASCII', `signed POST /api/echo "{\\"name\\":\\"Zoë's caf\\u00e9 ☕\\"}" key-1`],
  ['no body', 'signed GET /api/echo'],
])('[R1] the recipe with curl and openssl signs %s', async (_what, call) => {
  const before = server.passed.length;
  expect(await bash(call)).toEqual({ userId });
  expect(server.passed).toHaveLength(before + 1);
});

it('[R1] the recipe revokes the key it signs with', async () => {
  expect(await bash('signed GET /api/echo', randomBytes(32).toString('base64url'))).toMatchObject({
    code: 'signature_invalid',
  });
  expect(await bash('signed DELETE "/api/signing-keys/$KEY_ID"')).toBeUndefined();
  expect(await bash('signed GET /api/echo')).toMatchObject({ code: 'signature_invalid' });
  expect(await server.refusals(userId)).toEqual(['signature_mismatch', 'key_revoked']);
});

it('the guide names every reason that the audit log can hold', () => {
  const source = readFileSync(new URL('../../security/request-signing.ts', import.meta.url), 'utf8');
  const union = /export type SignatureRefusal =([\s\S]*?);/.exec(source)?.[1] ?? '';
  const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
  expect(reasons).toHaveLength(14);
  for (const reason of reasons) expect(guide).toContain(`\`${reason}\``);
});

import { join } from 'node:path';
import type { Endpoints } from '../platform/endpoints.ts';
import { readJsonFile } from '../platform/private-file.ts';
import type { ApiAnswer } from './api-client.ts';

/** Where the API is, and who calls it. */
export interface StaffFlags {
  /** Origin of the API; without it the one of the installation in the data folder. */
  readonly url?: string;
  readonly dataDir: string;
  /** A TOTP code, for calls that need a fresh factor. */
  readonly code?: string;
}

/** The variable that holds the caller's session token: an option would stand in the shell's history. */
export const TOKEN_VARIABLE = 'TRADEGUARD_TOKEN';

/**
 * Calls the API as the member of staff whose session token is in {@link TOKEN_VARIABLE}: a command at a terminal may do
 * what that person may, is audited as theirs, and needs their factor where the API asks for one.
 */
export async function withStaffApi<T>(flags: StaffFlags, work: (api: StaffApi) => Promise<T>): Promise<T> {
  const { createApiClient } = await import('./api-client.ts');
  const token = readToken();
  const client = createApiClient(originOf(flags));
  const call = (method: 'get' | 'post', path: string, body?: unknown) =>
    method === 'get' ? client.get(path, { token }) : client.post(path, { token, body: body ?? {} });

  async function answered(method: 'get' | 'post', path: string, body?: unknown): Promise<ApiAnswer> {
    const answer = await call(method, path, body);
    if (answer.body?.code !== 'step_up_needed' || flags.code === undefined) return answer;
    const proven = await client.post('/api/auth/step-up', { token, body: { method: 'totp', code: flags.code } });
    if (proven.status !== 200) throw new Error(problemText(proven));
    return call(method, path, body);
  }

  try {
    return await work({
      /** @throws with the problem's own words when the answer is none of success */
      async get(path) {
        return successful(await answered('get', path));
      },
      async post(path, body) {
        return successful(await answered('post', path, body));
      },
    });
  } finally {
    client.close();
  }
}

export interface StaffApi {
  // biome-ignore lint/suspicious/noExplicitAny: answers differ by call; callers read what the API documents
  get(path: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  post(path: string, body?: unknown): Promise<any>;
}

function readToken(): string {
  const token = process.env[TOKEN_VARIABLE]?.trim();
  if (token) return token;
  throw new Error(`Set ${TOKEN_VARIABLE} to the token of your session: POST /api/auth/login gives one.`);
}

function originOf({ url, dataDir }: StaffFlags): string {
  if (url !== undefined) return url;
  const endpoints = readJsonFile<Endpoints>(join(dataDir, 'endpoints.json'));
  if (endpoints === undefined) throw new Error(`Nothing runs in ${dataDir}. Name the API: --url https://...`);
  return endpoints.api;
}

function successful(answer: ApiAnswer): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw new Error(problemText(answer));
}

/** What the API says is wrong, each fault on a line of its own. */
function problemText({ status, body }: ApiAnswer): string {
  const problem = body as { code?: string; detail?: string; errors?: Fault[] };
  const faults = (problem.errors ?? []).map(faultLine);
  const hint = problem.code === 'step_up_needed' ? ' Give --code with a code of your authenticator.' : '';
  return [`${status} ${problem.code ?? ''}: ${problem.detail ?? ''}${hint}`, ...faults].join('\n');
}

interface Fault {
  readonly pointer: string;
  readonly detail?: string;
  readonly message?: string;
  readonly position?: number;
}

/** One fault of a document, with the character where an expression has it. */
export function faultLine({ pointer, detail, message, position }: Fault): string {
  return `  ${pointer}${position === undefined ? '' : ` (character ${position})`}: ${detail ?? message ?? ''}`;
}

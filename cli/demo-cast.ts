import { setTimeout } from 'node:timers/promises';
import { totpCodeAt, totpStepAt } from '../security/totp.ts';
import type { ApiAnswer, ApiClient } from './api-client.ts';
import { customerKey, mailedCode } from './customer-key.ts';
import type { RequestSigner } from './request-signer.ts';

/** What happened is not what was told: the demo fails with this sentence. */
export class StoryError extends Error {
  override readonly name = 'StoryError';
}

/** Addresses of the static place table: networks that RFC 5737 keeps for examples. */
export const PLACES = { Berlin: '192.0.2.10', 'New York': '198.51.100.20', Tokyo: '203.0.113.30' } as const;
export type PlaceName = keyof typeof PLACES;

export const DEVICES = {
  desktop: {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
    timezone: 'Europe/Berlin',
    language: 'en-GB',
    platform: 'Linux x86_64',
    plugins: ['PDF Viewer'],
  },
  phone: {
    userAgent:
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    screen: { width: 390, height: 844, colorDepth: 24, pixelRatio: 3 },
    timezone: 'Europe/Berlin',
    language: 'en-GB',
    platform: 'iPhone',
    plugins: [],
  },
  strangers: {
    userAgent:
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    screen: { width: 1366, height: 768, colorDepth: 24, pixelRatio: 1 },
    timezone: 'Asia/Tokyo',
    language: 'ja-JP',
    platform: 'Win32',
    plugins: ['PDF Viewer', 'Chrome PDF Viewer'],
  },
} as const;

export interface Person {
  readonly email: string;
  readonly password: string;
}

/** A customer with a session and a key that signs what moves money. */
export interface Trader {
  readonly token: string;
  readonly sign: RequestSigner;
}

/** Somebody of the staff with the secret of their authenticator app, which gives each code once. */
export interface StaffMember {
  readonly token: string;
  /** A code that was not used before; waits for the next half minute when three were. */
  code(): Promise<string>;
}

/** What people do in the demo, through the API alone: no table is touched, no check is left out. */
export function createCast({ api, mailDir }: { api: ApiClient; mailDir: string }) {
  const from = (place: PlaceName) => ({ 'x-forwarded-for': PLACES[place] });

  return {
    register: (person: Person, place: PlaceName, fullName: string) =>
      api.post('/api/auth/register', {
        headers: from(place),
        body: { ...person, fullName, timeZone: 'Europe/Berlin', device: DEVICES.desktop },
      }),

    login: (person: Person, place: PlaceName, device: keyof typeof DEVICES = 'desktop') =>
      api.post('/api/auth/login', { headers: from(place), body: { ...person, device: DEVICES[device] } }),

    submitCode: (loginId: string, place: PlaceName, code: string) =>
      api.post(`/api/auth/login/${loginId}/factors`, { headers: from(place), body: { method: 'email_code', code } }),

    trade: ({ token, sign }: Trader, key: string, body: object) =>
      api.post('/api/transactions', { token, sign, headers: { 'idempotency-key': key }, body }),

    /** A code by mail, then a key for signing. */
    signingKey: (email: string, token: string): Promise<RequestSigner> => customerKey(api, { email, token, mailDir }),

    mailedCode: (email: string): string => mailedCode(mailDir, email),

    /** Signs somebody of the staff in for the first time: they enrol an authenticator before they see anything. */
    async enrolStaff(person: Person): Promise<StaffMember> {
      const body = { ...person, device: DEVICES.desktop };
      const begun = told(await api.post('/api/auth/login', { body }), 202, 'enrolment_required');
      const code = authenticator(begun.body.totp.secret);
      const finished = told(
        await api.post(`/api/auth/login/${begun.body.loginId}/factors`, {
          body: { method: 'totp', code: await code() },
        }),
        200,
        'authenticated',
      );
      return { token: finished.body.session.token, code };
    },
  };
}

export type Cast = ReturnType<typeof createCast>;

/** Holds an answer against what the story says. @returns the answer @throws StoryError */
export function told(answer: ApiAnswer, status: number, state?: string): ApiAnswer {
  const seen = answer.body?.code ?? answer.body?.status;
  const matches =
    answer.status === status && (state === undefined || answer.body.status === state || answer.body.code === state);
  if (!matches) {
    const wanted = `${status}${state === undefined ? '' : ` ${state}`}`;
    throw new StoryError(
      `The API answered ${answer.status} ${seen ?? ''} instead of ${wanted}: ${JSON.stringify(answer.body)}`,
    );
  }
  return answer;
}

/** An authenticator app: every code is good once, and codes of the neighbouring half minutes are accepted. */
function authenticator(secret: string): () => Promise<string> {
  let last = 0;
  return async () => {
    let step = Math.max(last + 1, totpStepAt(Date.now()) - 1);
    while (step > totpStepAt(Date.now()) + 1) await setTimeout(250);
    step = Math.max(step, totpStepAt(Date.now()) - 1);
    last = step;
    return totpCodeAt(secret, step);
  };
}

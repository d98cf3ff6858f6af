import { randomUUID } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { AUTHORIZATION } from '../helpers/authorization-table.ts';
import { ADMIN } from '../helpers/instance.ts';
import { type Finding, found, type Severity } from './finding.ts';

/** As the proxy in front of a production asks. */
const PROXIED = { 'X-Forwarded-Proto': 'https' };
const YEAR = 31_536_000;

const HEADERS: readonly [name: string, severity: Severity, claim: string, holds: (value: string) => boolean][] = [
  [
    'Strict-Transport-Security',
    'high',
    'Browsers are told to use https for a year, subdomains too',
    (value) => Number(/max-age=(\d+)/.exec(value)?.[1]) >= YEAR && value.includes('includeSubDomains'),
  ],
  [
    'Content-Security-Policy',
    'high',
    'Pages run no script but our own',
    (value) => /script-src 'self'/.test(value) && !value.includes('unsafe-eval'),
  ],
  ['X-Frame-Options', 'medium', 'Nobody frames our pages', (value) => value === 'DENY'],
  ['X-Content-Type-Options', 'medium', 'Browsers do not guess types', (value) => value === 'nosniff'],
  [
    'Referrer-Policy',
    'low',
    'Addresses of pages are not told to others',
    (value) => value === 'strict-origin-when-cross-origin',
  ],
];

/**
 * What an installation in production answers to a stranger and to somebody who signs in.
 *
 * @param origin the public one, as browsers send it
 */
export async function observeInstance(api: string, origin: string): Promise<Finding[]> {
  return [
    ...(await headers(api)),
    await withoutSession(api),
    ...(await plainHttp(api)),
    await cookie(api, origin),
    await errors(api),
  ];
}

async function headers(api: string): Promise<Finding[]> {
  const answer = await fetch(`${api}/`, { headers: PROXIED });
  const seen = HEADERS.map(([name, severity, claim, holds]) => {
    const value = answer.headers.get(name) ?? '';
    const observed = value === '' ? `no ${name}` : `${name}: ${value}`;
    return found(
      { id: `header-${name.toLowerCase()}`, area: 'Transport and browser', severity, claim, source: 'GET /', observed },
      holds(value),
    );
  });
  const product = answer.headers.get('X-Powered-By') ?? answer.headers.get('Server');
  return [
    ...seen,
    found(
      {
        id: 'header-product',
        area: 'Transport and browser',
        severity: 'low',
        claim: 'Answers do not name the product behind them',
        source: 'GET /',
        observed: product === null ? 'neither Server nor X-Powered-By' : product,
      },
      product === null,
    ),
  ];
}

/** Every route that is not public, asked without a session. */
async function withoutSession(api: string): Promise<Finding> {
  const closed = Object.entries(AUTHORIZATION).filter(([, rule]) => !rule.public);
  const open: string[] = [];
  for (const [route] of closed) {
    const [method = '', path = ''] = route.split(' ');
    const answer = await fetch(`${api}${path.replaceAll(/\{\w+\}/g, () => randomUUID())}`, {
      method,
      headers: { ...PROXIED, 'Content-Type': 'application/json' },
      ...(method === 'GET' ? {} : { body: '{}' }),
    });
    await answer.body?.cancel();
    if (answer.status !== 401) open.push(`${route}: ${answer.status}`);
  }
  return found(
    {
      id: 'routes-closed',
      area: 'Access',
      severity: 'critical',
      claim: 'Without a session no route answers but the public ones',
      source: 'every route of test/helpers/authorization-table.ts that is not public, without a session',
      observed:
        open.length === 0
          ? `${closed.length} of ${Object.keys(AUTHORIZATION).length} routes asked, all answered 401`
          : open.join('; '),
    },
    open.length === 0 && closed.length > 0,
  );
}

async function plainHttp(api: string): Promise<Finding[]> {
  const read = await fetch(`${api}/`, { redirect: 'manual' });
  const write = await fetch(`${api}/api/auth/login`, { method: 'POST', redirect: 'manual' });
  const location = read.headers.get('Location') ?? '';
  return [
    found(
      {
        id: 'plain-http-read',
        area: 'Transport and browser',
        severity: 'high',
        claim: 'Plain HTTP is sent to https',
        source: 'GET / without X-Forwarded-Proto',
        observed: `${read.status} ${location}`,
      },
      read.status === 301 && location.startsWith('https://'),
    ),
    found(
      {
        id: 'plain-http-write',
        area: 'Transport and browser',
        severity: 'high',
        claim: 'Nothing is accepted over plain HTTP',
        source: 'POST /api/auth/login without X-Forwarded-Proto',
        observed: String(write.status),
      },
      write.status === 426,
    ),
  ];
}

/** The cookies of the first administrator's first sign-in in a browser, which enrols an authenticator. */
async function cookie(api: string, origin: string): Promise<Finding> {
  const device = {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0',
    screen: { width: 1920, height: 1080, colorDepth: 24, pixelRatio: 1 },
    ...{ timezone: 'UTC', language: 'en', platform: 'Linux x86_64', plugins: [] },
  };
  const post = (path: string, body: unknown) =>
    fetch(`${api}${path}`, {
      method: 'POST',
      headers: { ...PROXIED, Origin: origin, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  const first = await post('/api/auth/login', { ...ADMIN, device });
  const asked = (await first.json().catch(() => ({}))) as { loginId?: string; totp?: { secret?: string } };
  let answer = first;
  if (asked.loginId !== undefined && asked.totp?.secret !== undefined) {
    const code = new TOTP({ secret: Secret.fromBase32(asked.totp.secret) }).generate();
    answer = await post(`/api/auth/login/${asked.loginId}/factors`, { method: 'totp', code });
    await answer.body?.cancel();
  }
  const set = answer.headers.getSetCookie();
  const shown = set.map((one) => one.replace(/=[^;]*/, '=...').replace(/Expires=[^;]*/, 'Expires=...'));
  const strict = set.every((one) => ['Secure', 'HttpOnly', 'SameSite=Strict'].every((flag) => one.includes(flag)));
  return found(
    {
      id: 'cookies',
      area: 'Transport and browser',
      severity: 'high',
      claim: 'Cookies are Secure, HttpOnly and SameSite=Strict',
      source: 'a sign-in in a browser: POST /api/auth/login and its factor',
      observed: set.length === 0 ? `${answer.status}, no cookie was set` : shown.join('; '),
    },
    set.length === 0 ? undefined : strict,
  );
}

async function errors(api: string): Promise<Finding> {
  const answer = await fetch(`${api}/api/auth/login`, {
    method: 'POST',
    headers: { ...PROXIED, 'Content-Type': 'application/json' },
    body: '{"email":',
  });
  const text = await answer.text();
  return found(
    {
      id: 'errors',
      area: 'Access',
      severity: 'medium',
      claim: 'Errors disclose no stack and no file',
      source: 'POST /api/auth/login with half a document',
      observed: `${answer.status}, ${text.length} characters, ${answer.headers.get('Content-Type')}`,
    },
    answer.status === 400 && !/\bat .+:\d+|node_modules|\.ts\b/.test(text),
  );
}

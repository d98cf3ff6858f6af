import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiDeps } from '../../api/deps.ts';
import type { Route } from '../../api/route.ts';
import { createRoutes } from '../../api/routes.ts';
import { ROLES, type Role } from '../../domain/roles.ts';
import { csrfTokenFor } from '../../security/tokens.ts';
import { uuidV7 } from '../../security/uuid.ts';
import { authorizationDocument } from '../helpers/authorization-document.ts';
import { AUTHORIZATION, type Rule } from '../helpers/authorization-table.ts';
import { createOwnedObjects, type OwnedObjects } from '../helpers/owned-objects.ts';
import type { SignedIn } from '../helpers/people.ts';
import { type IssuedSigningKey, issueSigningKey, signatureHeaders } from '../helpers/signing.ts';
import { createStack, type Stack } from '../helpers/stack.ts';

const METRICS_TOKEN = randomBytes(32).toString('hex');

let stack: Stack;
let objects: OwnedObjects;
let routes: Route[];

beforeAll(async () => {
  stack = await createStack({
    worker: false,
    env: {
      IMPORTER: '1',
      METRICS_TOKEN,
      SECURITY_QUESTIONS: 'additional',
      // Whoever is let in gets no further than to the workflows: nothing is started by the hundred calls below.
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      VERDICT_TIMEOUT: '200ms',
    },
  });
  objects = createOwnedObjects(stack);
  // Only the definitions are looked at; the calls below go to the API of the stack.
  const geo = { status: () => ({ status: 'up', detail: '' }) };
  routes = createRoutes({ config: stack.config, geo, log: pino({ level: 'silent' }) } as unknown as ApiDeps);
});
afterAll(() => stack?.close());

const keyOf = ({ method, path }: Pick<Route, 'method' | 'path'>) => `${method.toUpperCase()} ${path}`;

function ruleOf(route: Route): Rule {
  const rule = AUTHORIZATION[keyOf(route)];
  if (rule === undefined) throw new Error(`${keyOf(route)} has no rule`);
  return rule;
}

const withSession = () => routes.filter((route) => !ruleOf(route).public);
const isWrite = ({ method }: Route) => method !== 'get';
const has = (route: Route, condition: Rule['conditions'][number]) => ruleOf(route).conditions.includes(condition);

/** Who gets past the door still has to bring these, or is told that the body is wrong before anything is looked up. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /api/admin/security/accounts/{user_id}/unlock': { reason: 'asked by telephone' },
  'POST /api/admin/security/accounts/{user_id}/sessions/end': { reason: 'asked by telephone' },
  'POST /api/admin/security/accounts/{user_id}/sessions/{session_id}/end': { reason: 'asked by telephone' },
  'POST /api/admin/security/accounts/{user_id}/restrict': { reason: 'asked by telephone' },
  'POST /api/admin/security/accounts/{user_id}/restore': { step: 'restored' },
  'POST /api/admin/security/incidents/{incidentId}/resolve': { resolution: 'a false alarm' },
  'POST /api/admin/security/transactions/{transactionId}/approve': { reason: 'known to us' },
  'POST /api/admin/security/transactions/{transactionId}/reject': { reason: 'not known to us' },
  'POST /api/admin/users': { email: 'new.reviewer@example.com', fullName: 'New Reviewer', role: 'reviewer' },
  'PATCH /api/admin/users/{id}': { disabled: true },
  'POST /api/admin/users/{id}/reveal': { fields: ['phone'], reason: 'asked by telephone', caseReference: 'CASE-1' },
  'POST /api/transactions': { type: 'withdrawal', amount: '1.00', currency: 'USD' },
  'POST /api/transactions/{transactionId}/factors': { method: 'totp', code: '000000' },
  'POST /api/transactions/{transactionId}/appeal': { reason: 'It was me' },
  'PUT /api/profile': { timeZone: 'Europe/Berlin' },
  'POST /api/profile/reveal': { fields: ['phone'], reason: 'to see what is stored' },
};

interface Call {
  token?: string;
  /** Signs the call where the route asks for it. */
  key?: IssuedSigningKey | undefined;
  headers?: Record<string, string>;
  /** Id in the path; by default one that nothing has. */
  id?: string;
}

async function send(route: Route, { token, key, headers = {}, id = uuidV7() }: Call) {
  const method = route.method.toUpperCase();
  const target = route.path.replaceAll(/\{\w+\}/g, id);
  const body = isWrite(route) && method !== 'DELETE' ? JSON.stringify(BODIES[keyOf(route)] ?? {}) : undefined;
  const toSign = { method, target, ...(body === undefined ? {} : { body }) };
  const response = await fetch(stack.url + target, {
    method,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(key !== undefined && has(route, 'signed') ? signatureHeaders(key, toSign) : {}),
      ...headers,
    },
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (isStream) await response.body?.cancel();
  const text = isStream ? '' : await response.text();
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  return { status: response.status, text, code: isProblem ? (JSON.parse(text).code as string) : undefined };
}

/** Refusals for who somebody is. A wrong body, an unknown id and missing workflows are answers to somebody who may ask. */
const REFUSALS = new Set([
  'session_required',
  'forbidden',
  'password_change_required',
  'step_up_needed',
  'signature_invalid',
  'origin_refused',
  'csrf_invalid',
]);

function verdictOn({ status, code }: Awaited<ReturnType<typeof send>>): string {
  if (status === 500) return 'internal error';
  return code !== undefined && REFUSALS.has(code) ? `${status} ${code}` : 'admitted';
}

interface Cell {
  route: Route;
  caller: string;
  expected: string;
  call: () => Promise<Call>;
}

/**
 * What needs no session is asked at once, since health takes its time while Temporal is away; the rest one after the other,
 * since some calls end the other sessions of their caller.
 *
 * @returns the cells that are not as expected
 */
async function wrongCells(cells: readonly Cell[]): Promise<string[]> {
  const wrong: string[] = [];
  async function check({ route, caller, expected, call }: Cell): Promise<void> {
    const got = verdictOn(await send(route, await call()));
    if (got !== expected) wrong.push(`${keyOf(route)} for ${caller}: ${got}, not ${expected}`);
  }
  const open = Promise.all(cells.filter(({ route }) => ruleOf(route).public).map(check));
  for (const cell of cells) if (!ruleOf(cell.route).public) await check(cell);
  await open;
  return wrong;
}

const people = new Map<Role, { person: SignedIn; key: IssuedSigningKey }>();

/** Somebody of this role with a signing key; the same one throughout. */
async function someone(role: Role) {
  const known = people.get(role);
  if (known !== undefined) return known;
  const person = await stack.people.signedIn(role);
  const made = { person, key: await issueSigningKey(stack.api, person.token) };
  people.set(role, made);
  return made;
}

/** A call in a session of its own, of the first role that the route admits unless another one is named. */
async function callAs(route: Route, options: Parameters<OwnedObjects['session']>[1] = {}, role?: Role): Promise<Call> {
  const { person, key } = await someone(role ?? (ruleOf(route).roles[0] as Role));
  return { key, token: (await objects.session(person.userId, options)).token };
}

test('every route has an entry in the table, every entry a route, and both say the same', () => {
  expect([...new Set(routes.map(keyOf))].sort()).toEqual(Object.keys(AUTHORIZATION).sort());
  for (const route of routes) {
    const { access } = route;
    const rule = ruleOf(route);
    expect(access.kind === 'public', keyOf(route)).toBe(rule.public);
    if (access.kind === 'public') continue;
    expect(
      {
        objects: access.ownership,
        conditions: [
          ...(access.freshFactor ? ['fresh factor'] : []),
          ...(access.recentProof ? ['recent proof'] : []),
          ...(route.signed ? ['signed'] : []),
          ...(route.signedIf ? ['signed payout account'] : []),
          ...(access.passwordChange ? ['one-time password'] : []),
          ...(access.machine ? ['scraper'] : []),
        ],
      },
      keyOf(route),
    ).toEqual({ objects: rule.objects, conditions: rule.conditions });
  }
});

test('docs/authorization.md shows this table', async () => {
  await expect(authorizationDocument(AUTHORIZATION)).toMatchFileSnapshot('../../docs/authorization.md');
});

test('without a session, and with the token of a scraper, only what is open answers', async () => {
  const cells = routes.flatMap((route): Cell[] => {
    const { public: isPublic } = ruleOf(route);
    const refused = '401 session_required';
    return [
      { route, caller: 'nobody', expected: isPublic ? 'admitted' : refused, call: async () => ({}) },
      {
        route,
        caller: 'the scraper',
        expected: isPublic || has(route, 'scraper') ? 'admitted' : refused,
        call: async () => ({ token: METRICS_TOKEN }),
      },
    ];
  });
  expect(await wrongCells(cells)).toEqual([]);
});

test.each(ROLES)('a session of the role %s gets what its column says', async (role) => {
  const cells = routes.map((route): Cell => {
    const rule = ruleOf(route);
    const expected = rule.public || rule.roles.includes(role) ? 'admitted' : '403 forbidden';
    return { route, caller: role, expected, call: () => callAs(route, {}, role) };
  });
  expect(await wrongCells(cells)).toEqual([]);
});

test('a session from a one-time password may choose a password and leave, whatever its role', async () => {
  const cells = ROLES.flatMap((role) =>
    withSession().map((route): Cell => {
      const expected = has(route, 'one-time password') ? 'admitted' : '403 password_change_required';
      return { route, caller: role, expected, call: () => callAs(route, { scope: 'password_change' }, role) };
    }),
  );
  expect(await wrongCells(cells)).toEqual([]);
});

test('a factor of long ago, or none, is asked for again on the routes that need a fresh one, and on no other', async () => {
  const cells = withSession().flatMap((route) =>
    [null, 3_600].map((factorAge): Cell => {
      const expected = has(route, 'fresh factor') ? '403 step_up_needed' : 'admitted';
      return { route, caller: `a factor of ${factorAge} s`, expected, call: () => callAs(route, { factorAge }) };
    }),
  );
  expect(await wrongCells(cells)).toEqual([]);
});

/** They send a code or a challenge, and move nothing. */
const MOVES_NOTHING = ['factors/options', 'factors/resend'];

test('[R6] every call of a customer that moves money, or that changes a signing key, asks for a signature', () => {
  const financial = routes.filter(
    (route) =>
      isWrite(route) &&
      /^\/api\/(transactions|portfolio|signing-keys\/.)/.test(route.path) &&
      !MOVES_NOTHING.some((end) => route.path.endsWith(end)),
  );
  expect(financial.map(keyOf)).toEqual(
    expect.arrayContaining([
      'POST /api/transactions',
      'POST /api/transactions/{transactionId}/factors',
      'POST /api/transactions/{transactionId}/cancel',
      'POST /api/transactions/{transactionId}/appeal',
    ]),
  );
  expect(financial.filter((route) => route.signed !== true).map(keyOf)).toEqual([]);
});

test('[R6] a signed route refuses a call without a signature, and one signed with the key of somebody else', async () => {
  const stranger = await stack.people.signedIn('customer');
  const key = await issueSigningKey(stack.api, stranger.token);
  const cells = withSession()
    .filter((route) => has(route, 'signed'))
    .flatMap((route) =>
      [undefined, key].map((used): Cell => {
        const caller = used === undefined ? 'who signs nothing' : 'who signs with a foreign key';
        const call = async () => ({ ...(await callAs(route)), key: used });
        return { route, caller, expected: '401 signature_invalid', call };
      }),
    );
  expect(cells).not.toEqual([]);
  expect(await wrongCells(cells)).toEqual([]);
});

test('every write with a cookie needs the Origin of this site and the CSRF token of its own session', async () => {
  const foreign = csrfTokenFor(stack.keyring, uuidV7());
  const attempts: readonly [string, (csrf: string) => Record<string, string>, string][] = [
    ['neither', () => ({}), '403 origin_refused'],
    ['no Origin', (csrf) => ({ 'X-CSRF-Token': csrf }), '403 origin_refused'],
    ['a foreign Origin', (csrf) => ({ Origin: 'https://evil.example', 'X-CSRF-Token': csrf }), '403 origin_refused'],
    ['no CSRF token', () => ({ Origin: stack.url }), '403 csrf_invalid'],
    ['a foreign CSRF token', () => ({ Origin: stack.url, 'X-CSRF-Token': foreign }), '403 csrf_invalid'],
    ['both', (csrf) => ({ Origin: stack.url, 'X-CSRF-Token': csrf }), 'admitted'],
  ];
  const cells = withSession()
    .filter(isWrite)
    .flatMap((route) =>
      attempts.map(([caller, headersFor, expected]): Cell => {
        const call = async () => {
          const { person, key } = await someone(ruleOf(route).roles[0] as Role);
          const { id, token } = await objects.session(person.userId, { channel: 'cookie' });
          const headers = { Cookie: `tradeguard=${token}`, ...headersFor(csrfTokenFor(stack.keyring, id)) };
          return { key, headers };
        };
        return { route, caller: `a cookie with ${caller}`, expected, call };
      }),
    );
  expect(await wrongCells(cells)).toEqual([]);
});

test('an object of somebody else does not exist, for customers and for staff alike', async () => {
  const owner = await stack.people.signedIn('customer');
  const ownKey = await issueSigningKey(stack.api, owner.token);
  const named = withSession().filter((route) => ruleOf(route).objects === 'own' && route.path.includes('{'));
  expect(named.length).toBeGreaterThan(10);
  for (const route of named) {
    const id = await objects.objectOf(route.path, owner);
    for (const role of ruleOf(route).roles) {
      const { status, code } = await send(route, { ...(await callAs(route, {}, role)), id });
      expect(`${status} ${code}`, `${keyOf(route)} for another ${role}`).toBe('404 not_found');
    }
    // It was there all along.
    const answer = await send(route, { token: owner.token, key: ownKey, id });
    expect([verdictOn(answer), answer.status === 404], `${keyOf(route)} for its owner`).toEqual(['admitted', false]);
  }
});

test('lists and views of own objects show those of nobody else, and writes leave them alone', async () => {
  const owner = await stack.people.signedIn('customer');
  const ids = new Map<string, string>();
  for (const list of objects.lists) ids.set(list, await objects.objectOf(`${list}/{id}`, owner));
  const unnamed = withSession().filter((route) => ruleOf(route).objects === 'own' && !route.path.includes('{'));
  const views = unnamed.filter((route) => !isWrite(route));
  const shown = () => Promise.all(views.map(async (route) => (await send(route, { token: owner.token })).text));

  const before = await shown();
  for (const [path, id] of ids) expect(before[views.findIndex((view) => view.path === path)], path).toContain(id);
  for (const route of unnamed) {
    for (const role of ruleOf(route).roles) {
      const { text } = await send(route, await callAs(route, {}, role));
      for (const secret of [owner.email, owner.userId, ...ids.values()]) {
        expect(text, `${keyOf(route)} for another ${role}`).not.toContain(secret);
      }
    }
  }
  expect(await shown()).toEqual(before);
});

import { z } from 'zod';
import { revokeSessions } from '../db/sessions.ts';
import { iso, isoOrNull, row, rows } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { csrfTokenFor } from '../security/tokens.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { type Principal, principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { createTokenDelivery } from './session-tokens.ts';

const sessionSchema = z.object({
  sessionId: z.uuid(),
  current: z.boolean(),
  channel: z.enum(['cookie', 'bearer']),
  scope: z.enum(['full', 'password_change']),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  deviceId: z.uuid().nullable(),
  createdAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime().describe('When it was last used, to the minute'),
  factorAt: z.iso.datetime().nullable().describe('When a second factor was proven last'),
  expiresAt: z.iso.datetime(),
});
const meSchema = z.object({
  userId: z.uuid(),
  email: z.string(),
  fullName: z.string(),
  role: z.enum(ROLES),
  sessionId: z.uuid(),
  scope: z.enum(['full', 'password_change']).describe('password_change: nothing but choosing a password is allowed'),
  channel: z.enum(['cookie', 'bearer']),
  factorAt: z.iso.datetime().nullable().describe('When a second factor was proven last in this session'),
  csrfToken: z.string().optional().describe('Browsers only: what writes carry as X-CSRF-Token'),
});
nameSchemas({ Session: sessionSchema, Me: meSchema });
const listQuery = z.object(pageQuery);
const sessionPath = z.object({ id: z.uuid() });

interface SessionRow {
  id: string;
  channel: 'cookie' | 'bearer';
  scope: 'full' | 'password_change';
  ip: string | null;
  user_agent: string | null;
  device_id: string | null;
  created_at: string;
  last_seen_at: string;
  factor_at: string | null;
  expires_at: string;
}

const OPEN_SESSIONS = `select id, channel, scope, host(ip) as ip, user_agent, device_id, created_at, last_seen_at,
  factor_at, expires_at from session where user_id = $1 and revoked_at is null and expires_at > clock_timestamp()`;

const ANYBODY = { kind: 'session', roles: ROLES, ownership: 'own' } as const;

/** The caller's own open sessions. Somebody else's do not exist here. */
export function createSessionRoutes({ config, db, keyring, audit }: ApiDeps): Route[] {
  const delivery = createTokenDelivery({ keyring, production: config.production });

  async function list(context: RouteContext<unknown, z.output<typeof listQuery>>): Promise<Reply> {
    const principal = principalOf(context);
    const { limit, cursor } = context.query;
    const after = decodeCursor(cursor);
    const found = await rows<SessionRow>(
      db.fork(),
      `${OPEN_SESSIONS} and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
       order by created_at desc, id desc limit $4`,
      [principal.userId, after?.at ?? null, after?.id ?? null, limit + 1],
    );
    const page = pageOf(found, limit, ({ created_at, id }) => ({ at: created_at, id }));
    return { status: 200, body: { ...page, items: page.items.map((item) => view(item, principal)) } };
  }

  async function read(context: RouteContext<z.output<typeof sessionPath>>): Promise<Reply> {
    const principal = principalOf(context);
    const found = await row<SessionRow>(db.fork(), `${OPEN_SESSIONS} and id = $2`, [
      principal.userId,
      context.params.id,
    ]);
    if (found === undefined) throw unknownSession();
    return { status: 200, body: view(found, principal) };
  }

  async function end(
    context: RouteContext,
    which: { only?: string; except?: string },
    reason: 'logout' | 'revoked',
  ): Promise<number> {
    const { userId } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    const actor = { kind: 'user', id: userId } as const;
    return db.transaction((tx) =>
      revokeSessions(tx, audit, { userId, actor, ip, userAgent, requestId, reason, ...which }),
    );
  }

  function me({ userId, email, fullName, role, sessionId, scope, channel, factorAt }: Principal) {
    const csrf = channel === 'cookie' ? { csrfToken: csrfTokenFor(keyring, sessionId) } : {};
    return {
      ...{ userId, email, fullName, role, sessionId, scope, channel },
      ...{ factorAt: factorAt?.toISOString() ?? null, ...csrf },
    };
  }

  async function revoke(context: RouteContext<z.output<typeof sessionPath>>): Promise<Reply> {
    if ((await end(context, { only: context.params.id }, 'revoked')) === 0) throw unknownSession();
    return { status: 204, ...clearing(context, context.params.id === principalOf(context).sessionId) };
  }

  async function revokeOthers(context: RouteContext): Promise<Reply> {
    await end(context, { except: principalOf(context).sessionId }, 'revoked');
    return { status: 204 };
  }

  async function logout(context: RouteContext): Promise<Reply> {
    await end(context, { only: principalOf(context).sessionId }, 'logout');
    return { status: 204, ...clearing(context, true) };
  }

  function clearing(context: RouteContext, own: boolean): Pick<Reply, 'cookies'> {
    return own && principalOf(context).channel === 'cookie' ? { cookies: [delivery.clearedSession()] } : {};
  }

  return [
    route({
      method: 'get',
      path: '/api/auth/sessions',
      name: 'listSessions',
      summary: 'The own open sessions, newest first',
      access: ANYBODY,
      query: listQuery,
      responses: {
        200: {
          description: 'A page',
          schema: listSchema('SessionList', sessionSchema),
        },
      },
      handler: list,
    }),
    route({
      method: 'get',
      path: '/api/auth/sessions/{id}',
      name: 'getSession',
      summary: 'One of the own sessions',
      access: ANYBODY,
      params: sessionPath,
      responses: { 200: { description: 'The session', schema: sessionSchema }, 404: { description: 'not_found' } },
      handler: read,
    }),
    route({
      method: 'delete',
      path: '/api/auth/sessions/{id}',
      name: 'revokeSession',
      summary: 'End one of the own sessions',
      access: ANYBODY,
      params: sessionPath,
      responses: { 204: { description: 'Ended', headers: ['SetCookie'] }, 404: { description: 'not_found' } },
      handler: revoke,
    }),
    route({
      method: 'delete',
      path: '/api/auth/sessions',
      name: 'revokeOtherSessions',
      summary: 'End all own sessions but this one',
      access: ANYBODY,
      responses: { 204: { description: 'Ended' } },
      handler: revokeOthers,
    }),
    route({
      method: 'post',
      path: '/api/auth/logout',
      name: 'logout',
      summary: 'End this session',
      access: { ...ANYBODY, passwordChange: true },
      responses: { 204: { description: 'Ended', headers: ['SetCookie'] } },
      handler: logout,
    }),
    route({
      method: 'get',
      path: '/api/auth/me',
      name: 'getMe',
      summary: 'Whose session this is, and what it may do',
      access: { ...ANYBODY, passwordChange: true },
      responses: { 200: { description: 'The person and the session', schema: meSchema } },
      handler: async (context) => ({ status: 200, body: me(principalOf(context)) }),
    }),
    route({
      method: 'get',
      path: '/api/auth/csrf',
      name: 'getCsrfToken',
      summary: 'The token that writes with a cookie carry as X-CSRF-Token',
      access: { ...ANYBODY, passwordChange: true },
      responses: { 200: { description: 'The token', schema: z.object({ csrfToken: z.string() }) } },
      handler: async (context) => ({
        status: 200,
        body: { csrfToken: csrfTokenFor(keyring, principalOf(context).sessionId) },
      }),
    }),
  ];
}

function view(found: SessionRow, { sessionId }: Principal) {
  return {
    sessionId: found.id,
    current: found.id === sessionId,
    channel: found.channel,
    scope: found.scope,
    ip: found.ip,
    userAgent: found.user_agent,
    deviceId: found.device_id,
    createdAt: iso(found.created_at),
    lastSeenAt: iso(found.last_seen_at),
    factorAt: isoOrNull(found.factor_at),
    expiresAt: iso(found.expires_at),
  };
}

function unknownSession(): DomainError {
  return new DomainError('not_found', 'You have no such session.');
}

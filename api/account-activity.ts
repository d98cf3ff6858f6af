import { z } from 'zod';
import {
  type AccountDeviceRow,
  type AccountSessionRow,
  accountDevices,
  accountExists,
  accountLogins,
  accountSessions,
} from '../db/account-directory.ts';
import { revokeSessions } from '../db/sessions.ts';
import { iso, isoOrNull, row } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { workflowIds } from '../workflows/contract.ts';
import { ACCOUNTS, STAFF, unknownAccount } from './account-directory.ts';
import { accountPath } from './account-schema.ts';
import { decodeCursor, type Position, pageOf, pageQuery } from './cursor.ts';
import { loginAttempt } from './dashboard-schema.ts';
import { attemptView } from './dashboard-views.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';

const time = z.iso.datetime();
const listQuery = z.strictObject(pageQuery);
const sessionPath = accountPath.extend({ session_id: z.uuid() });
const endBody = z.strictObject({ reason: textInput(1, 1000) });

const accountSession = z.object({
  sessionId: z.uuid(),
  channel: z.enum(['cookie', 'bearer']),
  scope: z.enum(['full', 'password_change']),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  deviceId: z.uuid().nullable(),
  loginId: z.uuid().nullable(),
  workflowId: z.string().nullable().describe('Of the login that opened it'),
  createdAt: time,
  lastSeenAt: time.describe('When it was last used, to the minute'),
  factorAt: time.nullable().describe('When a second factor was proven last'),
  expiresAt: time,
});
const accountDevice = z.object({
  deviceId: z.uuid(),
  components: z.object({
    browser: z.string(),
    os: z.string(),
    resolution: z.string(),
    timezone: z.string(),
    platform: z.string(),
    plugins: z.array(z.string()),
  }),
  trusted: z.boolean().describe('Its owner said that it is theirs'),
  trustedAt: time.nullable(),
  firstSeenAt: time,
  lastSeenAt: time.describe('The last login that passed'),
  openSessions: z.number().int(),
});
const endedSessions = z.object({
  userId: z.uuid(),
  ended: z.number().int().describe('0 where there was nothing left to end'),
});

nameSchemas({ AccountSession: accountSession, AccountDevice: accountDevice, EndedSessions: endedSessions });

type AccountContext = RouteContext<z.output<typeof accountPath>, z.output<typeof listQuery>>;

/** What an account did and has open, for staff; an administrator ends its sessions. */
export function createAccountActivityRoutes({ db, audit }: ApiDeps): Route[] {
  /** One page of a list of somebody's. */
  async function pageFor<R extends { id: string }, V>(
    { params, query: { limit, cursor } }: AccountContext,
    read: (userId: string, page: { limit: number; after: Position | null }) => Promise<R[]>,
    at: (one: R) => string,
    view: (one: R) => V,
  ) {
    const found = await read(params.user_id, { limit: limit + 1, after: decodeCursor(cursor) });
    if (found.length === 0 && !(await accountExists(db.fork(), params.user_id))) throw unknownAccount();
    const page = pageOf(found, limit, (one) => ({ at: at(one), id: one.id }));
    return { status: 200, body: { ...page, items: page.items.map(view) } };
  }

  /** @param only one session, or all of them */
  async function end(
    context: RouteContext<z.output<typeof accountPath>, unknown, z.output<typeof endBody>>,
    only?: string,
  ) {
    const { user_id: userId } = context.params;
    const { ip, userAgent, requestId } = context.request;
    const ended = await db.transaction(async (tx) => {
      // Under the owner's row, as every change of their sessions that others make.
      const owner = await row(tx, 'select 1 from app_user where id = $1 for no key update', [userId]);
      if (owner === undefined) throw unknownAccount();
      if (only !== undefined) {
        const known = await row(tx, 'select 1 from session where id = $1 and user_id = $2', [only, userId]);
        if (known === undefined) throw new DomainError('not_found', 'This account has no such session.');
      }
      return revokeSessions(tx, audit, {
        ...{ userId, ip, userAgent, requestId },
        ...(only === undefined ? {} : { only }),
        actor: { kind: 'user', id: principalOf(context as RouteContext).userId },
        reason: 'ended_by_admin',
        statedReason: context.body.reason,
      });
    });
    return { status: 200, body: { userId, ended } };
  }

  const list = (
    what: string,
    name: string,
    summary: string,
    item: z.ZodType,
    handler: (c: AccountContext) => ReturnType<typeof pageFor>,
  ) =>
    route({
      method: 'get',
      path: `${ACCOUNTS}/{user_id}/${what}`,
      name,
      summary,
      access: STAFF,
      params: accountPath,
      query: listQuery,
      responses: {
        200: { description: 'One page', schema: z.object({ items: z.array(item), nextCursor: z.string().nullable() }) },
        404: { description: 'not_found' },
      },
      handler,
    });
  const admins = { kind: 'session', roles: ['admin'], ownership: 'any' } as const;
  const responses = {
    200: { description: 'Ended; a repeat ends nothing more', schema: endedSessions },
    404: { description: 'not_found' },
  };

  return [
    list(
      'sessions',
      'listAccountSessions',
      'The open sessions of an account, newest first',
      accountSession,
      (context) =>
        pageFor(
          context,
          (userId, page) => accountSessions(db.fork(), userId, page),
          ({ created_at }) => created_at,
          sessionView,
        ),
    ),
    list('devices', 'listAccountDevices', 'The devices of an account, seen last first', accountDevice, (context) =>
      pageFor(
        context,
        (userId, page) => accountDevices(db.fork(), userId, page),
        ({ last_seen_at }) => last_seen_at,
        deviceView,
      ),
    ),
    list(
      'logins',
      'listAccountLogins',
      'The logins of an account, however they ended, newest first',
      loginAttempt,
      (context) =>
        pageFor(
          context,
          (userId, page) => accountLogins(db.fork(), userId, page),
          ({ started_at }) => started_at,
          attemptView,
        ),
    ),
    route({
      method: 'post',
      path: `${ACCOUNTS}/{user_id}/sessions/end`,
      name: 'endAccountSessions',
      summary: 'End all sessions of an account',
      access: admins,
      params: accountPath,
      body: endBody,
      responses,
      handler: (context) => end(context),
    }),
    route({
      method: 'post',
      path: `${ACCOUNTS}/{user_id}/sessions/{session_id}/end`,
      name: 'endAccountSession',
      summary: 'End one session of an account',
      access: admins,
      params: sessionPath,
      body: endBody,
      responses,
      handler: (context) => end(context, context.params.session_id),
    }),
  ];
}

function sessionView(one: AccountSessionRow): z.output<typeof accountSession> {
  return {
    sessionId: one.id,
    channel: one.channel,
    scope: one.scope,
    ip: one.ip,
    userAgent: one.user_agent,
    deviceId: one.device_id,
    loginId: one.login_id,
    workflowId: one.login_id === null ? null : workflowIds.login(one.login_id),
    createdAt: iso(one.created_at),
    lastSeenAt: iso(one.last_seen_at),
    factorAt: isoOrNull(one.factor_at),
    expiresAt: iso(one.expires_at),
  };
}

function deviceView(one: AccountDeviceRow): z.output<typeof accountDevice> {
  const { browser, os, resolution, timezone, platform, plugins } = one.components;
  return {
    deviceId: one.id,
    components: { browser, os, resolution, timezone, platform, plugins: [...plugins] },
    trusted: one.trusted_at !== null,
    trustedAt: isoOrNull(one.trusted_at),
    firstSeenAt: iso(one.first_seen_at),
    lastSeenAt: iso(one.last_seen_at),
    openSessions: one.open_sessions,
  };
}

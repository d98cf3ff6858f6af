import { z } from 'zod';
import type { AuditEvent } from '../db/audit.ts';
import { revokeDevice, trustDevice } from '../db/devices.ts';
import { revokeSessions } from '../db/sessions.ts';
import { iso, isoOrNull, row, rows, run } from '../db/sql.ts';
import type { DeviceComponents } from '../domain/device.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import { createTokenDelivery } from './session-tokens.ts';

const deviceSchema = z.object({
  deviceId: z.uuid(),
  current: z.boolean().describe('This session was opened on it'),
  components: z.object({
    browser: z.string(),
    os: z.string(),
    resolution: z.string().describe('width x height x colour depth; the longer side first'),
    timezone: z.string(),
    platform: z.string(),
    plugins: z.array(z.string()),
  }),
  trusted: z.boolean(),
  trustedAt: z.iso.datetime().nullable(),
  firstSeenAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime().describe('The last login that passed'),
});
nameSchemas({ Device: deviceSchema });
const listQuery = z.object(pageQuery);
const devicePath = z.object({ id: z.uuid() });

interface DeviceRow {
  id: string;
  components: DeviceComponents;
  trusted_at: string | null;
  first_seen_at: string;
  last_seen_at: string;
  current: boolean;
}

/** $1: the owner, $2: the session that asks. */
const OWN_DEVICES = `select id, components, trusted_at, first_seen_at, last_seen_at,
    exists (select from session s where s.id = $2 and s.device_id = device.id) as current
  from device where user_id = $1 and revoked_at is null`;

const ANYBODY = { kind: 'session', roles: ROLES, ownership: 'own' } as const;

/** The devices that the caller signed in from. Somebody else's do not exist here. */
export function createDeviceRoutes({ config, db, keyring, audit }: ApiDeps): Route[] {
  const delivery = createTokenDelivery({ keyring, production: config.production });

  async function list(context: RouteContext<unknown, z.output<typeof listQuery>>): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    const { limit, cursor } = context.query;
    const after = decodeCursor(cursor);
    const found = await rows<DeviceRow>(
      db.fork(),
      `${OWN_DEVICES} and ($3::timestamptz is null or (last_seen_at, id) < ($3, $4::uuid))
       order by last_seen_at desc, id desc limit $5`,
      [userId, sessionId, after?.at ?? null, after?.id ?? null, limit + 1],
    );
    const page = pageOf(found, limit, ({ last_seen_at, id }) => ({ at: last_seen_at, id }));
    return { status: 200, body: { ...page, items: page.items.map(view) } };
  }

  function event(context: RouteContext<{ id: string }>, action: string): AuditEvent {
    const { userId } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    return {
      action,
      actor: { kind: 'user', id: userId },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...{ ip, userAgent, requestId },
      details: { deviceId: context.params.id },
    };
  }

  async function trust(context: RouteContext<z.output<typeof devicePath>>): Promise<Reply> {
    const { userId, sessionId } = principalOf(context);
    const { id } = context.params;
    const device = await db.transaction(async (tx) => {
      const trusted = await trustDevice(tx, userId, id);
      if (trusted === undefined) throw unknownDevice();
      if (!trusted.alreadyTrusted) await audit.append(tx, event(context, 'device.trusted'));
      return row<DeviceRow>(tx, `${OWN_DEVICES} and id = $3`, [userId, sessionId, id]);
    });
    if (device === undefined) throw unknownDevice();
    return { status: 200, body: view(device) };
  }

  async function revoke(context: RouteContext<z.output<typeof devicePath>>): Promise<Reply> {
    const { userId, sessionId, channel } = principalOf(context);
    const { ip, userAgent, requestId } = context.request;
    const { id } = context.params;
    const endsOwn = await db.transaction(async (tx) => {
      await run(tx, 'select 1 from app_user where id = $1 for no key update', [userId]);
      const own = await row(tx, 'select 1 from session where id = $1 and device_id = $2', [sessionId, id]);
      if (!(await revokeDevice(tx, userId, id))) throw unknownDevice();
      await audit.append(tx, event(context, 'device.revoked'));
      const actor = { kind: 'user', id: userId } as const;
      await revokeSessions(tx, audit, {
        userId,
        onDevice: id,
        reason: 'device_revoked',
        actor,
        ip,
        userAgent,
        requestId,
      });
      return own !== undefined;
    });
    return { status: 204, ...(endsOwn && channel === 'cookie' ? { cookies: [delivery.clearedSession()] } : {}) };
  }

  return [
    route({
      method: 'get',
      path: '/api/devices',
      name: 'listDevices',
      summary: 'The own devices, seen last first',
      access: ANYBODY,
      query: listQuery,
      responses: {
        200: {
          description: 'A page',
          schema: listSchema('DeviceList', deviceSchema),
        },
      },
      handler: list,
    }),
    route({
      method: 'post',
      path: '/api/devices/{id}/trust',
      name: 'trustDevice',
      summary: 'Say that a device is yours; lost again when it changes beyond belief',
      access: ANYBODY,
      params: devicePath,
      responses: { 200: { description: 'Trusted', schema: deviceSchema }, 404: { description: 'not_found' } },
      handler: trust,
    }),
    route({
      method: 'delete',
      path: '/api/devices/{id}',
      name: 'revokeDevice',
      summary: 'Forget a device and end its sessions',
      access: ANYBODY,
      params: devicePath,
      responses: { 204: { description: 'Forgotten', headers: ['SetCookie'] }, 404: { description: 'not_found' } },
      handler: revoke,
    }),
  ];
}

function view(found: DeviceRow) {
  const { browser, os, resolution, timezone, platform, plugins } = found.components;
  return {
    deviceId: found.id,
    current: found.current,
    components: { browser, os, resolution, timezone, platform, plugins },
    trusted: found.trusted_at !== null,
    trustedAt: isoOrNull(found.trusted_at),
    firstSeenAt: iso(found.first_seen_at),
    lastSeenAt: iso(found.last_seen_at),
  };
}

function unknownDevice(): DomainError {
  return new DomainError('not_found', 'You have no such device.');
}

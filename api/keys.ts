import { z } from 'zod';
import {
  type KeyRotationRow,
  listGenerations,
  listRotations,
  ROTATION_SCOPES,
  rotationById,
} from '../db/key-rotations.ts';
import { listOutsideSecrets } from '../db/outside-secrets.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { KEY_PURPOSES } from '../security/keyring.ts';
import { uuidV7 } from '../security/uuid.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, type RouteContext, route } from './route.ts';

const BASE = '/api/admin/keys';
const READERS = { kind: 'session', roles: ['admin', 'auditor'], ownership: 'any' } as const;
const OPERATORS = { kind: 'session', roles: ['admin'], ownership: 'any', freshFactor: true } as const;

const keySchema = z.object({
  keyId: z.uuid(),
  purpose: z.enum(KEY_PURPOSES),
  version: z.int(),
  state: z.enum(['pending', 'active', 'retired']),
  rotated: z.boolean().describe('Whether a rotation renews keys of this purpose'),
  createdAt: z.iso.datetime(),
  activeFrom: z.iso.datetime(),
  retiredAt: z.iso.datetime().nullable(),
});
const secretSchema = z.object({ name: z.string(), since: z.iso.datetime(), ageDays: z.int() });
const rotationSchema = z.object({
  rotationId: z.uuid(),
  workflowId: z.string().nullable().describe('Null for a run at a terminal'),
  status: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  scope: z.enum(ROTATION_SCOPES),
  trigger: z.enum(['schedule', 'manual', 'cli']),
  requestedBy: z.uuid().nullable(),
  activeFrom: z.iso.datetime().describe('When the new keys are used'),
  fieldsTotal: z.int().nullable().describe('Null until it has counted them'),
  fieldsDone: z.int(),
  fieldsUnreadable: z.int().describe('Altered in the database: left as they are, under the old key'),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  reason: z.string().nullable(),
});
nameSchemas({ Key: keySchema, SecretAge: secretSchema, KeyRotation: rotationSchema });

/** Keys that the program renews by itself, and the age of secrets that it cannot renew. No key is ever shown. */
export function createKeyRoutes({ db, audit, gateway }: ApiDeps): Route[] {
  async function known(rotationId: string): Promise<KeyRotationRow> {
    const found = await rotationById(db.fork(), rotationId);
    if (found === undefined) throw new DomainError('not_found', 'There is no such rotation.');
    return found;
  }

  async function cancel(context: RouteContext<{ rotationId: string }>) {
    const rotation = await known(context.params.rotationId);
    const isRunning = rotation.status === 'running' && rotation.workflow_id !== null;
    if (!isRunning || !(await gateway.cancelRun(rotation.workflow_id ?? ''))) {
      throw new DomainError('illegal_transition', 'This rotation has ended already.');
    }
    await audit.append(db.fork(), {
      action: 'key_rotation.cancel_requested',
      actor: { kind: 'user', id: principalOf(context).userId },
      subject: { kind: 'key_rotation', id: rotation.id },
      outcome: 'success',
      ip: context.request.ip,
      userAgent: context.request.userAgent,
      requestId: context.request.requestId,
    });
    return { status: 202, body: view(rotation) };
  }

  return [
    route({
      method: 'get',
      path: BASE,
      name: 'listKeys',
      summary: 'Generations of every key, and the age of secrets that only outsiders can change',
      access: READERS,
      responses: {
        200: {
          description: 'Newest generation of a purpose first',
          schema: z.object({ keys: z.array(keySchema), secrets: z.array(secretSchema) }),
        },
      },
      handler: async () => ({
        status: 200,
        body: {
          keys: (await listGenerations(db.fork())).map((key) => ({
            ...key,
            createdAt: iso(key.createdAt),
            activeFrom: iso(key.activeFrom),
            retiredAt: isoOrNull(key.retiredAt),
          })),
          secrets: await listOutsideSecrets(db.fork()),
        },
      }),
    }),
    route({
      method: 'post',
      path: `${BASE}/rotations`,
      name: 'startKeyRotation',
      summary: 'Renew keys now; needs a fresh factor',
      access: OPERATORS,
      body: z.strictObject({ scope: z.enum(ROTATION_SCOPES).default('all') }),
      responses: {
        202: { description: 'It has begun: see Location', schema: rotationSchema, headers: ['Location'] },
        409: { description: 'rotation_running' },
      },
      handler: async (context) => {
        const rotationId = uuidV7();
        const { userId } = principalOf(context);
        const acceptance = await gateway.startKeyRotation(rotationId, context.body.scope, userId);
        if (acceptance.status === 'refused') throw new DomainError('rotation_running', acceptance.detail);
        return {
          status: 202,
          headers: { Location: `${BASE}/rotations/${rotationId}` },
          body: view(await known(rotationId)),
        };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/rotations`,
      name: 'listKeyRotations',
      summary: 'Rotations, newest first',
      access: READERS,
      query: z.object(pageQuery),
      responses: {
        200: {
          description: 'A page',
          schema: listSchema('KeyRotationList', rotationSchema),
        },
      },
      handler: async ({ query: { limit, cursor } }) => {
        const before = decodeCursor(cursor) ?? null;
        const found = await listRotations(db.fork(), { limit: limit + 1, before });
        const page = pageOf(found, limit, ({ started_at, id }) => ({ at: started_at, id }));
        return { status: 200, body: { ...page, items: page.items.map(view) } };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/rotations/{rotationId}`,
      name: 'getKeyRotation',
      summary: 'Progress or result of a rotation',
      access: READERS,
      params: z.object({ rotationId: z.uuid() }),
      responses: { 200: { description: 'As it stands', schema: rotationSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: view(await known(params.rotationId)) }),
    }),
    route({
      method: 'post',
      path: `${BASE}/rotations/{rotationId}/cancel`,
      name: 'cancelKeyRotation',
      summary: 'Stop a rotation; the new keys stay, the next rotation re-encrypts what is left',
      access: OPERATORS,
      params: z.object({ rotationId: z.uuid() }),
      body: z.strictObject({}),
      responses: {
        202: { description: 'It is being stopped', schema: rotationSchema },
        404: { description: 'Unknown' },
        409: { description: 'It has ended already' },
      },
      handler: cancel,
    }),
  ];
}

function view(rotation: KeyRotationRow): z.input<typeof rotationSchema> {
  return {
    rotationId: rotation.id,
    workflowId: rotation.workflow_id,
    status: rotation.status,
    scope: rotation.scope,
    trigger: rotation.trigger,
    requestedBy: rotation.requested_by,
    activeFrom: iso(rotation.active_from),
    fieldsTotal: rotation.fields_total === null ? null : Number(rotation.fields_total),
    fieldsDone: Number(rotation.fields_done),
    fieldsUnreadable: Number(rotation.fields_unreadable),
    startedAt: iso(rotation.started_at),
    finishedAt: isoOrNull(rotation.finished_at),
    reason: rotation.reason,
  };
}

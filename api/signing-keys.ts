import { z } from 'zod';
import {
  findSigningKey,
  type IssuedKey,
  issueSigningKey,
  listSigningKeys,
  revokeSigningKey,
  rotateSigningKey,
  type SigningKeyActor,
} from '../db/signing-keys.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const BASE = '/api/signing-keys';

const keySchema = z.object({
  keyId: z.uuid(),
  status: z.enum(['active', 'rotating', 'revoked']),
  replaces: z.uuid().nullable(),
  createdAt: z.iso.datetime(),
  acceptedUntil: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
});
const issuedSchema = keySchema.extend({
  secret: z.string().describe('32 bytes in base64url: the decoded bytes are the HMAC key. Shown this once.'),
  audience: z.string().describe('Sixth line of the signed text'),
});
nameSchemas({ SigningKey: keySchema, IssuedSigningKey: issuedSchema });
const pathParams = z.object({ keyId: z.uuid() });
const noBody = z.strictObject({});

/** The caller's request-signing keys. Everybody has only own ones; a key of somebody else is not found. */
export function createSigningKeyRoutes({ config, db, keyring, audit }: ApiDeps): Route[] {
  const audience = config.signingAudience ?? config.publicOrigin;

  function shownOnce({ key, secret }: IssuedKey): Reply {
    return { status: 201, body: { ...key, secret, audience } };
  }

  return [
    route({
      method: 'post',
      path: BASE,
      name: 'issueSigningKey',
      summary: 'A new key for signing requests; its secret is shown in this answer and never again',
      access: { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true },
      body: noBody,
      responses: {
        201: { description: 'The key with its secret', schema: issuedSchema },
        403: { description: 'A second factor is needed first' },
        409: { description: 'Too many keys' },
      },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const by = actorOf(context);
        return shownOnce(await db.transaction((tx) => issueSigningKey(tx, { keyring, audit }, { userId, by })));
      },
    }),
    route({
      method: 'get',
      path: BASE,
      name: 'listSigningKeys',
      summary: 'The signing keys of the caller, newest first',
      access: { kind: 'session', roles: ROLES, ownership: 'own' },
      query: z.object(pageQuery),
      responses: {
        200: {
          description: 'One page',
          schema: listSchema('SigningKeyList', keySchema),
        },
      },
      handler: async (context) => {
        const { limit, cursor } = context.query;
        const { userId } = principalOf(context);
        const found = await listSigningKeys(db.fork(), { userId, after: decodeCursor(cursor), limit });
        const page = pageOf(found, limit, ({ position }) => position);
        return { status: 200, body: { items: page.items.map(({ key }) => key), nextCursor: page.nextCursor } };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/{keyId}`,
      name: 'getSigningKey',
      summary: 'One signing key of the caller',
      access: { kind: 'session', roles: ROLES, ownership: 'own' },
      params: pathParams,
      responses: { 200: { description: 'The key', schema: keySchema }, 404: { description: 'Unknown' } },
      handler: async (context) => {
        const key = await findSigningKey(db.fork(), principalOf(context).userId, context.params.keyId);
        if (key === undefined) throw new DomainError('not_found', 'You have no such signing key.');
        return { status: 200, body: key };
      },
    }),
    route({
      method: 'post',
      path: `${BASE}/{keyId}/rotate`,
      name: 'rotateSigningKey',
      summary: 'A successor of an active key; the old secret goes on working for a while',
      access: { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true },
      signed: true,
      params: pathParams,
      body: noBody,
      responses: {
        201: { description: 'The new key with its secret', schema: issuedSchema },
        404: { description: 'Unknown' },
        409: { description: 'The key is not active, or there are too many keys' },
      },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const given = {
          userId,
          keyId: context.params.keyId,
          overlapMs: config.signingKeyOverlap,
          by: actorOf(context),
        };
        return shownOnce(await db.transaction((tx) => rotateSigningKey(tx, { keyring, audit }, given)));
      },
    }),
    route({
      method: 'delete',
      path: `${BASE}/{keyId}`,
      name: 'revokeSigningKey',
      summary: 'Revokes a key at once',
      access: { kind: 'session', roles: ROLES, ownership: 'own' },
      signed: true,
      params: pathParams,
      responses: { 204: { description: 'Revoked, now or before' }, 404: { description: 'Unknown' } },
      handler: async (context) => {
        const { userId } = principalOf(context);
        const given = { userId, keyId: context.params.keyId, by: actorOf(context) };
        await db.transaction((tx) => revokeSigningKey(tx, { audit }, given));
        return { status: 204 };
      },
    }),
  ];
}

function actorOf(context: RouteContext): SigningKeyActor {
  const { ip, userAgent, requestId } = context.request;
  return { actor: { kind: 'user', id: principalOf(context).userId }, ip, userAgent, requestId };
}

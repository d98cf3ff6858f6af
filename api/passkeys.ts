import type { RegistrationResponseJSON } from '@simplewebauthn/server';
import { z } from 'zod';
import { dropOrphanedRecoveryCodes } from '../db/owned-factors.ts';
import {
  countPasskeys,
  listPasskeys,
  MAX_PASSKEYS,
  registerPasskey,
  registrationOptions,
  removePasskey,
} from '../db/passkeys.ts';
import type { Tx } from '../db/sql.ts';
import { passkeyLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { factorDeps, factsOf } from './factor-deps.ts';
import { attestationInput, textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';

const PATH = '/api/auth/mfa/webauthn';
const ANYBODY = { kind: 'session', roles: ROLES, ownership: 'own' } as const;
const FRESH = { ...ANYBODY, freshFactor: true } as const;
/** How long somebody may look for their security key. */
const REGISTRATION_MS = 300_000;

const confirmBody = z.strictObject({ name: textInput(1, 60), credential: attestationInput });
const params = z.object({ passkeyId: z.uuid() });
const creationOptions = z.looseObject({ challenge: z.string() }).describe('For `navigator.credentials.create`');
const passkeySchema = z.object({
  passkeyId: z.uuid(),
  name: z.string(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
});
nameSchemas({ PasskeyCreationOptions: creationOptions, Passkey: passkeySchema });

/** The caller's passkeys: register, list, remove. */
export function createPasskeyRoutes(deps: ApiDeps): Route[] {
  const { db, audit, outbox } = deps;
  const passkeys = factorDeps(deps);
  const occasionOf = (context: RouteContext) => {
    const { sessionId, userId } = principalOf(context);
    return { purpose: 'registration', subjectId: sessionId, userId } as const;
  };

  async function options(context: RouteContext): Promise<Reply> {
    const { email, fullName } = principalOf(context);
    const occasion = occasionOf(context);
    const given = { occasion, email, fullName, ttlMs: REGISTRATION_MS };
    const publicKey = await db.transaction((tx) => registrationOptions(tx, passkeys, given));
    return { status: 200, body: { publicKey } };
  }

  async function confirm(context: RouteContext<unknown, unknown, z.output<typeof confirmBody>>): Promise<Reply> {
    const { name, credential } = context.body;
    // A refusal is returned, not thrown: the challenge must stay used up.
    const result = await db.transaction(async (tx) => {
      if ((await countPasskeys(tx, principalOf(context).userId)) >= MAX_PASSKEYS) return { outcome: 'full' } as const;
      const registered = await registerPasskey(tx, passkeys, {
        occasion: occasionOf(context),
        response: responseOf(credential),
        name,
      });
      if (registered.outcome === 'registered') await changed(tx, context, 'added', registered.id);
      return registered;
    });
    switch (result.outcome) {
      case 'registered':
        return { status: 201, body: { passkeyId: result.id, name } };
      case 'known':
        throw new DomainError('already_enrolled', 'This passkey is registered already.');
      case 'full':
        throw new DomainError('too_many_keys', `An account has ${MAX_PASSKEYS} passkeys at most: remove one first.`);
      case 'failed':
        throw new DomainError('factor_invalid', 'The passkey’s answer does not fit the challenge: start again.');
    }
  }

  async function remove(context: RouteContext<z.output<typeof params>>): Promise<Reply> {
    const { userId } = principalOf(context);
    const { passkeyId } = context.params;
    await db.transaction(async (tx) => {
      if (!(await removePasskey(tx, userId, passkeyId)))
        throw new DomainError('not_found', 'There is no such passkey.');
      await dropOrphanedRecoveryCodes(tx, userId);
      await changed(tx, context, 'removed', passkeyId);
    });
    return { status: 204 };
  }

  async function changed(tx: Tx, context: RouteContext, change: 'added' | 'removed', passkeyId: string): Promise<void> {
    const { userId, email } = principalOf(context);
    await audit.append(tx, {
      action: change === 'added' ? 'mfa.enrolled' : 'mfa.removed',
      actor: { kind: 'user', id: userId },
      subject: { kind: 'user', id: userId },
      outcome: 'success',
      ...factsOf(context.request),
      details: { method: 'webauthn', passkeyId },
    });
    await outbox.enqueue(tx, { ...passkeyLetter(change), key: `passkey:${uuidV7()}`, userId, to: email });
  }

  return [
    route({
      method: 'get',
      path: PATH,
      name: 'listPasskeys',
      summary: 'The passkeys of the account',
      access: ANYBODY,
      responses: { 200: { description: 'Oldest first', schema: z.object({ passkeys: z.array(passkeySchema) }) } },
      handler: async (context) => ({
        status: 200,
        body: { passkeys: await listPasskeys(db.fork(), principalOf(context).userId) },
      }),
    }),
    route({
      method: 'post',
      path: `${PATH}/options`,
      name: 'beginPasskey',
      summary: 'Begin to register a passkey; needs a fresh factor',
      access: FRESH,
      responses: {
        200: {
          description: 'For `navigator.credentials.create`, within five minutes; earlier options stop working',
          schema: z.object({ publicKey: creationOptions }),
        },
        403: { description: 'step_up_needed' },
      },
      handler: options,
    }),
    route({
      method: 'post',
      path: `${PATH}/confirm`,
      name: 'registerPasskey',
      summary: 'Finish the registration with what the authenticator answered',
      access: FRESH,
      body: confirmBody,
      responses: {
        201: { description: 'Registered', schema: z.object({ passkeyId: z.uuid(), name: z.string() }) },
        401: { description: 'factor_invalid: wrong origin, challenge, or no user verification' },
        403: { description: 'step_up_needed' },
        409: { description: 'already_enrolled or too_many_keys' },
      },
      handler: confirm,
    }),
    route({
      method: 'delete',
      path: `${PATH}/{passkeyId}`,
      name: 'removePasskey',
      summary: 'Remove a passkey; needs a fresh factor',
      access: FRESH,
      params,
      responses: {
        204: { description: 'Removed' },
        403: { description: 'step_up_needed' },
        404: { description: 'not_found' },
      },
      handler: remove,
    }),
  ];
}

/** The members that are verified; what a browser sends beside them is for its own convenience. */
function responseOf({ id, rawId, type, response }: z.output<typeof attestationInput>): RegistrationResponseJSON {
  const { clientDataJSON, attestationObject, transports = [] } = response;
  return {
    ...{ id, rawId, type },
    response: { clientDataJSON, attestationObject, transports },
    clientExtensionResults: {},
  };
}

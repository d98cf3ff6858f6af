import { z } from 'zod';
import { availableMethods } from '../db/owned-factors.ts';
import { issueRecoveryCodes } from '../db/recovery-codes.ts';
import { recoveryCodesLetter } from '../domain/account-letters.ts';
import { DomainError } from '../domain/errors.ts';
import { ROLES } from '../domain/roles.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { ApiDeps } from './deps.ts';
import { factsOf } from './factor-deps.ts';
import { principalOf, type Route, route } from './route.ts';

/** The codes that stand in for an authenticator or passkey that is lost. */
export function createRecoveryCodeRoutes({ db, keyring, audit, outbox }: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/auth/mfa/recovery-codes',
      name: 'issueRecoveryCodes',
      summary: 'Make ten recovery codes; those from before stop working. Needs a fresh factor',
      access: { kind: 'session', roles: ROLES, ownership: 'own', freshFactor: true },
      responses: {
        201: {
          description: 'The codes, shown now and never again; each works once',
          schema: z.object({ codes: z.array(z.string()).length(10) }),
        },
        403: { description: 'step_up_needed' },
        409: { description: 'factor_required: enrol an authenticator or a passkey first' },
      },
      async handler(context) {
        const { userId, email } = principalOf(context);
        const codes = await db.transaction(async (tx) => {
          const methods = await availableMethods(tx, userId);
          if (!methods.includes('totp') && !methods.includes('webauthn')) {
            throw new DomainError(
              'factor_required',
              'Recovery codes stand in for an authenticator or a passkey: enrol one first.',
            );
          }
          const issued = await issueRecoveryCodes(tx, keyring, userId);
          await audit.append(tx, {
            action: 'mfa.recovery_codes_issued',
            actor: { kind: 'user', id: userId },
            subject: { kind: 'user', id: userId },
            outcome: 'success',
            ...factsOf(context.request),
            details: { codes: issued.length },
          });
          await outbox.enqueue(tx, { ...recoveryCodesLetter(), key: `recovery-codes:${uuidV7()}`, userId, to: email });
          return issued;
        });
        return { status: 201, body: { codes }, headers: { 'Cache-Control': 'no-store' } };
      },
    }),
  ];
}

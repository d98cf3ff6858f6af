import { z } from 'zod';
import { createAuditReveals } from '../db/audit-reveals.ts';
import { createPiiReveals, REVEALS_AN_HOUR } from '../db/pii-reveals.ts';
import { eraseAuditIdentity } from '../db/subject-erasure.ts';
import { DomainError } from '../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { principalOf, type Route, route } from './route.ts';

const body = z.strictObject({ reason: textInput(5, 500) });
const params = z.object({ id: z.uuid() });

const revealedSchema = z.object({
  entryId: z.uuid(),
  subjectId: z.uuid(),
  action: z.string(),
  values: z.record(z.string(), z.string()).describe('By the name of the sealed member, as it was at that moment'),
});
const erasedSchema = z.object({
  userId: z.uuid(),
  erasedAt: z.iso.datetime().describe('The first time, where it was erased before'),
});
nameSchemas({ RevealedAuditEntry: revealedSchema, ErasedAuditIdentity: erasedSchema });

/** Whom the audit log speaks of: shown on record, and erased for good. */
export function createAuditIdentityRoutes(deps: ApiDeps): Route[] {
  const { db, audit } = deps;
  const reveals = createAuditReveals(deps);
  const tampering = createPiiReveals(deps);

  return [
    route({
      method: 'post',
      path: '/api/admin/security/audit-logs/entries/{id}/reveal',
      name: 'revealAuditEntry',
      summary: 'What an entry holds sealed about its subject, in the clear and on record; needs a fresh factor',
      access: { kind: 'session', roles: ['auditor', 'admin'], ownership: 'any', freshFactor: true },
      params,
      body,
      responses: {
        200: { description: 'The values', schema: revealedSchema },
        403: { description: 'A second factor is needed first' },
        404: { description: 'not_found: no such entry, or nothing is sealed in it' },
        409: { description: 'field_tampered: a stored value was altered and is not shown' },
        410: { description: 'erased: the key was destroyed' },
        429: { description: `More than ${REVEALS_AN_HOUR} an hour` },
      },
      async handler(context) {
        const { ip, userAgent, requestId } = context.request;
        const actorId = principalOf(context).userId;
        const found = await reveals.find(context.params.id);
        const revealed = await reveals
          .reveal(found, { actorId, reason: context.body.reason, caseReference: null, ip, userAgent, requestId })
          .catch((error) => tampering.reportTampering(error, found.subjectId, requestId));
        return { status: 200, body: revealed };
      },
    }),

    route({
      method: 'post',
      path: '/api/admin/users/{id}/erase-audit-identity',
      name: 'eraseAuditIdentity',
      summary:
        'Make what the audit log holds sealed about somebody unreadable for ever; account and profile stay; needs a fresh factor',
      access: { kind: 'session', roles: ['admin'], ownership: 'any', freshFactor: true },
      params,
      body,
      responses: {
        200: { description: 'Erased', schema: erasedSchema },
        403: { description: 'own_account, or step_up_needed' },
        404: { description: 'not_found' },
        409: { description: 'account_in_use: not disabled, or with money or open orders, as `obstacles` says' },
      },
      async handler(context) {
        const { id: userId } = context.params;
        const { userId: actorId } = principalOf(context);
        if (userId === actorId) {
          throw new DomainError('own_account', 'Your own entries are another administrator’s to erase.');
        }
        const { ip, userAgent, requestId } = context.request;
        const erased = await db.transaction((tx) =>
          eraseAuditIdentity(
            tx,
            { audit },
            {
              ...{ userId, reason: context.body.reason, actor: { kind: 'user', id: actorId } },
              ...{ ip, userAgent, requestId },
            },
          ),
        );
        return { status: 200, body: { userId, ...erased } };
      },
    }),
  ];
}

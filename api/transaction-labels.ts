import { z } from 'zod';
import { labelTransaction } from '../db/transaction-labels.ts';
import { lockWithAccounts } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { isFinal } from '../domain/transaction.ts';
import type { ApiDeps } from './deps.ts';
import { labelSource, labelValue } from './enumerations.ts';
import { factsOf } from './factor-deps.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';
import { reviewRefusal } from './review-refusals.ts';
import { principalOf, type Route, route } from './route.ts';

export const labelSchema = z.object({
  label: labelValue,
  source: labelSource,
  labelledBy: z.uuid().nullable(),
  reason: z.string(),
  knownAt: z.iso.datetime(),
});
nameSchemas({ TransactionLabel: labelSchema });

/** What staff learn of a transaction after its end: from a chargeback, from the customer. */
export function createTransactionLabelRoutes({ db, audit }: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/admin/security/transactions/{transactionId}/label',
      name: 'labelTransaction',
      summary: 'Says what a transaction turned out to be; the latest label counts, those before stay on record',
      access: { kind: 'session', roles: ['reviewer', 'admin'], ownership: 'any' },
      params: z.object({ transactionId: z.uuid() }),
      body: z.strictObject({
        label: labelValue,
        reason: textInput(1, 1000),
        source: z.enum(['staff', 'customer', 'chargeback']).default('staff').describe('How it became known'),
      }),
      responses: {
        201: {
          description: 'Stored',
          schema: z.object({ transactionId: z.uuid(), ...labelSchema.shape }),
        },
        403: { description: 'Your own transaction' },
        409: { description: 'It is open: its verdict says what it is' },
      },
      async handler(context) {
        const { userId } = principalOf(context);
        const { transactionId } = context.params;
        const stored = await db.transaction(async (tx) => {
          const found = await lockWithAccounts(tx, transactionId);
          if (found === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
          const refused = found.user_id === userId ? 'own_transaction' : isFinal(found.status) ? null : 'not_final';
          const label =
            refused === null ? await labelTransaction(tx, { transactionId, by: userId, ...context.body }) : undefined;
          await audit.append(tx, {
            action: label === undefined ? 'transaction.label_refused' : 'transaction.labelled',
            actor: { kind: 'user', id: userId },
            subject: { kind: 'transaction', id: transactionId },
            outcome: label === undefined ? 'denied' : 'success',
            ...factsOf(context.request),
            details: {
              ...{ label: context.body.label, source: context.body.source },
              ...(refused === null ? {} : { reason: refused }),
            },
          });
          return { label, refused };
        });
        if (stored.refused === 'own_transaction') throw reviewRefusal('own_transaction');
        if (stored.label === undefined) {
          throw new DomainError('illegal_transition', 'The transaction is open: its verdict says what it is.');
        }
        return { status: 201, body: { transactionId, ...stored.label } };
      },
    }),
  ];
}

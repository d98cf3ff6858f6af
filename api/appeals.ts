import { z } from 'zod';
import { reopenOnAppeal } from '../db/appeals.ts';
import { findTransaction, type TransactionRow, transactionView } from '../db/transactions.ts';
import { isDomainError } from '../domain/errors.ts';
import { storedRequest } from '../domain/stored-request.ts';
import { searchTag } from '../security/tokens.ts';
import { type TransactionSettings, taskQueues } from '../workflows/contract.ts';
import { awaitOutcome } from './await-outcome.ts';
import type { ApiDeps } from './deps.ts';
import { factsOf } from './factor-deps.ts';
import { textInput } from './input.ts';
import { principalOf, type Route, route } from './route.ts';
import { transactionNotFound, transactionViewSchema } from './transaction-answers.ts';

/** How long the workflow that ended the first hold is waited for. */
const CLOSING_MS = 3_000;

/** The owner's one appeal against a rejection by review. */
export function createAppealRoutes(deps: ApiDeps): Route[] {
  const { db, gateway, config, keyring, log } = deps;

  /** What is not started here is started by `reconcile`: the appeal is committed, and is not taken back. */
  async function startWorkflow(row: TransactionRow): Promise<void> {
    const input = {
      request: storedRequest(row, `appeal-${row.hold}`),
      userTag: searchTag(keyring, row.user_id),
      settings: { ...(row.settings as TransactionSettings), queues: taskQueues(config.taskQueuePrefix) },
      virtual: row.virtual,
      resume: { sequence: 0, hold: row.hold },
    };
    try {
      await awaitOutcome(async () => (await gateway.startAppeal(input)) || undefined, CLOSING_MS);
    } catch (error) {
      const isSlow = isDomainError(error) && error.code === 'verdict_pending';
      log[isSlow ? 'info' : 'warn']({ err: error, transactionId: row.id }, 'an appeal waits for its workflow');
    }
  }

  return [
    route({
      method: 'post',
      path: '/api/transactions/{transactionId}/appeal',
      name: 'appealTransaction',
      summary: 'Appeals, once, against the rejection by a review: others decide anew',
      access: { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' },
      signed: true,
      params: z.object({ transactionId: z.uuid() }),
      body: z.strictObject({ reason: textInput(1, 1000) }),
      responses: {
        202: { description: 'Held again, its funds reserved', schema: transactionViewSchema },
        404: { description: 'Not a transaction of yours' },
        409: { description: 'already_appealed, or not_appealable: no review has rejected it' },
        410: { description: 'appeal_expired' },
        422: { description: 'insufficient_funds: the appeal is not used up' },
      },
      async handler(context) {
        const known = await findTransaction(db.fork(), context.params.transactionId);
        if (known === undefined || known.user_id !== principalOf(context).userId) throw transactionNotFound();
        // Without Temporal nothing would wait for the new verdict.
        await gateway.ping(config.verdictTimeout);
        const held = await db.transaction((tx) =>
          reopenOnAppeal(
            tx,
            { ...deps, publicOrigin: config.publicOrigin },
            {
              transactionId: context.params.transactionId,
              userId: principalOf(context).userId,
              reason: context.body.reason,
              appealWindowMs: config.appealWindow,
              request: factsOf(context.request),
            },
          ),
        );
        await startWorkflow(held);
        return { status: 202, body: transactionView(held) };
      },
    }),
  ];
}

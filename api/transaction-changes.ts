import { z } from 'zod';
import { createFactorVerification } from '../db/factor-verification.ts';
import { checkFactor } from '../db/factors.ts';
import { oneRow, run, type Tx } from '../db/sql.ts';
import { areTermsUnchanged, reportAlteredTerms, transactionChallenge } from '../db/step-up-terms.ts';
import { findTransaction, lockTransaction, type TransactionRow, transactionDetails } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { isFinal } from '../domain/transaction.ts';
import { uuidV7 } from '../security/uuid.ts';
import type { TransactionSettings, TransactionView } from '../workflows/contract.ts';
import { awaitOutcome } from './await-outcome.ts';
import type { ApiDeps } from './deps.ts';
import { factorDeps, factsOf } from './factor-deps.ts';
import { factorBody } from './input.ts';
import { principalOf, type Reply, type Route, type RouteContext, route } from './route.ts';
import {
  notAwaitingFactor,
  rejectionReply,
  termsChanged,
  transactionDetailsSchema,
  transactionNotFound,
  transactionViewSchema,
} from './transaction-answers.ts';

const ACCESS = { kind: 'session', roles: ['customer', 'admin'], ownership: 'own' } as const;
const PATH = '/api/transactions/{transactionId}';
const params = z.object({ transactionId: z.uuid() });
type Context = RouteContext<z.output<typeof params>>;

/** What the owner can do while a transaction is open: confirm it, ask for another code, take it back. */
export function createTransactionChangeRoutes(deps: ApiDeps): Route[] {
  const { db, audit, gateway, config } = deps;
  const factors = createFactorVerification(factorDeps(deps));

  /** The caller's own transaction under its lock. @throws DomainError `not_found` for anybody else's */
  async function lockOwn(tx: Tx, context: Context): Promise<TransactionRow> {
    const row = await lockTransaction(tx, context.params.transactionId);
    if (row === undefined || row.user_id !== principalOf(context).userId) throw transactionNotFound();
    return row;
  }

  /** Checks and records the answer; tries are counted under the transaction's lock. */
  async function recordFactor(
    tx: Tx,
    context: RouteContext<z.output<typeof params>, unknown, z.output<typeof factorBody>>,
  ) {
    const row = await lockOwn(tx, context);
    if (row.status !== 'step_up_required') throw notAwaitingFactor(row);
    const { over } = await oneRow<{ over: boolean }>(tx, 'select $1::timestamptz < clock_timestamp() as over', [
      row.step_up_expires_at,
    ]);
    if (over) throw notAwaitingFactor({ ...row, code: 'step_up_expired' });
    if (!areTermsUnchanged(row)) {
      await reportAlteredTerms(tx, { audit }, row, factsOf(context.request));
      return { outcome: 'altered' } as const;
    }
    const { method } = context.body;
    if (!row.methods.includes(method)) {
      throw new DomainError('factor_invalid', 'This transaction is confirmed by another method.', {
        methods: row.methods,
      });
    }
    const check = await checkFactor(tx, factors, {
      challenge: transactionChallenge(row),
      ...context.body,
      request: factsOf(context.request),
      maxTries: (row.settings as TransactionSettings).maxFactorTries,
      waitsForMs: config.verdictTimeout,
    });
    if (check.outcome === 'recorded' && !check.repeated) {
      await traceFactor(tx, context, row, method, check.passed);
    }
    return check;
  }

  async function traceFactor(tx: Tx, { request }: Context, row: TransactionRow, method: string, passed: boolean) {
    await audit.append(tx, {
      action: passed ? 'transaction.factor_passed' : 'transaction.factor_failed',
      actor: { kind: 'user', id: row.user_id },
      subject: { kind: 'transaction', id: row.id },
      outcome: passed ? 'success' : 'failure',
      ip: request.ip,
      userAgent: request.userAgent,
      requestId: request.requestId,
      workflowId: `transaction:${row.id}`,
      details: { method },
    });
  }

  /** The workflow took no factor: the row says why. One whose workflow is being restored is still open. */
  async function refuseClosed(transactionId: string): Promise<never> {
    const row = await findTransaction(db.fork(), transactionId);
    if (row === undefined) throw transactionNotFound();
    if (row.status !== 'step_up_required') throw notAwaitingFactor(row);
    throw new DomainError('verdict_pending', 'It was recorded and takes longer than usual to be carried out.', {
      retryAfter: 2,
    });
  }

  const confirm = route({
    method: 'post',
    path: `${PATH}/factors`,
    name: 'confirmTransaction',
    summary: 'Confirms a transaction that waits for a factor',
    access: ACCESS,
    signed: true,
    params,
    body: factorBody,
    responses: {
      200: { description: 'Confirmed and settled', schema: transactionViewSchema },
      202: { description: 'Confirmed and held for a reviewer', schema: transactionViewSchema },
      401: { description: 'Wrong or used code; `triesLeft` says how many more are taken' },
      409: { description: 'It waits for no factor, or is not what was to be confirmed: `terms_changed`' },
      410: { description: 'The time is over' },
      422: { description: 'Confirmed or failed for good, and rejected' },
    },
    async handler(context): Promise<Reply> {
      const { transactionId } = context.params;
      const check = await db.transaction((tx) => recordFactor(tx, context));
      if (check.outcome === 'altered') throw termsChanged();
      if (check.outcome === 'exhausted') throw wrongCode(0);
      const outcome = await gateway.submitTransactionFactor(transactionId, check.attemptId);
      if (outcome.kind === 'factor_invalid') throw wrongCode(outcome.triesLeft);
      if (outcome.kind === 'closed') return refuseClosed(transactionId);
      return stateReply(outcome.body, context.request.requestId);
    },
  });

  const resend = route({
    method: 'post',
    path: `${PATH}/factors/resend`,
    name: 'resendTransactionCode',
    summary: 'Mails another code; the one before stops working',
    access: ACCESS,
    params,
    responses: {
      202: { description: 'Sent', schema: z.object({ status: z.literal('sent') }) },
      409: { description: 'No code is waited for' },
      429: { description: 'Too many' },
    },
    async handler(context): Promise<Reply> {
      const { transactionId } = context.params;
      await db.transaction(async (tx) => {
        const row = await lockOwn(tx, context);
        if (row.status !== 'step_up_required' || !row.methods.includes('email_code')) throw notAwaitingFactor(row);
      });
      const { status } = await gateway.resendTransactionCode(transactionId, uuidV7());
      if (status === 'too_many') {
        throw new DomainError('rate_limited', 'At most three codes an hour are mailed.', { retryAfter: 1200 });
      }
      return status === 'closed' ? refuseClosed(transactionId) : { status: 202, body: { status: 'sent' } };
    },
  });

  const cancel = route({
    method: 'post',
    path: `${PATH}/cancel`,
    name: 'cancelTransaction',
    summary: 'Takes back a transaction that is held or waits for a factor',
    access: ACCESS,
    signed: true,
    params,
    responses: {
      200: { description: 'Cancelled; nothing was moved', schema: transactionDetailsSchema },
      409: { description: 'It is decided already' },
    },
    async handler(context): Promise<Reply> {
      const { transactionId } = context.params;
      const isOpen = await db.transaction(async (tx) => {
        const row = await lockOwn(tx, context);
        if (isFinal(row.status)) return false;
        if (row.cancel_requested_at !== null) return true;
        await run(tx, 'update transaction set cancel_requested_at = clock_timestamp() where id = $1', [row.id]);
        await audit.append(tx, {
          action: 'transaction.cancel_requested',
          actor: { kind: 'user', id: row.user_id },
          subject: { kind: 'transaction', id: row.id },
          outcome: 'success',
          ip: context.request.ip,
          userAgent: context.request.userAgent,
          requestId: context.request.requestId,
          workflowId: `transaction:${row.id}`,
        });
        return true;
      });
      if (isOpen) await gateway.signalCancel(transactionId);
      const final = await awaitOutcome(async () => {
        const row = await findTransaction(db.fork(), transactionId);
        return row !== undefined && isFinal(row.status) ? row : undefined;
      }, config.verdictTimeout);
      if (final.code === 'cancelled') return { status: 200, body: transactionDetails(final) };
      throw new DomainError('not_cancellable', `The transaction is ${final.status} already.`);
    },
  });

  return [confirm, resend, cancel];
}

function stateReply(view: TransactionView, requestId: string): Reply {
  if (view.status === 'rejected') return rejectionReply(view, requestId);
  return { status: view.status === 'settled' ? 200 : 202, body: view };
}

function wrongCode(triesLeft: number): DomainError {
  return new DomainError('factor_invalid', 'The code is wrong, used or too old.', { triesLeft });
}

import { z } from 'zod';
import { ensureAccount, findAccount } from '../db/ledger.ts';
import { findTransaction, listTransactions, transactionDetails } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { MAX_FACTOR_ATTEMPTS } from '../domain/login.ts';
import { currencyExponent, parseAmount } from '../domain/money.ts';
import type { Config } from '../platform/config.ts';
import { searchTag, transactionIdFor } from '../security/tokens.ts';
import { uuidV7 } from '../security/uuid.ts';
import { type TransactionSettings, taskQueues } from '../workflows/contract.ts';
import { actingFor, IMPORT_HEADERS } from './acting-for.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema } from './named-schemas.ts';
import { problemReply } from './problem.ts';
import { principalOf, type Reply, type Route, route } from './route.ts';
import {
  decisionReply,
  transactionDetailsSchema,
  transactionNotFound,
  transactionViewSchema,
} from './transaction-answers.ts';
import { requestedTerms, type TransactionBody, transactionBody } from './transaction-body.ts';
import { createTransactionChangeRoutes } from './transaction-changes.ts';

const OWNERS = ['customer', 'admin'] as const;
const PATH = '/api/transactions';
const KEY_PATTERN = /^[\x21-\x7e]{1,200}$/;

/** Transactions of the caller: ask for one, list them, see one; and what the owner can do while one is open. */
export function createTransactionRoutes(deps: ApiDeps): Route[] {
  const { db, keyring, gateway, config } = deps;
  const settings = transactionSettings(config);

  /** The caller's trading account; opened by the first use where registration has not done it. */
  async function accountOf(userId: string): Promise<string> {
    const account = await findAccount(db.fork(), userId);
    return account?.id ?? db.transaction((tx) => ensureAccount(tx, { id: uuidV7(), userId }));
  }

  const ask = route({
    method: 'post',
    path: PATH,
    name: 'createTransaction',
    summary: 'Asks for a transaction and waits for its verdict',
    access: { kind: 'session', roles: [...OWNERS, 'importer'], ownership: 'own' },
    signed: true,
    headers: {
      'idempotency-key': {
        description: '1 to 200 visible ASCII characters; the same key is one transaction',
        required: true,
        pattern: '^[!-~]{1,200}$',
      },
      ...IMPORT_HEADERS,
    },
    body: transactionBody,
    responses: {
      201: { description: 'Settled', schema: transactionViewSchema, headers: ['IdempotencyReplayed'] },
      202: {
        description: 'Waits for a factor, for its payment, or is held for a reviewer',
        schema: transactionViewSchema,
        headers: ['IdempotencyReplayed'],
      },
      403: { description: 'account_restricted, and nothing is stored', headers: ['IdempotencyReplayed'] },
      404: { description: 'Importer only: no imported account of this user' },
      409: { description: 'The key was used with another body' },
      422: {
        description: 'Rejected and stored; the problem names its transactionId',
        headers: ['IdempotencyReplayed'],
      },
      503: { description: 'No verdict yet: ask again with the same key' },
    },
    async handler(context): Promise<Reply> {
      const key = context.request.header('idempotency-key') ?? '';
      if (!KEY_PATTERN.test(key)) {
        throw new DomainError(
          'idempotency_key_required',
          'Send an Idempotency-Key of 1 to 200 visible ASCII characters.',
        );
      }
      const principal = principalOf(context);
      const { userId, virtual } = await actingFor(deps, context);
      const transactionId = transactionIdFor(keyring, userId, `POST ${PATH}`, key);
      const terms = requestedTerms(context.body as TransactionBody);

      const stored = await findTransaction(db.fork(), transactionId);
      if (stored !== undefined) {
        if (stored.body_hash !== terms.bodyHash) throw keyReused();
        const requestId = stored.request_id ?? context.request.requestId;
        return decisionReply({ httpStatus: stored.first_status, body: stored.first_body, requestId }, true);
      }
      if (terms.type === 'deposit' && config.production && config.stripe === undefined) {
        throw new DomainError('deposits_off', 'Deposits are not set up here: STRIPE_SECRET_KEY is not set.');
      }
      const submissionId = uuidV7();
      const verdict = await gateway.transaction({
        request: {
          ...terms,
          transactionId,
          userId,
          accountId: await accountOf(userId),
          sessionId: principal.sessionId,
          ip: context.request.ip,
          userAgent: context.request.userAgent,
          requestId: context.request.requestId,
          submissionId,
        },
        userTag: searchTag(keyring, userId),
        settings,
        virtual,
        resume: null,
      });
      if (verdict.bodyHash !== terms.bodyHash) throw keyReused();
      const replayed = verdict.submissionId !== submissionId;
      if (verdict.kind === 'decided') return decisionReply(verdict, replayed);
      const refusal = problemReply(
        new DomainError(verdict.code, 'This account may not move money now. Contact support.'),
        context.request.requestId,
      );
      return replayed ? { ...refusal, headers: { ...refusal.headers, 'Idempotency-Replayed': 'true' } } : refusal;
    },
  });

  const list = route({
    method: 'get',
    path: PATH,
    name: 'listTransactions',
    summary: 'Your transactions, newest first',
    access: { kind: 'session', roles: OWNERS, ownership: 'own' },
    query: z.strictObject(pageQuery),
    responses: {
      200: {
        description: 'A page',
        schema: listSchema('TransactionList', transactionDetailsSchema),
      },
    },
    async handler(context) {
      const { userId } = principalOf(context);
      const { limit, cursor } = context.query;
      const after = decodeCursor(cursor);
      const found = await listTransactions(db.fork(), { userId, after, limit: limit + 1 });
      const page = pageOf(found, limit, (row) => ({ at: row.created_at, id: row.id }));
      return { status: 200, body: { ...page, items: page.items.map(transactionDetails) } };
    },
  });

  const see = route({
    method: 'get',
    path: `${PATH}/{transactionId}`,
    name: 'getTransaction',
    summary: 'One of your transactions as it stands now',
    access: { kind: 'session', roles: OWNERS, ownership: 'own' },
    params: z.object({ transactionId: z.uuid() }),
    responses: {
      200: { description: 'The transaction', schema: transactionDetailsSchema },
      404: { description: 'None' },
    },
    async handler(context) {
      const { userId } = principalOf(context);
      const found = await findTransaction(db.fork(), context.params.transactionId);
      if (found === undefined || found.user_id !== userId) throw transactionNotFound();
      return { status: 200, body: transactionDetails(found) };
    },
  });

  return [ask, list, see, ...createTransactionChangeRoutes(deps)];
}

/** The rules a transaction starts under, from the configuration. Amounts become minor units of the base currency. */
export function transactionSettings(config: Config): TransactionSettings {
  const exponent = currencyExponent(config.baseCurrency);
  const minor = (amount: string) => parseAmount(amount, exponent).toString();
  return {
    queues: taskQueues(config.taskQueuePrefix),
    stepUpTimeoutMs: config.stepUpTimeout,
    emailCodeTtlMs: config.emailCodeTtl,
    reviewWindowMs: config.quarantineReviewWindow,
    priceMaxAgeMs: config.priceMaxAge,
    maxFactorTries: MAX_FACTOR_ATTEMPTS,
    baseCurrency: config.baseCurrency,
    rateMaxAgeMs: config.rateMaxAge,
    stepUpAmountMinor: minor(config.stepUpAmount),
    secondApprovalAboveMinor: config.reviewTwoPersonAbove === undefined ? null : minor(config.reviewTwoPersonAbove),
    securityQuestions: config.securityQuestions === 'additional',
    payments: config.stripe === undefined ? 'none' : 'provider',
    paymentTimeoutMs: config.paymentTimeout,
    appealWindowMs: config.appealWindow,
  };
}

function keyReused(): DomainError {
  return new DomainError('idempotency_key_reused', 'This Idempotency-Key was used with another body.');
}

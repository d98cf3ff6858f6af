import { z } from 'zod';
import { type ReviewFilter, type ReviewItemRow, type ReviewSort, reviewQueue } from '../db/review-queue.ts';
import { DomainError, isDomainError } from '../domain/errors.ts';
import { currencyExponent, parseAmount } from '../domain/money.ts';
import { parseDuration } from '../platform/config-values.ts';
import { decodeSortedCursor, encodeSortedCursor, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { transactionType } from './enumerations.ts';
import { textInput } from './input.ts';
import { listSchema } from './named-schemas.ts';
import { reviewItemSchema, reviewItemView } from './review-item.ts';
import { principalOf, type Route, route } from './route.ts';

const STAFF = ['reviewer', 'admin', 'auditor'] as const;
const LONGEST_MS = 366 * 86_400_000;

const query = z.strictObject({
  status: z.enum(['held', 'decided']).default('held').describe('Those that wait, or those that were decided'),
  sort: z
    .enum(['deadline', 'score', 'amount'])
    .default('deadline')
    .describe('The most urgent, the highest score or the largest amount first; decided ones by the latest deadline'),
  type: transactionType.optional().describe('Of this kind'),
  minScore: z
    .string()
    .regex(/^(0(\.\d{1,2})?|1(\.0{1,2})?)$/, 'must be from 0 to 1 with at most two digits behind the point')
    .optional()
    .describe('This score or more'),
  minAmount: z.string().max(24).optional().describe('This amount or more, in the base currency'),
  assignee: z
    .union([z.enum(['me', 'none']), z.uuid()])
    .optional()
    .describe('`me`, `none`, or the id of a reviewer'),
  account: z.uuid().optional().describe('Of this account'),
  counterparty: textInput(1, 64).optional().describe('With exactly this counterparty'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'a currency is three letters (ISO 4217)')
    .optional()
    .describe('In this currency'),
  ruleId: z
    .string()
    .regex(/^[a-z0-9_]{1,64}$/, 'must be the id of a rule')
    .optional()
    .describe('Those whose score this rule added to'),
  dueWithin: z
    .string()
    .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, 'must be a duration as 90m or 4h')
    .optional()
    .describe('Those whose time is over within, for instance `4h`'),
  slaAbove: z.enum(['50', '90']).optional().describe('Those of whose time this share, in per cent, is over'),
  ...pageQuery,
});
type Query = z.output<typeof query>;

/** The queue of held transactions, and the list of what was decided. */
export function createReviewQueueRoutes({ db, config }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/admin/security/reviews',
      name: 'listReviews',
      summary: 'Held transactions, the most urgent first, with what made them suspicious; or those that were decided',
      access: { kind: 'session', roles: STAFF, ownership: 'any' },
      query,
      responses: {
        200: {
          description: 'A page',
          schema: listSchema('ReviewItemList', reviewItemSchema),
        },
      },
      async handler(context) {
        const { sort, status, limit, cursor } = context.query;
        const order = `${status}:${sort}`;
        const found = await reviewQueue(db.fork(), {
          filter: filterOf(context.query, { userId: principalOf(context).userId, baseCurrency: config.baseCurrency }),
          sort,
          after: decodeSortedCursor(cursor, order, sort === 'deadline' ? 'time' : 'integer'),
          limit: limit + 1,
        });
        const items = found.slice(0, limit);
        const last = found.length > limit ? items.at(-1) : undefined;
        const nextCursor =
          last === undefined ? null : encodeSortedCursor({ order, value: positionIn(sort, last), id: last.id });
        return { status: 200, body: { items: items.map(reviewItemView), nextCursor } };
      },
    }),
  ];
}

function positionIn(sort: ReviewSort, row: ReviewItemRow): string {
  return { deadline: row.deadline, score: String(row.score), amount: row.weight }[sort];
}

function filterOf(given: Query, { userId, baseCurrency }: { userId: string; baseCurrency: string }): ReviewFilter {
  const { assignee, minScore, minAmount, dueWithin, slaAbove } = given;
  return {
    status: given.status,
    type: given.type,
    minScore: minScore === undefined ? undefined : Math.round(Number(minScore) * 100),
    minAmount: minAmount === undefined ? undefined : minorOf(minAmount, baseCurrency),
    assignee:
      assignee === undefined || assignee === 'none' ? assignee : { reviewerId: assignee === 'me' ? userId : assignee },
    accountId: given.account,
    counterparty: given.counterparty,
    currency: given.currency,
    ruleId: given.ruleId,
    dueWithinMs: dueWithin === undefined ? undefined : Math.min(parseDuration(dueWithin) ?? LONGEST_MS, LONGEST_MS),
    usedAbove: slaAbove === undefined ? undefined : Number(slaAbove),
  };
}

function minorOf(amount: string, currency: string): bigint {
  try {
    return parseAmount(amount, currencyExponent(currency));
  } catch (error) {
    if (!isDomainError(error)) throw error;
    throw new DomainError('validation_failed', 'The request does not have the form that is described.', {
      errors: [{ in: 'query', pointer: '/minAmount', detail: error.detail }],
    });
  }
}

import { z } from 'zod';
import { iso, isoOrNull } from '../db/sql.ts';
import { displayExponent, findTransaction, type TransactionRow } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { formatAmount, formatQuantity } from '../domain/money.ts';
import { explainReason } from '../domain/risk/explanation.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { VOCABULARY } from '../domain/risk/vocabulary.ts';
import type { ApiDeps } from './deps.ts';
import { transactionAction, transactionStatus, transactionType } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import { reviewRefusal } from './review-refusals.ts';
import { principalOf, type Route, route } from './route.ts';

const action = transactionAction;
const value = z.union([z.number(), z.string()]).nullable();
/** What was asked for. */
const termsSchema = z.object({
  userId: z.uuid(),
  accountId: z.uuid(),
  type: transactionType,
  instrument: z.string().nullable(),
  quantity: z.string().nullable(),
  amount: z.string().nullable().describe('Null while no price is known'),
  currency: z.string(),
  baseAmount: z.string().nullable().describe('In the base currency; null while there is no exchange rate'),
  baseCurrency: z.string(),
  category: z.string(),
  counterparty: z.string().nullable(),
  heldAt: z.iso.datetime().nullable().describe('Null where it was never held'),
  finishedAt: z.iso.datetime().nullable(),
});
const decisionSchema = z.object({
  transactionId: z.uuid(),
  status: transactionStatus,
  code: z.string().nullable(),
  transaction: termsSchema,
  decidedAt: z.iso.datetime(),
  ruleSetVersion: z.string(),
  score: z.number(),
  action: action.nullable().describe('Null of decisions from before it was kept'),
  contributions: z.array(
    z.object({
      ruleId: z.string(),
      title: z.string(),
      value,
      baseline: value,
      threshold: value,
      points: z.int().describe('Hundredths of the score'),
      unit: z.string().nullable(),
      note: z.string().nullable(),
      explanation: z.string(),
    }),
  ),
  features: z.array(
    z.object({
      name: z.string(),
      value: z.unknown(),
      unit: z.string().nullable(),
      meaning: z.string().nullable(),
    }),
  ),
  counterfactual: z
    .object({ notHeldUpTo: z.string().nullable(), explanation: z.string() })
    .nullable()
    .describe('Of a hold: what would have had to be otherwise'),
  shadows: z.array(
    z.object({ version: z.string(), score: z.number(), action, points: z.record(z.string(), z.number()) }),
  ),
});
nameSchemas({ Decision: decisionSchema, DecidedTransaction: termsSchema });

/** Why a transaction was decided as it was: for staff, never for the customer. */
export function createDecisionRoutes({ db }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/admin/security/transactions/{transactionId}/decision',
      name: 'getDecision',
      summary: 'Everything that a decision was made from, rule by rule',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'any' },
      params: z.object({ transactionId: z.uuid() }),
      responses: {
        200: { description: 'The decision', schema: decisionSchema },
        403: { description: 'own_transaction: what was found suspicious about somebody is not theirs to read' },
        404: { description: 'Unknown' },
      },
      async handler(context) {
        const found = await findTransaction(db.fork(), context.params.transactionId);
        if (found === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
        if (found.user_id === principalOf(context).userId) throw reviewRefusal('own_transaction');
        return { status: 200, body: decisionOf(found) };
      },
    }),
  ];
}

function decisionOf(row: TransactionRow): z.input<typeof decisionSchema> {
  const { baseCurrency } = row.settings as { baseCurrency?: string };
  const currency = baseCurrency ?? row.currency;
  return {
    transactionId: row.id,
    status: row.status,
    code: row.code,
    transaction: termsOf(row, currency),
    decidedAt: iso(row.created_at),
    ruleSetVersion: row.rule_set_version,
    score: scoreAsFraction(row.score),
    action: row.action,
    contributions: row.reasons.map((reason) => ({
      ruleId: reason.ruleId,
      title: reason.title,
      value: reason.value,
      baseline: reason.baseline,
      threshold: reason.threshold,
      points: reason.points,
      unit: reason.unit ?? null,
      note: reason.note ?? null,
      explanation: explainReason(reason, currency),
    })),
    features: Object.entries(row.features).map(([name, found]) => {
      const definition = Object.hasOwn(VOCABULARY, name) ? VOCABULARY[name as keyof typeof VOCABULARY] : undefined;
      return { name, value: found, unit: definition?.unit ?? null, meaning: definition?.description ?? null };
    }),
    counterfactual: row.counterfactual === null ? null : counterfactualOf(row.counterfactual.notHeldUpTo, currency),
    shadows: (row.shadows ?? []).map(({ version, score, action: would, points }) => ({
      version,
      score: scoreAsFraction(score),
      action: would,
      points: { ...points },
    })),
  };
}

function termsOf(row: TransactionRow, baseCurrency: string): z.input<typeof termsSchema> {
  const money = (minor: string | null, currency: string) =>
    minor === null ? null : formatAmount(BigInt(minor), displayExponent(currency));
  return {
    userId: row.user_id,
    accountId: row.account_id,
    type: row.type,
    instrument: row.instrument_id,
    quantity: row.quantity === null ? null : formatQuantity(BigInt(row.quantity)),
    amount: money(row.amount, row.currency),
    currency: row.currency,
    baseAmount: money(row.base_amount, baseCurrency),
    baseCurrency,
    category: row.category,
    counterparty: row.counterparty,
    heldAt: isoOrNull(row.held_at),
    finishedAt: isoOrNull(row.finished_at),
  };
}

function counterfactualOf(notHeldUpTo: string | null, currency: string) {
  const explanation =
    notHeldUpTo === null
      ? 'Any amount would have been held'
      : `Not held up to ${notHeldUpTo} ${currency}, everything else as it was`;
  return { notHeldUpTo, explanation };
}

import { z } from 'zod';
import { iso } from '../db/sql.ts';
import { findTransaction, type TransactionRow } from '../db/transactions.ts';
import { DomainError } from '../domain/errors.ts';
import { explainReason } from '../domain/risk/explanation.ts';
import { scoreAsFraction } from '../domain/risk/score.ts';
import { VOCABULARY } from '../domain/risk/vocabulary.ts';
import type { ApiDeps } from './deps.ts';
import { transactionAction, transactionStatus } from './enumerations.ts';
import { nameSchemas } from './named-schemas.ts';
import { type Route, route } from './route.ts';

const action = transactionAction;
const value = z.union([z.number(), z.string()]).nullable();
const decisionSchema = z.object({
  transactionId: z.uuid(),
  status: transactionStatus,
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
nameSchemas({ Decision: decisionSchema });

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
      responses: { 200: { description: 'The decision', schema: decisionSchema }, 404: { description: 'Unknown' } },
      async handler({ params }) {
        const found = await findTransaction(db.fork(), params.transactionId);
        if (found === undefined) throw new DomainError('not_found', 'There is no transaction with this id.');
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

function counterfactualOf(notHeldUpTo: string | null, currency: string) {
  const explanation =
    notHeldUpTo === null
      ? 'Any amount would have been held'
      : `Not held up to ${notHeldUpTo} ${currency}, everything else as it was`;
  return { notHeldUpTo, explanation };
}

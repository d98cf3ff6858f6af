import { z } from 'zod';
import { type RulePrecisionRow, rulePrecision } from '../db/rule-precision.ts';
import { DomainError } from '../domain/errors.ts';
import { precisionOf } from '../domain/precision.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { type Route, route } from './route.ts';

const DAY_MS = 86_400_000;
const USUAL_MS = 30 * DAY_MS;
/** What is read grows with the time that is asked for. */
const LONGEST_MS = 92 * DAY_MS;

const count = z.number().int();
const share = z.number().min(0).max(1);
const ruleSchema = z.object({
  ruleId: z.string(),
  ruleSetVersion: z.string(),
  fired: count.describe('Transactions whose score it added to'),
  held: count.describe('Of those, held for a review'),
  labels: z.object({ confirmed_fraud: count, false_positive: count, inconclusive: count, unknown: count }),
  precision: z
    .object({ value: share, low: share, high: share })
    .nullable()
    .describe('confirmed_fraud among confirmed_fraud and false_positive, with its Wilson interval at 95 %'),
});
nameSchemas({ RulePrecision: ruleSchema });

/** How often each rule was right, by what its transactions turned out to be. */
export function createRulePrecisionRoutes({ db }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/admin/security/rules/precision',
      name: 'rulePrecision',
      summary: 'How often each rule fired and how often it was right, by rule set version',
      access: { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'none' },
      query: z.strictObject({
        from: z.iso.datetime().optional().describe('From this time on; 30 days before `to` without'),
        to: z.iso.datetime().optional().describe('Before this time; now without'),
      }),
      responses: {
        200: {
          description: 'By rule and version',
          schema: z.object({ from: z.iso.datetime(), to: z.iso.datetime(), items: z.array(ruleSchema) }),
        },
        400: { description: 'More than 92 days, or none' },
      },
      async handler({ query }) {
        const to = query.to === undefined ? Date.now() : Date.parse(query.to);
        const from = query.from === undefined ? to - USUAL_MS : Date.parse(query.from);
        if (from >= to || to - from > LONGEST_MS) {
          throw new DomainError('validation_failed', 'Ask for at most 92 days.', {
            errors: [{ in: 'query', pointer: '/from', detail: 'must be before `to`, by at most 92 days' }],
          });
        }
        const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
        const found = await rulePrecision(db.fork(), range);
        return { status: 200, body: { ...range, items: found.map(ruleView) } };
      },
    }),
  ];
}

function ruleView(row: RulePrecisionRow): z.output<typeof ruleSchema> {
  const { confirmed_fraud, false_positive, inconclusive } = row;
  const found = precisionOf(confirmed_fraud, false_positive);
  return {
    ruleId: row.rule_id,
    ruleSetVersion: row.rule_set_version,
    fired: row.fired,
    held: row.held,
    labels: {
      ...{ confirmed_fraud, false_positive, inconclusive },
      unknown: row.fired - confirmed_fraud - false_positive - inconclusive,
    },
    precision:
      found === null ? null : { value: rounded(found.precision), low: rounded(found.low), high: rounded(found.high) },
  };
}

const rounded = (value: number) => Math.round(value * 10_000) / 10_000;

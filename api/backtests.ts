import { z } from 'zod';
import {
  BACKTEST_STATUSES,
  finishBacktest,
  listBacktests,
  readBacktest,
  requestBacktest,
  type StoredBacktest,
} from '../db/backtests.ts';
import { readRuleSet } from '../db/rule-set-catalogue.ts';
import { iso, isoOrNull } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { uuidV7 } from '../security/uuid.ts';
import { workflowIds } from '../workflows/contract.ts';
import { decodeCursor, pageOf, pageQuery } from './cursor.ts';
import type { ApiDeps } from './deps.ts';
import { listSchema, nameSchemas } from './named-schemas.ts';
import { traceOf } from './request-trace.ts';
import { type Access, principalOf, type Route, route } from './route.ts';
import { RULE_SETS, timeInput, versionParams } from './rule-set-schema.ts';

const BASE = `${RULE_SETS}/{version}/backtests`;
const STAFF: Access = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'none' };
const ADMINS: Access = { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true };
const MAX_PERIOD_MS = 732 * 24 * 3_600_000;

const params = versionParams.extend({ backtestId: z.uuid() });
const count = z.number().nonnegative();
const measure = z.number().nullable();
const byScore = z.array(count).describe('Element N: how many had the score N / 100');
const resultSchema = z
  .looseObject({
    rows: count,
    held: count,
    forecast: z.looseObject({
      perHour: z.object({ mean: count, p50: count, p99: count, max: count }),
      share: count,
    }),
    rules: z.array(z.looseObject({ ruleId: z.string(), fired: count, share: count })),
    against: z.looseObject({
      ...{ version: z.string(), held: count, newlyHeld: count, newlyReleased: count },
      scores: z.looseObject({ fraud: byScore, clean: byScore }).optional(),
    }),
    scores: z
      .looseObject({ fraud: byScore, clean: byScore, unknown: byScore })
      .optional()
      .describe('By label; reports of earlier versions have none'),
    labels: z.looseObject({ fraud: count, clean: count, unknown: count }),
    quality: z.looseObject({ precision: measure, recall: measure, averagePrecision: measure, auc: measure }),
  })
  .describe('What it would have done in the period, beside the version that was live when it was made');
const backtestSchema = z.object({
  backtestId: z.uuid(),
  workflowId: z.string(),
  version: z.string(),
  sha256: z.string().describe('Of the document that was tested'),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  status: z.enum(BACKTEST_STATUSES),
  rowsDone: count,
  rowsTotal: count.nullable(),
  requestedBy: z.uuid().nullable(),
  requestedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  reason: z.string().nullable(),
  result: resultSchema.nullable(),
});
nameSchemas({ BacktestResult: resultSchema, Backtest: backtestSchema });

/** Back-tests of a version over what the database has. Their reports are what lets a version go live. */
export function createBacktestRoutes({ db, audit, gateway, log }: ApiDeps): Route[] {
  async function known(given: z.output<typeof params>): Promise<StoredBacktest> {
    const found = await readBacktest(db.fork(), given.version, given.backtestId);
    if (found === undefined) throw new DomainError('not_found', 'There is no such back-test of this rule set.');
    return found;
  }

  return [
    route({
      method: 'post',
      path: BASE,
      name: 'startBacktest',
      summary: 'Judges what was recorded in a period by this version',
      access: ADMINS,
      params: versionParams,
      body: z.strictObject({ from: timeInput, to: timeInput }),
      responses: {
        202: { description: 'It was begun: see Location', schema: backtestSchema, headers: ['Location'] },
        404: { description: 'Unknown' },
      },
      async handler(context) {
        const { version } = context.params;
        const [from, to] = [Date.parse(context.body.from), Date.parse(context.body.to)];
        if (!(to > from && to - from <= MAX_PERIOD_MS)) {
          throw new DomainError('validation_failed', 'A period ends after it begins and has at most two years.');
        }
        const id = uuidV7();
        await db.transaction(async (tx) => {
          const { sha256 } = await readRuleSet(tx, version);
          const period = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
          await requestBacktest(tx, { id, version, ...period, madeBy: principalOf(context).userId });
          await audit.append(tx, {
            ...traceOf(context),
            action: 'backtest.requested',
            subject: { kind: 'backtest', id },
            details: { version, sha256, ...period },
          });
        });
        try {
          await gateway.startBacktest(id);
        } catch (error) {
          // A start that timed out may still have happened: then the row is final and the workflow finds nothing to do.
          await finishBacktest(db.fork(), id, { status: 'failed', reason: 'not_started' });
          throw error;
        }
        const body = viewOf(await known({ version, backtestId: id }));
        return { status: 202, headers: { Location: `${RULE_SETS}/${version}/backtests/${id}` }, body };
      },
    }),
    route({
      method: 'get',
      path: BASE,
      name: 'listBacktests',
      summary: 'Back-tests of this version, newest first',
      access: STAFF,
      params: versionParams,
      query: z.strictObject(pageQuery),
      responses: {
        200: {
          description: 'One page',
          schema: listSchema('BacktestList', backtestSchema),
        },
        404: { description: 'Unknown' },
      },
      async handler({ params: { version }, query }) {
        const tx = db.fork();
        await readRuleSet(tx, version);
        const before = decodeCursor(query.cursor);
        const found = await listBacktests(tx, { version, before, limit: query.limit + 1 });
        const page = pageOf(found, query.limit, ({ requested_at, id }) => ({ at: requested_at, id }));
        return { status: 200, body: { items: page.items.map(viewOf), nextCursor: page.nextCursor } };
      },
    }),
    route({
      method: 'get',
      path: `${BASE}/{backtestId}`,
      name: 'getBacktest',
      summary: 'Progress or report of a back-test',
      access: STAFF,
      params,
      responses: { 200: { description: 'As it stands', schema: backtestSchema }, 404: { description: 'Unknown' } },
      handler: async (context) => ({ status: 200, body: viewOf(await known(context.params)) }),
    }),
    route({
      method: 'post',
      path: `${BASE}/{backtestId}/cancel`,
      name: 'cancelBacktest',
      summary: 'Stops a back-test that runs',
      access: ADMINS,
      params,
      body: z.strictObject({}),
      responses: {
        200: { description: 'Cancelled', schema: backtestSchema },
        404: { description: 'Unknown' },
        409: { description: 'It has ended already' },
      },
      async handler(context) {
        const { id } = await known(context.params);
        await db.transaction(async (tx) => {
          if ((await finishBacktest(tx, id, { status: 'cancelled' })) === undefined) {
            throw new DomainError('not_cancellable', 'This back-test has ended already.');
          }
          await audit.append(tx, {
            ...traceOf(context),
            action: 'backtest.cancelled',
            subject: { kind: 'backtest', id },
          });
        });
        // The row counts: whoever works on it stops at its next page, told or not.
        await gateway
          .cancelRun(workflowIds.backtest(id))
          .catch((error) => log.warn({ err: error, backtestId: id }, 'a cancelled back-test could not be told'));
        return { status: 200, body: viewOf(await known(context.params)) };
      },
    }),
  ];
}

function viewOf(stored: StoredBacktest): z.input<typeof backtestSchema> {
  return {
    backtestId: stored.id,
    workflowId: workflowIds.backtest(stored.id),
    version: stored.version,
    sha256: stored.sha256,
    from: iso(stored.period_from),
    to: iso(stored.period_to),
    status: stored.status,
    rowsDone: Number(stored.rows_done),
    rowsTotal: stored.rows_total === null ? null : Number(stored.rows_total),
    requestedBy: stored.made_by,
    requestedAt: iso(stored.requested_at),
    finishedAt: isoOrNull(stored.made_at),
    reason: stored.reason,
    result: stored.result as z.input<typeof resultSchema> | null,
  };
}

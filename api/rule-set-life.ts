import { z } from 'zod';
import { readRuleSet } from '../db/rule-set-catalogue.ts';
import { approveRuleSet, type LifeSettings, proposeRuleSet, putInShadow, retireRuleSet } from '../db/rule-set-life.ts';
import { RULE_SET_STATUSES } from '../db/rule-sets.ts';
import { compareShadow } from '../db/shadow-comparison.ts';
import type { Tx } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import { diffRuleSets, type RuleSetDiff } from '../domain/risk/rule-set-diff.ts';
import type { ApiDeps } from './deps.ts';
import { nameSchemas } from './named-schemas.ts';
import { traceOf } from './request-trace.ts';
import { type Access, principalOf, type Route, type RouteContext, route } from './route.ts';
import {
  comparisonSchema,
  proposalSchema,
  RULE_SETS,
  reasonInput,
  timeInput,
  versionParams,
} from './rule-set-schema.ts';
import { comparisonView, proposalView } from './rule-set-views.ts';

const ADMINS: Access = { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true };
const STAFF: Access = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'none' };
const DAY_MS = 24 * 3_600_000;
const MAX_WINDOW_MS = 31 * DAY_MS;
/** An audit entry stays readable: a larger difference is told by its names. */
const MAX_DIFF_CHARACTERS = 20_000;

const statusSchema = z.object({ version: z.string(), status: z.enum(RULE_SET_STATUSES) });
nameSchemas({ RuleSetState: statusSchema });
const approvedSchema = statusSchema.extend({ replaced: z.string() });
type Context = RouteContext<z.output<typeof versionParams>>;

/** The life of rule sets: shadow, proposal, approval by a second person, retirement; and what a shadow would have done. */
export function createRuleSetLifeRoutes({ db, audit, config }: ApiDeps): Route[] {
  const settings: LifeSettings = {
    maxShadows: config.shadowRuleSetsMax,
    reportMaxAgeMs: config.backtestReportMaxAge,
  };

  const subjectOf = (context: Context) => ({ kind: 'rule_set', id: context.params.version });

  function change(
    name: 'shadow' | 'retire',
    summary: string,
    apply: (tx: Tx, given: { version: string; by: string }) => Promise<void>,
  ) {
    const status = name === 'shadow' ? 'shadow' : 'retired';
    return route({
      method: 'post',
      path: `${RULE_SETS}/{version}/${name}`,
      name: `${name}RuleSet`,
      summary,
      access: ADMINS,
      params: versionParams,
      body: z.strictObject({}),
      responses: {
        200: { description: 'Done', schema: statusSchema },
        404: { description: 'Unknown' },
        409: { description: 'Not from the state it is in, or too many shadows' },
      },
      async handler(context) {
        const { version } = context.params;
        await db.transaction(async (tx) => {
          await apply(tx, { version, by: principalOf(context).userId });
          await audit.append(tx, {
            ...traceOf(context),
            action: name === 'shadow' ? 'rule_set.shadowed' : 'rule_set.retired',
            subject: subjectOf(context),
          });
        });
        return { status: 200, body: { version, status } };
      },
    });
  }

  return [
    change('shadow', 'Lets a version judge beside every decision, without effect', (tx, given) =>
      putInShadow(tx, given, settings),
    ),
    change('retire', 'Takes a draft or a shadow out of use', retireRuleSet),
    route({
      method: 'post',
      path: `${RULE_SETS}/{version}/propose`,
      name: 'proposeRuleSet',
      summary: 'Proposes that a version decides from now on; somebody else approves',
      access: ADMINS,
      params: versionParams,
      body: z.strictObject({ reason: reasonInput, reportId: z.uuid() }),
      responses: {
        201: { description: 'Proposed', schema: proposalSchema },
        404: { description: 'Unknown' },
        409: { description: 'It has to be in the shadow or retired, with a fresh back-test report of it' },
      },
      async handler(context) {
        const { reason, reportId } = context.body;
        const proposal = await db.transaction(async (tx) => {
          const made = await proposeRuleSet(
            tx,
            { version: context.params.version, reportId, reason, by: principalOf(context).userId },
            settings,
          );
          await audit.append(tx, {
            ...traceOf(context),
            action: 'rule_set.proposed',
            subject: subjectOf(context),
            details: { proposalId: made.id, reportId, replaces: made.replaces, reason },
          });
          return made;
        });
        return { status: 201, body: proposalView(proposal) };
      },
    }),
    route({
      method: 'post',
      path: `${RULE_SETS}/{version}/approve`,
      name: 'approveRuleSet',
      summary: 'Lets the proposed version decide; the one before is retired',
      access: ADMINS,
      params: versionParams,
      body: z.strictObject({ reason: reasonInput }),
      responses: {
        200: { description: 'It is live', schema: approvedSchema },
        403: { description: 'You proposed it, or wrote it' },
        404: { description: 'Unknown' },
        409: { description: 'Not proposed, or another version went live meanwhile, or its report counts no more' },
      },
      async handler(context) {
        const { version } = context.params;
        const { reason } = context.body;
        const replaced = await db.transaction(async (tx) => {
          const proposal = await approveRuleSet(tx, { version, reason, by: principalOf(context).userId }, settings);
          const [from, to] = [await readRuleSet(tx, proposal.replaces), await readRuleSet(tx, version)];
          await audit.append(tx, {
            ...traceOf(context),
            action: 'rule_set.live',
            subject: subjectOf(context),
            details: {
              proposalId: proposal.id,
              proposedBy: proposal.proposedBy,
              reportId: proposal.reportId,
              replaced: proposal.replaces,
              sha256: to.sha256,
              reason,
              diff: readable(diffRuleSets(from.document, to.document)),
            },
          });
          return proposal.replaces;
        });
        return { status: 200, body: { version, status: 'live', replaced } };
      },
    }),
    route({
      method: 'get',
      path: `${RULE_SETS}/{version}/shadow`,
      name: 'compareShadow',
      summary: 'What a version in the shadow would have decided, beside what was decided',
      access: STAFF,
      params: versionParams,
      query: z.strictObject({
        from: timeInput.optional().describe('Default: a day before the end'),
        to: timeInput.optional().describe('Default: now'),
      }),
      responses: {
        200: { description: 'The comparison', schema: comparisonSchema },
        400: { description: 'The window is empty or longer than 31 days' },
        404: { description: 'Unknown' },
      },
      async handler({ params, query }) {
        const to = query.to ?? new Date().toISOString();
        const from = query.from ?? new Date(Date.parse(to) - DAY_MS).toISOString();
        const length = Date.parse(to) - Date.parse(from);
        if (!(length > 0 && length <= MAX_WINDOW_MS)) {
          throw new DomainError('validation_failed', 'A window ends after it begins and has at most 31 days.');
        }
        const tx = db.fork();
        const { version } = await readRuleSet(tx, params.version);
        const window = { version, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
        const found = await compareShadow(tx, window);
        return { status: 200, body: comparisonView(window, found) };
      },
    }),
  ];
}

function readable(diff: RuleSetDiff): object {
  if (JSON.stringify(diff).length <= MAX_DIFF_CHARACTERS) return diff;
  return {
    rules: { ...diff.rules, changed: diff.rules.changed.map(({ id }) => id) },
    lists: { ...diff.lists, changed: diff.lists.changed.map(({ name }) => name) },
    members: diff.members.map(({ pointer }) => pointer),
  };
}

import { z } from 'zod';
import {
  listRuleSets,
  type RecentUse,
  type RuleSetRow,
  readRuleSet,
  recentUse,
  saveRuleSet,
} from '../db/rule-set-catalogue.ts';
import { eventsOf } from '../db/rule-set-events.ts';
import { openProposal } from '../db/rule-set-life.ts';
import { activeVersions } from '../db/rule-sets.ts';
import { iso } from '../db/sql.ts';
import { DomainError } from '../domain/errors.ts';
import type { RuleSetDocument, RuleSetFault } from '../domain/risk/rule-set.ts';
import { diffRuleSets } from '../domain/risk/rule-set-diff.ts';
import { VOCABULARY } from '../domain/risk/vocabulary.ts';
import { checkRuleSet, compileFaults, ruleSetDocument, ruleSetVersion } from '../platform/rule-set-document.ts';
import type { ApiDeps } from './deps.ts';
import { traceOf } from './request-trace.ts';
import { type Access, principalOf, type Route, route } from './route.ts';
import {
  diffSchema,
  faultSchema,
  RULE_SETS,
  ruleSetDetailSchema,
  ruleSetList,
  type ruleSetSchema,
  versionParams,
} from './rule-set-schema.ts';
import { proposalView } from './rule-set-views.ts';

const STAFF: Access = { kind: 'session', roles: ['reviewer', 'admin', 'auditor'], ownership: 'none' };
/** How far back "lately" goes. */
const LATELY_HOURS = 24;

/** Rule sets: what there is, what they say, what is different between two of them; saving one. */
export function createRuleSetRoutes({ db, audit }: ApiDeps): Route[] {
  async function detailsOf(version: string) {
    const tx = db.fork();
    const { document, ...found } = await readRuleSet(tx, version);
    const proposal = await openProposal(tx, version);
    const events = await eventsOf(tx, version);
    return {
      ...summaryOf(found, (await recentUse(tx, LATELY_HOURS)).get(version)),
      document,
      proposal: proposal === undefined ? null : proposalView(proposal),
      events: events.map((event) => ({ ...event, at: iso(event.at) })),
    };
  }

  return [
    route({
      method: 'get',
      path: RULE_SETS,
      name: 'listRuleSets',
      summary: 'Every version: what it is doing, where it is from, what it did lately',
      access: STAFF,
      responses: { 200: { description: 'All of them', schema: ruleSetList } },
      async handler() {
        const tx = db.fork();
        const used = await recentUse(tx, LATELY_HOURS);
        const items = (await listRuleSets(tx)).map((found) => summaryOf(found, used.get(found.version)));
        return { status: 200, body: { items } };
      },
    }),
    route({
      method: 'get',
      path: `${RULE_SETS}/vocabulary`,
      name: 'getRuleVocabulary',
      summary: 'What rules may ask about a transaction',
      access: STAFF,
      responses: {
        200: {
          description: 'Every feature',
          schema: z.object({
            features: z.array(
              z.object({ name: z.string(), type: z.string(), unit: z.string(), description: z.string() }),
            ),
          }),
        },
      },
      async handler() {
        const features = Object.entries(VOCABULARY).map(([name, definition]) => ({ name, ...definition }));
        return { status: 200, body: { features } };
      },
    }),
    route({
      method: 'post',
      path: `${RULE_SETS}/check`,
      name: 'checkRuleSet',
      summary: 'Everything that is wrong with a document; saves nothing',
      access: { kind: 'session', roles: ['admin'], ownership: 'none' },
      largeBody: true,
      body: z.strictObject({ document: z.record(z.string(), z.unknown()) }),
      responses: {
        200: {
          description: 'The faults; none where it can be saved',
          schema: z.object({ valid: z.boolean(), faults: z.array(faultSchema) }),
        },
      },
      async handler({ body }) {
        const { faults } = checkRuleSet(body.document);
        return { status: 200, body: { valid: faults.length === 0, faults } };
      },
    }),
    route({
      method: 'post',
      path: RULE_SETS,
      name: 'saveRuleSet',
      summary: 'Saves a document as a draft; it is never changed again',
      access: { kind: 'session', roles: ['admin'], ownership: 'none', freshFactor: true },
      largeBody: true,
      body: z.strictObject({ version: ruleSetVersion.optional(), document: ruleSetDocument }),
      responses: {
        201: { description: 'Saved', schema: ruleSetDetailSchema, headers: ['Location'] },
        400: { description: 'Faults, each with pointer, detail and, in an expression, the position' },
        409: { description: 'The name is taken, or a version has this document: it is named' },
      },
      async handler(context) {
        const document = context.body.document as RuleSetDocument;
        const faults = compileFaults(document);
        if (faults.length > 0) throw faulty(faults);
        const { userId } = principalOf(context);
        const version = await db.transaction(async (tx) => {
          const saved = await saveRuleSet(tx, {
            version: context.body.version ?? null,
            document,
            createdBy: userId,
          });
          const { sha256, rules } = await readRuleSet(tx, saved);
          await audit.append(tx, {
            ...traceOf(context),
            action: 'rule_set.saved',
            subject: { kind: 'rule_set', id: saved },
            details: { sha256, rules },
          });
          return saved;
        });
        return { status: 201, headers: { Location: `${RULE_SETS}/${version}` }, body: await detailsOf(version) };
      },
    }),
    route({
      method: 'get',
      path: `${RULE_SETS}/{version}`,
      name: 'getRuleSet',
      summary: 'One version with its document and its life',
      access: STAFF,
      params: versionParams,
      responses: { 200: { description: 'The version', schema: ruleSetDetailSchema }, 404: { description: 'Unknown' } },
      handler: async ({ params }) => ({ status: 200, body: await detailsOf(params.version) }),
    }),
    route({
      method: 'get',
      path: `${RULE_SETS}/{version}/diff`,
      name: 'diffRuleSets',
      summary: 'What would change if this version took the place of another one',
      access: STAFF,
      params: versionParams,
      query: z.strictObject({ against: ruleSetVersion.optional().describe('Default: the live one') }),
      responses: { 200: { description: 'The differences', schema: diffSchema }, 404: { description: 'Unknown' } },
      async handler({ params, query }) {
        const tx = db.fork();
        const against = query.against ?? (await activeVersions(tx)).live;
        const from = await readRuleSet(tx, against);
        const to = await readRuleSet(tx, params.version);
        return {
          status: 200,
          body: { version: to.version, against, ...diffRuleSets(from.document, to.document) },
        };
      },
    }),
  ];
}

function faulty(faults: readonly RuleSetFault[]): DomainError {
  const errors = faults.slice(0, 50).map(({ pointer, message, position }) => ({
    in: 'body',
    pointer: `/document${pointer}`,
    detail: message,
    ...(position === undefined ? {} : { position }),
  }));
  const first = errors[0];
  return new DomainError('validation_failed', `body${first?.pointer}: ${first?.detail}`, { errors });
}

function summaryOf(found: RuleSetRow, use: RecentUse | undefined): z.input<typeof ruleSetSchema> {
  return {
    version: found.version,
    title: found.title,
    status: found.status,
    origin: found.origin,
    sha256: found.sha256,
    rules: found.rules,
    createdBy: found.created_by,
    createdAt: iso(found.created_at),
    statusAt: iso(found.status_at),
    lately: { hours: LATELY_HOURS, ...(use ?? { decided: 0, held: 0, fired: {} }) },
  };
}

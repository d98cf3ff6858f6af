import { z } from 'zod';
import { RULE_SET_EVENTS } from '../db/rule-set-events.ts';
import { RULE_SET_STATUSES } from '../db/rule-sets.ts';
import { ruleSetDocument, ruleSetVersion } from '../platform/rule-set-document.ts';
import { transactionAction } from './enumerations.ts';
import { textInput } from './input.ts';
import { nameSchemas } from './named-schemas.ts';

export const RULE_SETS = '/api/admin/security/rule-sets';

export const versionParams = z.object({ version: ruleSetVersion });
export const reasonInput = textInput(1, 1000);
/** A time as the database takes it. */
export const timeInput = z.iso.datetime({ offset: true, error: 'must be RFC 3339' });

const when = z.iso.datetime();
const count = z.int().nonnegative();

export const recentUseSchema = z.object({
  hours: count,
  decided: count,
  held: count,
  fired: z.record(z.string(), count).describe('By rule, how often it gave points'),
});

export const proposalSchema = z.object({
  proposalId: z.uuid(),
  version: z.string(),
  reportId: z.uuid(),
  replaces: z.string().describe('The live version that it was proposed against'),
  reason: z.string(),
  proposedBy: z.uuid(),
  proposedAt: when,
});

export const ruleSetSchema = z.object({
  version: z.string(),
  title: z.string(),
  status: z.enum(RULE_SET_STATUSES),
  origin: z.enum(['published', 'created']),
  sha256: z.string().describe('Of the stored text'),
  rules: count,
  createdBy: z.uuid().nullable(),
  createdAt: when,
  statusAt: when,
  lately: recentUseSchema,
});

export const ruleSetDetailSchema = ruleSetSchema.extend({
  document: z.record(z.string(), z.unknown()),
  proposal: proposalSchema.nullable(),
  events: z.array(
    z.object({
      kind: z.enum(RULE_SET_EVENTS),
      at: when,
      actor: z.uuid().nullable().describe('Null: the program itself'),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
});

export const faultSchema = z.object({
  pointer: z.string().describe('JSON pointer into the document'),
  message: z.string(),
  position: count.optional().describe('Character of the expression, from 0'),
});

const memberChange = z.object({ pointer: z.string(), from: z.unknown().optional(), to: z.unknown().optional() });
const names = z.array(z.string());
export const diffSchema = z.object({
  version: z.string(),
  against: z.string(),
  rules: z.object({
    added: names,
    removed: names,
    changed: z.array(z.object({ id: z.string(), members: z.array(memberChange) })),
  }),
  lists: z.object({
    added: names,
    removed: names,
    changed: z.array(
      z.object({
        name: z.string(),
        added: count,
        removed: count,
        changed: count,
        examples: z.array(z.object({ change: z.enum(['added', 'removed', 'changed']), value: z.string() })),
        members: z.array(memberChange),
      }),
    ),
  }),
  members: z.array(memberChange),
});

const action = transactionAction;
const share = z.number().nullable();
const hits = z.object({ held: count, released: count });
const example = z.object({
  transactionId: z.uuid(),
  at: when,
  live: z.object({ version: z.string(), score: count, action }),
  shadow: z.object({ score: count, action, points: z.record(z.string(), z.number()) }),
});

export const comparisonSchema = z.object({
  version: z.string(),
  from: when,
  to: when,
  liveVersions: names.describe('Who decided in the meantime'),
  compared: count,
  complete: z.boolean().describe('False: the window had more decisions, and the newest were compared'),
  actions: z.array(z.object({ live: action, shadow: action, n: count })),
  held: z.object({ live: count, shadow: count, newly: count, noLonger: count }),
  labels: z.object({
    fraud: z.object({ live: hits, shadow: hits }),
    clean: z.object({ live: hits, shadow: hits }),
    precision: z.object({ live: share, shadow: share }),
    recall: z.object({ live: share, shadow: share }),
  }),
  examples: z.object({ newlyHeld: z.array(example), noLongerHeld: z.array(example) }),
});
export const ruleSetList = z.object({ items: z.array(ruleSetSchema) });

nameSchemas({
  RuleSetDocument: ruleSetDocument,
  RuleSetList: ruleSetList,
  RuleSetUse: recentUseSchema,
  RuleSetProposal: proposalSchema,
  RuleSet: ruleSetSchema,
  RuleSetDetail: ruleSetDetailSchema,
  RuleSetFault: faultSchema,
  RuleSetMemberChange: memberChange,
  RuleSetDiff: diffSchema,
  ShadowExample: example,
  ShadowComparison: comparisonSchema,
});

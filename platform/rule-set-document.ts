import { z } from 'zod';
import { compileRuleSet } from '../domain/risk/rule-engine.ts';
import {
  LIST_MATCHES,
  RULE_SET_FORMAT,
  type RuleSetDocument,
  RuleSetError,
  type RuleSetFault,
} from '../domain/risk/rule-set.ts';

const MAX_RULES = 100;
const MAX_LISTS = 20;
const MAX_ENTRIES = 10_000;
const MAX_EXPRESSION = 1_000;
const UNITS = ['money', 'count', 'ratio', 'share', 'days', 'hours', 'text', 'flag'] as const;

/** Text that PostgreSQL and RFC 8785 can hold. */
const plain = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed Unicode without U+0000');
const name = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'must be a lower-case name of up to 40 characters');
const expression = plain(MAX_EXPRESSION).describe('CEL over the vocabulary, the parameters and the lists');
const points = z.int().min(-1_000).max(1_000).describe('Hundredths of the score');
const threshold = z.int().min(0).max(100).describe('Hundredths of the score; what is above counts');
const number = z.number().min(-1e12).max(1e12);

const rule = z.strictObject({
  id: name,
  title: plain(200),
  when: expression.optional(),
  points: points.optional(),
  of: expression.optional(),
  bands: z
    .array(z.strictObject({ above: number, points }))
    .min(1)
    .max(50)
    .optional(),
  explain: z
    .strictObject({
      value: expression.optional(),
      baseline: expression.optional(),
      threshold: expression.optional(),
      unit: z.enum(UNITS).optional(),
    })
    .optional(),
  notes: z
    .array(z.strictObject({ when: expression, note: z.enum(['no_history', 'few_prior']) }))
    .max(5)
    .optional(),
});

const list = z.strictObject({
  name,
  effect: z.enum(['allow', 'deny', 'tag']),
  match: z.enum(LIST_MATCHES),
  entries: z
    .array(
      z.strictObject({
        value: plain(64),
        until: z.iso.datetime({ offset: true, error: 'must be RFC 3339' }).optional(),
        note: plain(200).optional(),
      }),
    )
    .max(MAX_ENTRIES),
});

/** A rule set as people write it; what no schema can say, {@link checkRuleSet} does. docs/rules.md shows it by example. */
export const ruleSetDocument = z.strictObject({
  format: z.literal(RULE_SET_FORMAT),
  title: plain(100),
  description: plain(2_000),
  thresholds: z.strictObject({
    factorAbove: threshold,
    reviewAbove: threshold,
    escalateAbove: threshold,
    highRiskAbove: threshold,
  }),
  base: points.optional(),
  params: z
    .record(name, number)
    .refine((params) => Object.keys(params).length <= MAX_RULES, `has more than ${MAX_RULES} members`)
    .optional(),
  lists: z.array(list).max(MAX_LISTS).optional(),
  rules: z.array(rule).max(MAX_RULES),
});

/** The version's name of somebody's own choice. */
export const ruleSetVersion = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'must be 1 to 40 of a-z, 0-9, dot, dash and underscore')
  .refine((text) => text !== 'vocabulary' && text !== 'check', 'is the name of something else here');

/** Faults shown at most; more help nobody. */
const MAX_FAULTS = 50;

/** A document, or everything that is wrong with it: its shape first, then its expressions and names. */
export type CheckedRuleSet =
  | { readonly document: RuleSetDocument; readonly faults: readonly [] }
  | { readonly document: null; readonly faults: readonly RuleSetFault[] };

/** Checks what somebody wrote, down to the last expression. */
export function checkRuleSet(value: unknown): CheckedRuleSet {
  const parsed = ruleSetDocument.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.slice(0, MAX_FAULTS).map(({ path, message }) => ({
      pointer: path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
      message,
    }));
    return { document: null, faults };
  }
  // An absent member and an undefined one are the same to the schema and not to the type.
  const document = parsed.data as RuleSetDocument;
  const faults = compileFaults(document);
  return faults.length === 0 ? { document, faults: [] } : { document: null, faults: faults.slice(0, MAX_FAULTS) };
}

/** What the compiler says of a document whose shape is right. */
export function compileFaults(document: RuleSetDocument): readonly RuleSetFault[] {
  try {
    compileRuleSet(document, 'checked');
    return [];
  } catch (error) {
    if (error instanceof RuleSetError) return error.faults;
    throw error;
  }
}

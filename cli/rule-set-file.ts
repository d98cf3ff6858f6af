import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { compileRuleSet, type RuleEngine } from '../domain/risk/rule-engine.ts';
import { LIST_MATCHES, type RuleSetDocument, RuleSetError, type RuleSetFault } from '../domain/risk/rule-set.ts';

/** A rule set that cannot be used, with every fault of it on a line of its own. */
export class RuleSetFileError extends Error {
  override readonly name = 'RuleSetFileError';
}

const points = z.int().min(-100).max(100);
const threshold = z.int().min(0).max(100);
const expression = z.string().min(1).max(2_000);
const UNITS = ['money', 'count', 'ratio', 'share', 'days', 'hours', 'text', 'flag'] as const;

const ruleSchema = z.strictObject({
  id: z.string(),
  title: z.string().min(1).max(200),
  when: expression.optional(),
  points: points.optional(),
  of: expression.optional(),
  bands: z
    .array(z.strictObject({ above: z.number(), points }))
    .min(1)
    .max(20)
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
    .max(10)
    .optional(),
});

const documentSchema = z.strictObject({
  format: z.string(),
  title: z.string().min(1).max(200),
  description: z.string().max(2_000),
  thresholds: z.strictObject({
    factorAbove: threshold,
    reviewAbove: threshold,
    escalateAbove: threshold,
    highRiskAbove: threshold,
  }),
  base: points.optional(),
  params: z.record(z.string(), z.number()).optional(),
  lists: z
    .array(
      z.strictObject({
        name: z.string(),
        effect: z.enum(['allow', 'deny', 'tag']),
        match: z.enum(LIST_MATCHES),
        entries: z
          .array(
            z.strictObject({
              value: z.string().min(1).max(100),
              until: z.string().optional(),
              note: z.string().max(500).optional(),
            }),
          )
          .max(100_000),
      }),
    )
    .optional(),
  rules: z.array(ruleSchema).min(1),
});

/**
 * Reads and compiles a rule set of a file; its version is the file's name without the ending.
 * @throws RuleSetFileError naming every fault with its JSON pointer, and the position in an expression where there is one
 */
export function readRuleSetFile(path: string): RuleEngine {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new RuleSetFileError(`${path}: there is no such file`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new RuleSetFileError(`${path} is no JSON: ${(error as Error).message}`);
  }
  return compileDocument(parsed, basename(path).replace(/\.json$/, ''), path);
}

/** @throws RuleSetFileError */
function compileDocument(value: unknown, version: string, path: string): RuleEngine {
  const shaped = documentSchema.safeParse(value);
  if (!shaped.success) {
    throw faulty(
      path,
      shaped.error.issues.map((issue) => ({ pointer: pointerTo(issue.path), message: issue.message })),
    );
  }
  try {
    // What is optional in the schema is absent in the document, never undefined: it was JSON.
    return compileRuleSet(shaped.data as RuleSetDocument, version);
  } catch (error) {
    if (error instanceof RuleSetError) throw faulty(path, error.faults);
    throw error;
  }
}

function faulty(path: string, faults: readonly RuleSetFault[]): RuleSetFileError {
  const lines = faults.map(
    ({ pointer, message, position }) =>
      `  ${pointer || '/'}${position === undefined ? '' : `, character ${position + 1}`}: ${message}`,
  );
  return new RuleSetFileError(`${path} has ${faults.length} fault(s):\n${lines.join('\n')}`);
}

/** RFC 6901. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

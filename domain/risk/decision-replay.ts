import { RATE_RULE } from '../exchange.ts';
import type { TransactionFeatures } from './features.ts';
import type { Reason } from './reasons.ts';
import type { RuleEngine } from './rule-engine.ts';
import type { RuleSetDocument } from './rule-set.ts';
import { decideTransaction, type TransactionAction, weighedAmount } from './transaction-decision.ts';
import { VOCABULARY } from './vocabulary.ts';

/** A decision as it was stored, with what it was made from. */
export interface StoredDecision {
  readonly score: number;
  readonly reasons: readonly Reason[];
  /** Null where it was not kept. */
  readonly action: TransactionAction | null;
  readonly features: TransactionFeatures;
  /** Minor units of the base currency. */
  readonly stepUpAmountMinor: bigint;
  /** Fraction digits of the base currency. */
  readonly exponent: number;
}

/** What the same features and rules come to now. */
export interface Replayed {
  readonly score: number;
  readonly reasons: readonly Reason[];
  readonly action: TransactionAction;
}

/**
 * Decides again. Reasons that no rule of the document gives were found elsewhere (a rule set that could not be read) and
 * are part of what the decision was made from.
 */
export function replayDecision(engine: RuleEngine, stored: StoredDecision): Replayed {
  const own = new Set([
    'base',
    ...engine.document.rules.map(({ id }) => id),
    ...(engine.document.lists ?? []).map(({ name }) => `list:${name}`),
  ]);
  const others = stored.reasons.filter(({ ruleId }) => !own.has(ruleId));
  // A missing rate holds by itself, whatever the rules say: they never saw it.
  const beside = others.filter(({ ruleId }) => ruleId === RATE_RULE);
  const found = others.filter(({ ruleId }) => ruleId !== RATE_RULE);
  const assessment = engine.assess(stored.features, found);
  const amountMinor = BigInt(Math.round(stored.features.amount * 10 ** stored.exponent));
  const weighed = weighedAmount(stored.features, amountMinor, stored.exponent);
  const { action } = decideTransaction(assessment, weighed, stored.stepUpAmountMinor, engine.thresholds);
  return { score: assessment.score, reasons: [...assessment.reasons, ...beside], action };
}

/**
 * Features that a document's rules may ask for and a stored decision does not have: it was made by an earlier version of
 * the program, and cannot be made again. A word in a text counts as asked for, which errs on the safe side.
 */
export function missingFeatures(document: RuleSetDocument, features: object): string[] {
  const asked = new Set<string>(['at', 'amount']);
  for (const { match } of document.lists ?? []) asked.add(match);
  for (const rule of document.rules) {
    const { when, of, explain = {}, notes = [] } = rule;
    for (const source of [when, of, explain.value, explain.baseline, explain.threshold, ...notes.map((n) => n.when)]) {
      for (const word of source?.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []) {
        if (Object.hasOwn(VOCABULARY, word)) asked.add(word);
      }
    }
  }
  return [...asked].filter((name) => !Object.hasOwn(features, name));
}

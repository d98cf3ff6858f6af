import type { RecordedDecisionRow } from '../db/recorded-decisions.ts';
import { RATE_RULE } from '../domain/exchange.ts';
import { currencyExponent } from '../domain/money.ts';
import { missingFeatures, type Replayed, replayDecision } from '../domain/risk/decision-replay.ts';
import type { TransactionFeatures } from '../domain/risk/features.ts';
import type { Reason } from '../domain/risk/reasons.ts';
import type { RuleEngine } from '../domain/risk/rule-engine.ts';
import type { TransactionAction } from '../domain/risk/transaction-decision.ts';
import { canonicalJson } from '../security/canonical-json.ts';

/** One thing that came out otherwise, in canonical JSON. */
export interface Difference {
  /** `score`, `action`, or `reasons/` and the rule's id. */
  readonly what: string;
  readonly stored: string;
  readonly now: string;
}

export type DecisionCheck =
  | { readonly outcome: 'identical' }
  | { readonly outcome: 'different'; readonly differences: readonly Difference[] }
  | { readonly outcome: 'not_replayable'; readonly why: string };

/** A version as the check needs it: its rules, or why they cannot be read. */
export type KnownVersion = RuleEngine | { readonly unreadable: string };

/** Decides again from what was stored, and holds the result against what was decided, to the byte. */
export function checkDecision(row: RecordedDecisionRow, version: KnownVersion | undefined): DecisionCheck {
  if (row.rule_set_version === 'none') return { outcome: 'not_replayable', why: 'it was booked without a decision' };
  if (!('kind' in row.features)) {
    return { outcome: 'not_replayable', why: 'it was made before rule sets were documents: its features are others' };
  }
  if (version === undefined) {
    return differing([{ what: 'ruleSetVersion', stored: canonicalJson(row.rule_set_version), now: 'null' }]);
  }
  if ('unreadable' in version) {
    return differing([
      { what: 'ruleSetVersion', stored: canonicalJson(row.rule_set_version), now: canonicalJson(version.unreadable) },
    ]);
  }
  const missing = missingFeatures(version.document, row.features);
  if (missing.length > 0) {
    return { outcome: 'not_replayable', why: `it was stored without the features ${missing.join(', ')}` };
  }
  const stored = { ...row, action: row.action ?? actionOf(row) };
  const now = replayDecision(version, {
    score: row.score,
    reasons: row.reasons,
    action: stored.action,
    features: row.features as TransactionFeatures,
    stepUpAmountMinor: BigInt(row.step_up_minor),
    exponent: currencyExponent(row.currency),
  });
  const differences = compare(stored, now);
  return differences.length === 0 ? { outcome: 'identical' } : differing(differences);
}

function differing(differences: readonly Difference[]): DecisionCheck {
  return { outcome: 'different', differences };
}

/** What was decided, where only the first answer says it; null where funds, price or a missing rate hid it. */
function actionOf(row: RecordedDecisionRow): TransactionAction | null {
  if (row.reasons.some(({ ruleId }) => ruleId === RATE_RULE)) return null;
  if (row.first_decision === 'step_up_required') return row.hold_after_step_up ? 'step_up_then_quarantine' : 'step_up';
  if (row.first_decision === 'quarantined') return 'quarantine';
  return row.first_decision === 'rejected' ? null : 'settle';
}

function compare(
  stored: { score: number; reasons: readonly Reason[]; action: TransactionAction | null },
  now: Replayed,
): Difference[] {
  const differences: Difference[] = [];
  const hold = (what: string, before: unknown, after: unknown) => {
    const [a, b] = [canonicalJson(before ?? null), canonicalJson(after ?? null)];
    if (a !== b) differences.push({ what, stored: a, now: b });
  };
  hold('score', stored.score, now.score);
  if (stored.action !== null) hold('action', stored.action, now.action);
  const ids = new Set([...stored.reasons, ...now.reasons].map(({ ruleId }) => ruleId));
  const of = (reasons: readonly Reason[], id: string) => reasons.filter(({ ruleId }) => ruleId === id);
  for (const id of ids) hold(`reasons/${id}`, of(stored.reasons, id), of(now.reasons, id));
  // The same reasons in another order are another text.
  if (differences.length === 0) hold('reasons', stored.reasons, now.reasons);
  return differences;
}

import { formatAmount } from '../money.ts';
import { type FeatureStates, type FeatureTransaction, featuresOf } from './features.ts';
import type { RuleEngine } from './rule-engine.ts';

/**
 * What would have had to be otherwise for a transaction not to be held: the greatest amount, everything else as it was,
 * in units of the base currency. Null where any amount would have been held.
 */
export interface Counterfactual {
  readonly notHeldUpTo: string | null;
}

/**
 * Looks for the boundary between amounts that are held and those that are not, to the minor unit, by bisection: some
 * fifty evaluations. A rule set whose score falls with the amount may have several boundaries; the one found is between
 * an amount that is let through and the next one, which is held.
 */
export function counterfactualOf(engine: RuleEngine, states: FeatureStates, tx: FeatureTransaction): Counterfactual {
  const isHeld = (amountMinor: bigint) =>
    engine.assess(featuresOf(states, { ...tx, amountMinor })).score > engine.thresholds.reviewAbove;
  if (isHeld(1n)) return { notHeldUpTo: null };
  let passes = 1n;
  let held = tx.amountMinor;
  while (held - passes > 1n) {
    const middle = (passes + held) / 2n;
    if (isHeld(middle)) held = middle;
    else passes = middle;
  }
  return { notHeldUpTo: formatAmount(passes, tx.exponent) };
}

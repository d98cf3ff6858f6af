import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyAccount, settleOnAccount } from '../../domain/risk/account-state.ts';
import { counterfactualOf } from '../../domain/risk/counterfactual.ts';
import { featuresOf } from '../../domain/risk/features.ts';
import { compileRuleSet } from '../../domain/risk/rule-engine.ts';
import { RULE_SET_V3 } from '../../domain/risk/rule-sets/v3.ts';
import { featureTx, NEW_ACCOUNT } from '../helpers/features.ts';

const V3 = compileRuleSet(RULE_SET_V3, 'v3');

describe('"not held up to"', () => {
  it('names the last amount that would have passed: a cent more is held', () => {
    const past = fc.array(fc.bigInt({ min: 100n, max: 50_000n }), { minLength: 5, maxLength: 30 });
    fc.assert(
      fc.property(past, (amounts) => {
        const account = amounts.reduce(
          (state, amountMinor) => settleOnAccount(state, featureTx({ amountMinor })),
          emptyAccount(),
        );
        const states = { ...NEW_ACCOUNT, account };
        const isHeld = (amountMinor: bigint) => V3.assess(featuresOf(states, featureTx({ amountMinor }))).score > 70;
        const held = featureTx({ amountMinor: 10_000_000n });
        expect(isHeld(held.amountMinor)).toBe(true);
        const { notHeldUpTo } = counterfactualOf(V3, states, held);
        const passes = BigInt((notHeldUpTo ?? '').replace('.', ''));
        expect([isHeld(passes), isHeld(passes + 1n)]).toEqual([false, true]);
      }),
      { numRuns: 100 },
    );
  });

  it('is null where the amount does not matter', () => {
    const list = { name: 'bad', effect: 'deny' as const, match: 'counterparty' as const, entries: [{ value: 'mule' }] };
    const engine = compileRuleSet({ ...RULE_SET_V3, lists: [list] }, 'test');
    expect(counterfactualOf(engine, NEW_ACCOUNT, featureTx({ counterparty: 'mule', amountMinor: 500n }))).toEqual({
      notHeldUpTo: null,
    });
  });
});

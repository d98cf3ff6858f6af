import { Alert, Stack, Text } from '@mantine/core';
import type { Body } from '../../calls.ts';
import { moneyText } from '../../parts/money.tsx';
import { Section } from '../../parts/page.tsx';
import { Contributions } from './contributions.tsx';

interface ExplanationProps {
  readonly decision: Body<'getDecision'>;
  /** The base currency. */
  readonly currency: string;
  /** What was asked for, in the base currency, where that is known. */
  readonly amount?: string | null;
}

/** Why a transaction was decided as it was, and what would have had to be different. */
export function Explanation({ decision, currency, amount }: ExplanationProps) {
  const { counterfactual, ruleSetVersion } = decision;
  return (
    <Section title="Why" hint={`Rule set ${ruleSetVersion}`}>
      <Stack gap="sm">
        <Contributions decision={decision} currency={currency} />
        {counterfactual !== null && (
          <Alert variant="light" color="brand" title="What would have had to be different">
            <Text size="sm">
              {counterfactual.explanation}.
              {counterfactual.notHeldUpTo !== null && typeof amount === 'string' && (
                <> This one asked for {moneyText(amount, currency)}.</>
              )}
            </Text>
          </Alert>
        )}
      </Stack>
    </Section>
  );
}

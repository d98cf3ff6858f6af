import { SimpleGrid, Title } from '@mantine/core';
import { Bars } from '../../parts/bars.tsx';
import { Section } from '../../parts/page.tsx';
import type { Dashboard } from '../overview.tsx';

type Live = Dashboard['live'];

/** How the logins and transactions of a day ended. */
export function Outcomes({ live }: { live: Live }) {
  return (
    <Section title="Outcomes" hint="Last 24 hours, by what was decided">
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="lg">
        <Outcome title="Transactions" outcomes={live.transactions} empty="No transaction was decided." />
        <Outcome title="Logins" outcomes={live.logins} empty="Nobody signed in." />
      </SimpleGrid>
    </Section>
  );
}

function Outcome(props: { title: string; outcomes: Live['logins'] | Live['transactions']; empty: string }) {
  const { title, outcomes, empty } = props;
  const bars = Object.entries<number>(outcomes.last24Hours.byOutcome)
    .filter(([, value]) => value > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([outcome, value]) => ({ key: outcome, label: outcome.replaceAll('_', ' '), value }));
  return (
    <div>
      <Title order={3} size="h6" mb="xs">
        {title}: {outcomes.last24Hours.total}, of these {outcomes.lastHour.total} in the last hour
      </Title>
      <Bars label={`${title} by outcome`} bars={bars} empty={empty} />
    </div>
  );
}

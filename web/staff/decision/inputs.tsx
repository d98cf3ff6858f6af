import { Stack, Text } from '@mantine/core';
import type { Body } from '../../calls.ts';
import { Score, StatusBadge } from '../../parts/badges.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Section } from '../../parts/page.tsx';
import { pointsText, valueText } from './values.ts';

type Decision = Body<'getDecision'>;
type Feature = Decision['features'][number];
type Shadow = Decision['shadows'][number];

const SHADOWS: readonly Column<Shadow>[] = [
  { title: 'Rule set', cell: ({ version }) => version },
  { title: 'Score', cell: ({ score }) => <Score value={score} /> },
  { title: 'Would have', cell: ({ action }) => <StatusBadge status={action} /> },
  {
    title: 'Rules',
    cell: ({ points }) =>
      Object.entries(points)
        .filter(([, one]) => one !== 0)
        .map(([ruleId, one]) => `${ruleId} ${pointsText(one)}`)
        .join(', ') || 'none',
  },
];

/** Everything the decision was made from, for who wants to look it up; and what rule sets in shadow would have said. */
export function Inputs({ decision, currency }: { decision: Decision; currency: string }) {
  const columns: readonly Column<Feature>[] = [
    { title: 'Feature', cell: ({ name }) => name },
    { title: 'Value', numeric: true, cell: ({ value, unit }) => valueText(value, unit, currency) },
    {
      title: 'Meaning',
      cell: ({ meaning }) => (
        <Text size="sm" c="dimmed">
          {meaning ?? '–'}
        </Text>
      ),
    },
  ];
  return (
    <Section title="What the decision was made from">
      <Stack gap="md">
        {decision.shadows.length > 0 && (
          <DataTable
            label="Rule sets in shadow"
            columns={SHADOWS}
            rows={decision.shadows}
            keyOf={({ version }) => version}
          />
        )}
        <details>
          <summary className="summary">{decision.features.length} features</summary>
          <DataTable
            label="Features"
            columns={columns}
            rows={decision.features}
            keyOf={({ name }) => name}
            maxHeight={420}
          />
        </details>
      </Stack>
    </Section>
  );
}

import { Group, SegmentedControl, SimpleGrid, Title } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { Chart } from '../../parts/chart.tsx';
import { useFilters } from '../../parts/filters.tsx';
import { Section } from '../../parts/page.tsx';
import type { Dashboard } from '../overview.tsx';

type Risk = Dashboard['risk'];

const WINDOWS = [
  { value: '24h', label: '24 hours' },
  { value: '7d', label: '7 days' },
  { value: '30d', label: '30 days' },
] as const;
const STORIES = [
  { value: 'transactions', label: 'Transactions' },
  { value: 'logins', label: 'Logins' },
] as const;

export const isRiskWindow = (text: string | null): text is Risk['window'] =>
  WINDOWS.some(({ value }) => value === text);

/** How many were scored and how risky they were, over the hours or days that the URL asks for. */
export function RiskOverTime({ risk }: { risk: Risk }) {
  const filters = useFilters();
  const [params] = useSearchParams();
  const story = filters.get('of', ['logins']) ?? 'transactions';
  const asked = params.get('window');
  const points = risk[story].map(pointOf(risk.window));
  return (
    <Section
      title="Risk over time"
      hint={`High risk is a score above ${risk.highRiskAbove}`}
      actions={
        <Group gap="xs">
          <SegmentedControl
            aria-label="What"
            size="xs"
            data={[...STORIES]}
            value={story}
            onChange={(value) => filters.set('of', value === 'transactions' ? '' : value)}
          />
          <SegmentedControl
            aria-label="How far back"
            size="xs"
            data={[...WINDOWS]}
            value={isRiskWindow(asked) ? asked : '24h'}
            onChange={(value) => filters.set('window', value === '24h' ? '' : value)}
          />
        </Group>
      }
    >
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <div>
          <Title order={3} size="h6" mb="xs">
            Scored {story}
          </Title>
          <Chart
            kind="stacked"
            label={`Scored ${story} by risk`}
            data={points}
            by="Time"
            series={[
              { name: 'usual', label: 'Not high risk', color: 'brand.5' },
              { name: 'high', label: 'High risk', color: 'red.6' },
            ]}
          />
        </div>
        <div>
          <Title order={3} size="h6" mb="xs">
            Their scores
          </Title>
          <Chart
            kind="area"
            label={`Average and highest score of ${story}`}
            data={points}
            by="Time"
            series={[
              { name: 'maximum', label: 'Highest', color: 'orange.6' },
              { name: 'average', label: 'Average', color: 'brand.5' },
            ]}
            format={(value) => value.toFixed(2)}
          />
        </div>
      </SimpleGrid>
    </Section>
  );
}

const hour = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** A bucket as a point of the charts; its time in the viewer's zone. */
const pointOf =
  (window: Risk['window']) =>
  ({ at, count, highRisk, average, maximum }: Risk['transactions'][number]) => ({
    Time: (window === '24h' ? hour : day).format(new Date(at)),
    usual: count - highRisk,
    high: highRisk,
    average,
    maximum,
  });

import { Alert, Anchor, SegmentedControl, Stack, Table, Text, Title } from '@mantine/core';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { type Body, useRead } from '../calls.ts';
import { Score } from '../parts/badges.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Figures } from '../parts/facts.tsx';
import { Read } from '../parts/read.tsx';
import { Time } from '../parts/time.tsx';

type Comparison = Body<'compareShadow'>;
type Example = Comparison['examples']['newlyHeld'][number];
type Action = Comparison['actions'][number]['live'];

const HOUR_MS = 3_600_000;
const WINDOWS = { '24 h': 24, '7 d': 7 * 24, '31 d': 31 * 24 } as const;
type Window = keyof typeof WINDOWS;
const ACTIONS: readonly Action[] = ['settle', 'step_up', 'quarantine', 'step_up_then_quarantine'];

export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? '–' : `${(100 * share).toFixed(1)} %`;
const wordOf = (action: Action): string => action.replaceAll('_', ' ');

/** What a version would have decided, beside what was decided. */
export function Shadow({ version }: { version: string }) {
  const [params, setParams] = useSearchParams();
  const asked = params.get('window') as Window | null;
  const window: Window = asked !== null && asked in WINDOWS ? asked : '24 h';
  // Fixed while the page is open: otherwise every moment would be another question.
  const from = useMemo(() => new Date(Date.now() - WINDOWS[window] * HOUR_MS + 60_000).toISOString(), [window]);
  const comparison = useRead('compareShadow', { path: { version }, query: { from } }, { keep: true });
  return (
    <Stack>
      <SegmentedControl
        aria-label="Window"
        data={Object.keys(WINDOWS)}
        value={window}
        onChange={(chosen) => {
          const next = new URLSearchParams(params);
          next.set('window', chosen);
          setParams(next);
        }}
        maw={320}
      />
      <Read query={comparison}>{(found) => <Compared found={found} />}</Read>
    </Stack>
  );
}

function Compared({ found }: { found: Comparison }) {
  const { compared, complete, held, labels, examples, liveVersions } = found;
  if (compared === 0) {
    return (
      <Text c="dimmed">It judged nothing in this time. A version in the shadow judges beside every decision.</Text>
    );
  }
  return (
    <Stack gap="lg">
      {!complete && (
        <Alert color="yellow" variant="light" title="Not all of it">
          There were more decisions in this time: the newest {compared} were compared.
        </Alert>
      )}
      <Figures
        figures={[
          { label: 'Compared', value: compared, hint: `decided by ${liveVersions.join(', ')}` },
          { label: 'Held live', value: held.live },
          { label: 'Would be held', value: held.shadow },
          { label: 'Newly held', value: held.newly },
          { label: 'No longer held', value: held.noLonger },
        ]}
      />
      <Matrix found={found} />
      <section aria-label="Against the labels">
        <Title order={2} size="h5" mb="xs">
          Against the labels
        </Title>
        <Table.ScrollContainer minWidth={420} type="native" scrollAreaProps={{ 'aria-label': 'Labels' }}>
          <Table aria-label="Against the labels" withTableBorder>
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">Of those with a label</Table.Th>
                <Table.Th scope="col" ta="right">
                  Live
                </Table.Th>
                <Table.Th scope="col" ta="right">
                  Shadow
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[
                ['Precision', percent(labels.precision.live), percent(labels.precision.shadow)],
                ['Recall', percent(labels.recall.live), percent(labels.recall.shadow)],
                ['Frauds held', labels.fraud.live.held, labels.fraud.shadow.held],
                ['Frauds let through', labels.fraud.live.released, labels.fraud.shadow.released],
                ['False alarms', labels.clean.live.held, labels.clean.shadow.held],
              ].map(([what, live, shadow]) => (
                <Table.Tr key={what}>
                  <Table.Th scope="row" fw={400}>
                    {what}
                  </Table.Th>
                  <Table.Td ta="right" className="number">
                    {live}
                  </Table.Td>
                  <Table.Td ta="right" className="number">
                    {shadow}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </section>
      <Examples title="Newly held" examples={examples.newlyHeld} />
      <Examples title="No longer held" examples={examples.noLongerHeld} />
    </Stack>
  );
}

/** How often what was decided met what the version would have decided. */
function Matrix({ found: { actions } }: { found: Comparison }) {
  const count = (live: Action, shadow: Action): number =>
    actions.find((one) => one.live === live && one.shadow === shadow)?.n ?? 0;
  const seen = ACTIONS.filter((action) => actions.some(({ live, shadow }) => live === action || shadow === action));
  return (
    <section aria-label="Decisions by both">
      <Title order={2} size="h5" mb="xs">
        Decisions by both
      </Title>
      {/* A region that scrolls must be reachable by keyboard (WCAG 2.2, 2.1.1). */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: see above */}
      <section className="rows" tabIndex={0} aria-label="Decisions by both, table">
        <Table aria-label="Live decisions down, shadow decisions across" withColumnBorders>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Live ↓ / shadow →</Table.Th>
              {seen.map((action) => (
                <Table.Th key={action} scope="col" ta="right">
                  {wordOf(action)}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {seen.map((live) => (
              <Table.Tr key={live}>
                <Table.Th scope="row" fw={400}>
                  {wordOf(live)}
                </Table.Th>
                {seen.map((shadow) => (
                  <Table.Td key={shadow} ta="right" className="number" data-same={live === shadow || undefined}>
                    {count(live, shadow)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
    </section>
  );
}

const pathOf = ({ transactionId }: Example): string => `/console/transactions/${transactionId}`;

const COLUMNS: readonly Column<Example>[] = [
  {
    title: 'Transaction',
    cell: (example) => (
      <Anchor component={Link} to={pathOf(example)}>
        {example.transactionId.slice(0, 8)}…{example.transactionId.slice(-4)}
      </Anchor>
    ),
  },
  { title: 'Decided', cell: ({ at }) => <Time at={at} /> },
  { title: 'Live', cell: ({ live }) => <Score value={live.score / 100} /> },
  { title: 'was', cell: ({ live }) => wordOf(live.action) },
  { title: 'Shadow', cell: ({ shadow }) => <Score value={shadow.score / 100} /> },
  { title: 'would be', cell: ({ shadow }) => wordOf(shadow.action) },
  {
    title: 'Points by rule',
    cell: ({ shadow }) =>
      Object.entries(shadow.points)
        .map(([rule, points]) => `${rule} ${(points / 100).toFixed(2)}`)
        .join(', ') || '–',
  },
];

function Examples({ title, examples }: { title: string; examples: readonly Example[] }) {
  return (
    <section aria-label={`${title}: examples`}>
      <Title order={2} size="h5" mb="xs">
        {title}
      </Title>
      <DataTable
        label={`${title}: the newest`}
        columns={COLUMNS}
        rows={examples}
        keyOf={({ transactionId }) => transactionId}
        linkOf={pathOf}
        empty="None."
      />
    </section>
  );
}
